"""What session files told in a batch: one call for each message id, as plain values."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from collector.lane.requests import Place
from collector.parsers.clock import AHEAD_MS
from core.usage import Usage

Counts = tuple[int, int, int, int, int, int | None, int, str | None, str | None, str | None, bool, bool, str | None]
"""input, read, 5m writes, 1h writes, output, thinking, searches, tier, speed, geography, is it complete, is the split
of the writes known, steps."""
SessionRow = tuple[int, int, int, str | None, str | None, str | None, str | None, Decimal | None, Counts | Usage, int]
"""place, offset, time, model, request id, folder, stop reason, what the line claims to have cost, what it used, and how
many ordinary events of the batch come before it."""
Fullness = tuple[bool, int, int]
"""Has the message ended, its output, its prompt: of the lines of one message, the highest counts."""


@dataclass(slots=True)
class SessionCalls:
    """Everything the quick way took of one batch."""

    places: list[Place] = field(default_factory=list)
    rows: dict[str, SessionRow] = field(default_factory=dict)  # by message id
    lines: int = 0  # that told a call

    def times(self, now_ms: int) -> list[int]:
        """Return the first and the last time told that can be one."""
        told = [row[2] for row in self.rows.values() if row[2] <= now_ms + AHEAD_MS]
        return [min(told), max(told)] if told else []
