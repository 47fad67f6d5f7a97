"""When each call began: told by records, worked out for text lines, which are written at the end of a call.

A lifetime in the Claude cache counts from the start of a request. A text line's call cannot have begun before its
invocation did, before the prompt was looked up, or before the same invocation's previous call ended: the latest of
the three is taken. What the service does between that moment and the call (milliseconds, for bodo) is the error.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import ibis
import ibis.expr.types as ir

_LONGEST_INVOCATION = timedelta(minutes=16)


def before(start: datetime | None) -> datetime | None:
    """Return from when on invocations and prompt-store events are asked for: a Lambda timeout before the calls."""
    return None if start is None else start - _LONGEST_INVOCATION


def with_starts(calls: ir.Table, looked: ir.Table, opened: ir.Table) -> ir.Table:
    """Add `began` (the call may not have begun earlier; null when nothing tells) and `fetched` to calls.

    `fetched` says that the invocation read its prompt anew, from the table, before the call. `looked` are prompt-store
    events and `opened` invocations: those of the time of the calls, and of the time `before` it.
    """
    looked = looked.filter(looked.invocation_id.notnull() & (looked.kind != "clear"))
    fetched = looked.filter(looked.kind == "miss").select("invocation_id").distinct()
    told = calls.filter(calls.ts_kind.fill_null("") == "start")
    told = told.mutate(began=ibis.null("timestamp('UTC', 6)"))
    logged = _worked_out(calls.filter(calls.ts_kind.fill_null("") != "start"), looked, opened)
    whole = ibis.union(told, logged.select(*told.columns))
    marked = whole.left_join(fetched.mutate(fetched=True), "invocation_id")
    return marked.select(*whole.columns, fetched=marked.fetched.fill_null(False))


def _worked_out(calls: ir.Table, looked: ir.Table, opened: ir.Table) -> ir.Table:
    """Add the latest moment before which calls that were logged at their end cannot have begun."""
    opened = opened.group_by(opened.invocation_id).aggregate(opened_at=opened.ts.min())
    looked = looked.group_by(looked.invocation_id).aggregate(looked_at=looked.ts.max())
    window = ibis.window(group_by=[calls.source, calls.invocation_id], order_by=[calls.ts, calls.call_id])
    with_lag = calls.mutate(before_at=calls.invocation_id.notnull().ifelse(calls.ts.lag().over(window), ibis.null()))
    joined = with_lag.left_join(opened, "invocation_id").drop("invocation_id_right")
    joined = joined.left_join(looked, "invocation_id").drop("invocation_id_right")
    moments = [_not_after(joined[name], joined.ts) for name in ("opened_at", "looked_at", "before_at")]
    return joined.mutate(began=ibis.greatest(*moments))


def _not_after(moment: ir.TimestampColumn, ts: ir.TimestampColumn) -> ir.TimestampColumn:
    return (moment <= ts).ifelse(moment, ibis.null())
