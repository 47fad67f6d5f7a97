"""The ledger turned around: what is known of each single call, misses or not."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from core.traffic import Traffic

_TOLD = ("cause", "confidence", "evidence", "detail", "gap_ms", "ttl_ms", "tokens", "usd")


def by_call(calls: Traffic, lines: pa.Table, limit: int = 5_000) -> dict[str, dict[str, Any]]:
    """Return the newest judged calls by id: the cause of what their prefix missed, with its evidence.

    A call that is not here was not judged. One whose prefix was read whole has the cause None; what comes after the
    breakpoint is new in every call and no reason.
    """
    judged = calls.call_id.filter(pa.array(calls.in_scope)).to_pylist()[-limit:]
    found: dict[str, dict[str, Any]] = {call_id: dict.fromkeys(_TOLD) for call_id in judged if call_id is not None}
    prefixes = lines.filter(pc.not_equal(lines["cause"], "dynamic_tail")).select(["call_id", *_TOLD])
    for row in prefixes.slice(max(0, prefixes.num_rows - limit)).to_pylist():
        if row["call_id"] in found:
            found[row.pop("call_id")] = row
    return found
