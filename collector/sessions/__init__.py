"""The quick way through session files of Claude Code: a line becomes values, the last line of a message a row.

It takes only lines in the form that Claude Code writes; every other line goes the ordinary way, and both ways lead to
the same rows (docs/decisions/036-session-files-in-columns.md).
"""
