"""What the names of a message and of its model say, where Claude Code wrote it."""

from __future__ import annotations

SYNTHETIC = "<synthetic>"
"""The model of what the program itself put in: no model answered."""


def provider_of(message_id: str | None, model: str | None) -> str:
    """Return who served a message: its id says so, or the name of its model."""
    if (message_id or "").startswith("msg_bdrk_") or "anthropic." in (model or ""):
        return "bedrock"
    return "vertex" if (message_id or "").startswith("msg_vrtx_") else "anthropic"
