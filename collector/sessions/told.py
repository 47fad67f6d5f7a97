"""What a piece of a session file told, as plain values: what a process that only reads hands to the one that stores.

Nothing here needs Arrow or numpy, so that such a process starts quickly.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field

Shape = tuple[
    str | None, str | None, str | None, str | None, str | None, str | None, bool, bool, str | None, str
]  # fmt: skip
"""What many calls have in common: model, folder, stop reason, tier, speed, geography, is it complete, is the split of
the writes known, the TTL that its own writes prove, provider."""

NUMBERS = (
    "offset", "ms", "left", "input", "read", "write_5m", "write_1h", "output", "thinking", "searches", "shape",
)  # fmt: skip
"""Whole numbers of a call, in this order. `left`: how many lines before it were left to the ordinary way. `thinking`
is UNTOLD where nobody told it."""
UNTOLD = -1


@dataclass(slots=True)
class ToldPiece:
    """Whole lines of one file. A message may have several rows here; what it comes to is decided for the batch."""

    ids: list[str] = field(default_factory=list)
    requests: list[str | None] = field(default_factory=list)
    numbers: array[int] = field(default_factory=lambda: array("q"))  # len(NUMBERS) for each row
    shapes: list[Shape] = field(default_factory=list)
    costs: list[tuple[int, str]] = field(default_factory=list)  # row, what its line claims to have cost
    steps: list[tuple[int, str]] = field(default_factory=list)  # row, what was billed for each step
    unsplit: list[tuple[int, bytes]] = field(default_factory=list)  # row, usage whose steps wrote for an unknown time
    left: list[tuple[int, bytes]] = field(default_factory=list)  # offset and line, without its newline
    lines: int = 0  # that told a call
    talk: int = 0  # that are a session's and tell none
    last_ms: int | None = None  # when the last call was written

    def packed(self) -> tuple[object, ...]:
        """Return it as marshal writes it."""
        return (
            self.ids, self.requests, self.numbers.tobytes(), self.shapes, self.costs, self.steps, self.unsplit,
            self.left, self.lines, self.talk, self.last_ms,
        )  # fmt: skip

    @staticmethod
    def unpacked(told: tuple[object, ...]) -> ToldPiece:
        """Return what `packed` was made of."""
        ids, requests, numbers, *rest = told
        whole = array("q")
        whole.frombytes(numbers)  # type: ignore[arg-type]  # as packed() made it
        return ToldPiece(ids, requests, whole, *rest)  # type: ignore[arg-type]  # as packed() made it
