"""The ledger turned around: what is known of each single call, misses or not."""

from __future__ import annotations

from collections.abc import Collection
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


def causes_by_id(ids: Collection[str], lines: pa.Table, whole: pa.Array) -> dict[str, str | None]:
    """Return, of these calls, the judged ones with the cause of what their prefix missed; None: it was read whole.

    `whole` are the calls that no line is about (`read_whole`).
    """
    wanted = pa.array(ids, pa.string())
    mine = lines.filter(pc.is_in(lines["call_id"], wanted)).select(["call_id", "cause"]).to_pylist()
    found: dict[str, str | None] = dict.fromkeys(whole.filter(pc.is_in(whole, wanted)).to_pylist())
    found |= {line["call_id"]: None for line in mine}
    return found | {line["call_id"]: line["cause"] for line in mine if line["cause"] != "dynamic_tail"}


def read_whole(calls: Traffic) -> pa.Array:
    """Return the ids of judged calls that missed nothing at all, not even behind the breakpoint: very few.

    The lines of a call add up to its prompt less what was read, so these are the ones that no line is about.
    """
    return calls.call_id.filter(pa.array(calls.in_scope & (calls.prompt == calls.read)))
