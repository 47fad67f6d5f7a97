"""Clearing the prompt store in every warm environment: what is there, what a clear will do, the clear, the proof.

Nothing here clears the Claude cache, because nobody can: see `core.fleet.prefixes` for when it expires by itself.
"""
