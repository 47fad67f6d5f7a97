"""Keeps the studies of traffic (miss ledger and TTL Lab) that viewers share, and renews them behind their backs.

A study of a million calls takes seconds, and new calls arrive all the time. So a costly study may be a little older
than the tables: it is shown at once, a newer one is made beside it, and whoever looks next sees that. A cheap study
is always of the newest tables.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Generic, TypeVar

from core.errors import CachewiseError

log = logging.getLogger("cachewise.dashboard")

CHEAP_S = 0.3
"""What takes no longer than this is made anew whenever the tables have changed."""
OLDEST_S = 900.0
_KEPT = 4

Scope = TypeVar("Scope", bound=Hashable)
Made = TypeVar("Made")


@dataclass(frozen=True, slots=True)
class Study(Generic[Made]):
    """One study: its number (no two are alike), the tables' versions it was made of, when, and what it cost."""

    number: int
    made: Made
    at: Hashable
    as_of: datetime
    clock_s: float
    cost_s: float


class Studies(Generic[Scope, Made]):
    """The newest study of each of the last few scopes; may be asked from many threads at once."""

    def __init__(self, make: Callable[[Scope], Made], *, kept: int = _KEPT) -> None:
        """Name what makes a study."""
        self._make, self._most = make, kept
        self._guard = threading.Lock()
        self._kept: OrderedDict[Scope, Study[Made]] = OrderedDict()
        self._makers: dict[Scope, threading.Lock] = {}
        self._renewing: set[Scope] = set()
        self._count = 0

    def get(self, scope: Scope, at: Hashable) -> Study[Made]:
        """Return the study of a scope at these versions, or a somewhat older one while it is being renewed."""
        found = self._usable(scope, at)
        if found is not None:
            return found
        with self._guard:
            maker = self._makers.setdefault(scope, threading.Lock())
        with maker:  # who comes second waits for the first, and finds it done
            return self._usable(scope, at) or self._renew(scope, at)

    def clear(self) -> None:
        """Forget every study."""
        with self._guard:
            self._kept.clear()

    def _usable(self, scope: Scope, at: Hashable) -> Study[Made] | None:
        with self._guard:
            found = self._kept.get(scope)
            if found is None:
                return None
            self._kept.move_to_end(scope)
            if found.at == at:
                return found
            if found.cost_s <= CHEAP_S or time.monotonic() - found.clock_s > OLDEST_S:
                return None
            begin = scope not in self._renewing
            self._renewing.add(scope)
        if begin:
            threading.Thread(target=self._behind, args=(scope, at), name="study", daemon=True).start()
        return found

    def _behind(self, scope: Scope, at: Hashable) -> None:
        try:
            self._renew(scope, at)
        except CachewiseError as error:
            log.warning("%s: a study could not be renewed: %s", error.code, error.message)
        finally:
            with self._guard:
                self._renewing.discard(scope)

    def _renew(self, scope: Scope, at: Hashable) -> Study[Made]:
        as_of, began = datetime.now(UTC), time.thread_time()  # CPU: a busy machine makes no study costly
        made = self._make(scope)
        cost_s = time.thread_time() - began
        with self._guard:
            self._count += 1
            study = self._kept[scope] = Study(self._count, made, at, as_of, time.monotonic(), cost_s)
            self._kept.move_to_end(scope)
            while len(self._kept) > self._most:
                self._makers.pop(self._kept.popitem(last=False)[0], None)
        return study
