"""Calls that no log tells of: the request ended without an answer's counts, yet it reached the Claude cache.

An invocation that looked its prompt up and then ran into Lambda's timeout, crashed or lost its stream has sent its
request: the prefix was written or its lifetime renewed, and only the line at the end is missing. Nothing is billed to
such a call here. Whether one really was sent, the next call's reading or writing may tell: core.ttl looks.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import ibis.expr.types as ir
import numpy as np
import pyarrow as pa

from core.store.query import Reader
from core.traffic.arrays import Coded, Ints, integers
from core.traffic.starts import before

_MOST = 0.1
"""More of an engine's requests than this do not fail by chance: then its calls are told where nobody sees whose
they are, or the prompt is looked up for something else."""


@dataclass(frozen=True, slots=True)
class Unseen:
    """When each call without an answer was sent, and the row of the call told next before it by the same engine."""

    start_ms: Ints
    like: Ints

    @classmethod
    def none(cls) -> Unseen:
        """Return no calls."""
        return cls(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))


def without_answer(reader: Reader, *, start: datetime | None = None, end: datetime | None = None) -> pa.Table:
    """Return (source, engine, began) of invocations that had a prompt in hand and told of no call."""
    since = before(start)
    asked = {
        "looked": ("prompt_store_events", since, end),
        "opened": ("invocations", since, end),
        "told": ("calls", since, end),
    }
    return reader.joined(asked, shape="requests without an answer", build=lambda rows: _quiet(**rows))


def _quiet(looked: ir.Table, opened: ir.Table, told: ir.Table) -> ir.Table:
    looked = looked.filter(looked.invocation_id.notnull() & looked.engine.notnull() & (looked.kind != "clear"))
    looked = looked.group_by(looked.invocation_id).aggregate(
        engine=looked.engine.max(), source=looked.source.max(), looked_at=looked.ts.max()
    )
    ended = opened.filter(opened.status.isin(["ok", "error", "timeout"]) & opened.duration_ms.notnull())
    told = told.filter(told.invocation_id.notnull()).select("invocation_id").distinct()
    quiet = looked.inner_join(ended.select("invocation_id").distinct(), "invocation_id")
    quiet = quiet.select("invocation_id", "source", "engine", "looked_at").anti_join(told, "invocation_id")
    return quiet.select("source", "engine", began=quiet.looked_at)


def placed(found: pa.Table, *, source: Coded, engine: Coded, start_ms: Ints) -> Unseen:
    """Give each unseen call the nearest earlier call of its engine and source, else the first one after it.

    The columns are those of the calls told, in the order of their starts.
    """
    if not found.num_rows:
        return Unseen.none()
    began = integers(found["began"]) // 1000
    pair = [np.array([_code(column, name) for name in found[key].to_pylist()], dtype=np.int64)
            for key, column in (("source", source), ("engine", engine))]  # fmt: skip
    known = (pair[0] >= 0) & (pair[1] >= 0)
    starts, likes = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int64)]
    for told_by, name in {*zip(pair[0][known].tolist(), pair[1][known].tolist(), strict=True)}:
        rows = np.flatnonzero((source.codes == told_by) & (engine.codes == name))
        at_ms = began[(pair[0] == told_by) & (pair[1] == name)]
        if len(at_ms) > _MOST * len(rows):
            continue
        before = np.searchsorted(start_ms[rows], at_ms, side="right") - 1
        starts.append(at_ms)
        likes.append(rows[np.maximum(before, 0)].astype(np.int64))
    return Unseen(np.concatenate(starts), np.concatenate(likes))


def _code(column: Coded, word: str | None) -> int:
    return column.values.index(word) if word in column.values else -1
