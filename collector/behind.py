"""Storing one batch in another thread while this one reads the next: docs/decisions/109-stored-behind-reading.md."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from collector.result import PassResult
from collector.sources import sessions_ahead

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

MUCH = 16 * 1024 * 1024
"""Bytes read: a batch of so many is worth a thread, and more is likely to come."""


class Behind:
    """Does one piece of work at a time, behind whoever gave it. Close it: it holds a thread."""

    def __init__(self) -> None:
        self._pool: ThreadPoolExecutor | None = None
        self._doing: Future[PassResult] | None = None

    def is_worth(self, step: PassResult) -> bool:
        """Say whether a batch is large enough, and another core is there."""
        return step.bytes_read >= MUCH and sessions_ahead.cores() > 1

    def begin(self, work: Callable[[], PassResult]) -> None:
        """Begin with it; what was begun before has ended."""
        from concurrent.futures import ThreadPoolExecutor  # small passes need none

        assert self._doing is None, "its end was not waited for"
        self._pool = self._pool or ThreadPoolExecutor(1, thread_name_prefix="storing")
        self._doing = self._pool.submit(work)

    def end(self) -> list[PassResult]:
        """Wait for what was begun, if anything was, and return what it came to. Raises what it raised."""
        if self._doing is None:
            return []
        doing, self._doing = self._doing, None
        return [doing.result()]

    def close(self) -> None:
        """Wait for what was begun, whatever comes of it."""
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None
