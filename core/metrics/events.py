"""Events to mark on a chart: deploys and clears of the prompt store."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import ibis.expr.types as ir

from core.metrics.scope import Scope, rows_of
from core.store.query import Reader


def markers(reader: Reader, scope: Scope) -> list[dict[str, Any]]:
    """Return {"ts", "kind": "deploy" | "clear", "label", "source"} in order of time.

    A deploy is the first time a function version is seen; the first version of a function only says where the
    data begins. Filters other than source and time do not hide markers: a deploy concerns every engine.
    """
    everywhere = Scope(start=scope.start, end=scope.end, sources=scope.sources)
    return sorted([*_deploys(reader, everywhere), *_clears(reader, everywhere)], key=lambda marker: marker["ts"])


def _deploys(reader: Reader, scope: Scope) -> list[dict[str, Any]]:
    """Look at all history: a version is new only where no earlier row has it."""
    first_seen: dict[tuple[str, str, str], datetime] = {}
    for table in ("invocations", "calls"):
        for row in reader.daily(table, shape="deploys", build=_versions):
            if scope.sources and row["source"] not in scope.sources:
                continue
            key = (row["source"], row["function_name"] or "", row["function_version"])
            first_seen[key] = min(row["first"], first_seen.get(key, row["first"]))
    begun: dict[tuple[str, str], datetime] = {}
    for (source, function, _), first in first_seen.items():
        begun[source, function] = min(first, begun.get((source, function), first))
    return [
        {"ts": first, "kind": "deploy", "label": f"{function} {version}".strip(), "source": source}
        for (source, function, version), first in first_seen.items()
        if first > begun[source, function] and _inside(first, scope)
    ]


def _versions(rows: ir.Table) -> ir.Table:
    told = rows.filter(rows.function_version.notnull() & (rows.function_version != "$LATEST"))
    return told.group_by(["date", "source", "function_name", "function_version"]).aggregate(first=told.ts.min())


def _clears(reader: Reader, scope: Scope) -> list[dict[str, Any]]:
    """Return one marker for each minute, source and engine: every warm environment logs its own clear."""
    rows = rows_of(reader, "prompt_store_events", scope)
    rows = rows.filter(rows.kind == "clear")
    found = rows.group_by(minute=rows.ts.truncate("m"), source=rows.source, engine=rows.engine).aggregate(
        ts=rows.ts.min()
    )
    return [
        {"ts": row["ts"], "kind": "clear", "label": row["engine"] or "all engines", "source": row["source"]}
        for row in reader.rows(found)
    ]


def _inside(moment: datetime, scope: Scope) -> bool:
    return (scope.start is None or moment >= scope.start) and (scope.end is None or moment < scope.end)
