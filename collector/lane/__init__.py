"""The quick lane: whole requests of a text log become columns at once, without an object for each line.

It takes only what is written exactly as Lambda and the service write it; every other line goes the ordinary way, and
both ways lead to the same rows (docs/decisions/035-the-quick-lane.md).
"""
