"""Faults to order: which of the next requests fails, and how. A plan is set at the start or by the control routes."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from simulator.messages.errors import ApiError, internal, overloaded, rate_limited

FaultKind = Literal["rate_limit", "overloaded", "api_error", "stream_error", "stream_cut", "diagnosis_pending"]


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind of fault for `times` requests, after `skip` requests that are spared.

    `stream_error` sends an `error` event, `stream_cut` drops the connection, both after `after_deltas` pieces of
    text and only in streams; `diagnosis_pending` answers a cache diagnosis with "not known yet".
    """

    kind: FaultKind
    times: int = 1
    skip: int = 0
    retry_after_s: float = 1.0
    after_deltas: int = 1

    def __post_init__(self) -> None:
        if self.kind not in get_args(FaultKind):
            raise ValueError(f"unknown fault {self.kind!r}; known: {', '.join(get_args(FaultKind))}")
        if self.times < 1 or self.skip < 0 or self.after_deltas < 0 or self.retry_after_s < 0:
            raise ValueError(f"a fault needs times >= 1 and no negative figures, got {self}")

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Fault:
        """Read a fault from the control route's JSON; unknown members are refused by name."""
        unknown = set(data) - set(cls.__dataclass_fields__)
        if unknown or "kind" not in data:
            raise ValueError(f"a fault has {', '.join(cls.__dataclass_fields__)}; got {', '.join(sorted(data))}")
        return cls(**data)

    def refusal(self) -> ApiError | None:
        """Return the error that replaces the whole answer, or None for a fault inside an answer."""
        if self.kind == "rate_limit":
            return rate_limited(self.retry_after_s)
        if self.kind == "overloaded":
            return overloaded()
        return internal() if self.kind == "api_error" else None


class FaultPlan:
    """Faults in the order in which they strike, each used up by the requests it hits."""

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        self._faults = list(faults)
        self._seen = 0
        self._lock = threading.Lock()

    def add(self, fault: Fault) -> None:
        """Put a fault at the end of the plan."""
        with self._lock:
            self._faults.append(fault)

    def clear(self) -> None:
        """Forget all faults still to come."""
        with self._lock:
            self._faults.clear()
            self._seen = 0

    def next_fault(self) -> Fault | None:
        """Return what strikes this request, if anything, and count the request."""
        with self._lock:
            if not self._faults:
                return None
            fault = self._faults[0]
            self._seen += 1
            if self._seen <= fault.skip:
                return None
            if self._seen == fault.skip + fault.times:
                self._faults.pop(0)
                self._seen = 0
            return fault

    def as_json(self) -> list[dict[str, Any]]:
        """Return the faults still to come."""
        with self._lock:
            return [asdict(fault) for fault in self._faults]
