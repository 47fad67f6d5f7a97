"""When each call began: told by records, worked out for text lines, which are written at the end of a call.

A lifetime in the Claude cache counts from the start of a request. A text line's call cannot have begun before its
invocation did, before the prompt was looked up, or before the same invocation's previous call ended: the latest of
the three is taken. What the service does between that moment and the call (milliseconds, for bodo) is the error.
"""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from core.store.query import Reader


def with_starts(reader: Reader, calls: ir.Table) -> ir.Table:
    """Add `began` (the call may not have begun earlier; null when nothing tells) and `fetched` to calls.

    `fetched` says that the invocation read its prompt anew, from the table, before the call.
    """
    opened = reader.table("invocations")
    opened = opened.group_by(opened.invocation_id).aggregate(opened_at=opened.ts.min())
    looked = reader.table("prompt_store_events")
    looked = looked.filter(looked.invocation_id.notnull() & (looked.kind != "clear"))
    looked = looked.group_by(looked.invocation_id).aggregate(
        looked_at=looked.ts.max(), fetched=(looked.kind == "miss").any()
    )
    window = ibis.window(group_by=[calls.source, calls.invocation_id], order_by=[calls.ts, calls.call_id])
    with_lag = calls.mutate(before_at=calls.invocation_id.notnull().ifelse(calls.ts.lag().over(window), ibis.null()))
    joined = with_lag.left_join(opened, "invocation_id").drop("invocation_id_right")
    joined = joined.left_join(looked, "invocation_id").drop("invocation_id_right")
    moments = [_not_after(joined[name], joined.ts) for name in ("opened_at", "looked_at", "before_at")]
    return joined.mutate(began=ibis.greatest(*moments), fetched=joined.fetched.fill_null(False)).drop(
        "opened_at", "looked_at", "before_at"
    )


def _not_after(moment: ir.TimestampColumn, ts: ir.TimestampColumn) -> ir.TimestampColumn:
    return (moment <= ts).ifelse(moment, ibis.null())
