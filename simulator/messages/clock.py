"""The simulator's clock: real time, or a hand that a test moves; nothing else in the simulator asks for the time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta


def _wall_time() -> datetime:
    return datetime.now(UTC)


class SimulatedClock:
    """Tells UTC time. Frozen at `start` when one is given, else it runs with real time; both can be moved."""

    def __init__(self, start: datetime | None = None, *, wall: Callable[[], datetime] = _wall_time) -> None:
        if start is not None and start.tzinfo is None:
            raise ValueError(f"start must be time-zone aware, got {start!r}; add tzinfo=UTC")
        self._frozen = start.astimezone(UTC) if start is not None else None
        self._offset = timedelta()
        self._wall = wall
        self._lock = threading.Lock()

    @property
    def frozen(self) -> bool:
        """True when time stands still until it is moved."""
        return self._frozen is not None

    def now(self) -> datetime:
        """Return the simulated time, UTC."""
        with self._lock:
            base = self._frozen if self._frozen is not None else self._wall()
            return base + self._offset

    def advance(self, seconds: float) -> datetime:
        """Move the clock forward by `seconds` and return the new time; a cache never sees time go back."""
        if seconds < 0:
            raise ValueError(f"the clock only moves forward, got {seconds} seconds")
        with self._lock:
            self._offset += timedelta(seconds=seconds)
        return self.now()
