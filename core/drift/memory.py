"""How full environments are, and what part of it is the prompt store.

REPORT lines tell the memory of the whole environment. What the prompt store holds is in the records that our client
writes; text lines do not tell it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import ibis

from core.metrics.scope import Scope, rows_of
from core.store.query import Reader

NEAR = 0.9
"""From this share of the configured memory on, an environment is close to being killed."""


@dataclass(frozen=True, slots=True)
class MemoryUse:
    """Memory of one function version's environments, by their REPORT lines."""

    source: str
    function_name: str | None
    function_version: str | None
    environments: int
    memory_mb: int  # configured
    used_p50_mb: float  # of the most each environment used
    used_p95_mb: float
    used_max_mb: int
    growth_mb_per_hour: (
        float | None
    )  # median over environments that lived an hour; a prompt store that fills shows here
    store_max_bytes: int | None  # the most that prompts took in one environment; None: no record tells

    @property
    def headroom_mb(self) -> int:
        """Return what is left above the fullest environment."""
        return self.memory_mb - self.used_max_mb

    @property
    def near_limit(self) -> bool:
        """Say whether the fullest environment is close to its limit."""
        return self.used_max_mb >= NEAR * self.memory_mb

    def to_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        names = {name: getattr(self, name) for name in self.__slots__}
        return {**names, "headroom_mb": self.headroom_mb, "near_limit": self.near_limit}


def memory(reader: Reader, scope: Scope) -> list[MemoryUse]:
    """Return memory used against memory configured, the least headroom first. Nothing when a filter does not fit."""
    if not scope.fits("invocations"):
        return []
    rows = rows_of(reader, "invocations", scope)
    rows = rows.filter(rows.max_memory_mb.notnull() & (rows.memory_mb > 0) & rows.log_stream.notnull())
    keys = [rows.source, rows.function_name, rows.function_version]
    each = rows.group_by([*keys, rows.log_stream]).aggregate(
        configured=rows.memory_mb.max(),
        used=rows.max_memory_mb.max(),
        began=rows.max_memory_mb.first(order_by=rows.ts),
        hours=(rows.ts.max().epoch_seconds() - rows.ts.min().epoch_seconds()) / 3600,
    )
    lived = (each.hours >= 1).ifelse((each.used - each.began) / each.hours, ibis.null("float64"))
    found = each.group_by([each.source, each.function_name, each.function_version]).aggregate(
        environments=each.count(),
        memory_mb=each.configured.max(),
        used_p50_mb=each.used.quantile(0.5),
        used_p95_mb=each.used.quantile(0.95),
        used_max_mb=each.used.max(),
        growth_mb_per_hour=lived.quantile(0.5),
    )
    stores = _stores(reader, scope)
    uses = [
        MemoryUse(**row, store_max_bytes=stores.get((row["source"], row["function_name"], row["function_version"])))
        for row in reader.rows(found)
    ]
    return sorted(uses, key=lambda use: (use.headroom_mb / use.memory_mb, use.source, use.function_version or ""))


def _stores(reader: Reader, scope: Scope) -> dict[tuple[str | None, ...], int]:
    """Return the largest prompt store that records tell of, by source, function and version."""
    rows = rows_of(reader, "calls", scope)
    rows = rows.filter(rows.prompt_store_bytes.notnull())
    keys = [rows.source, rows.function_name, rows.function_version]
    found = reader.rows(rows.group_by(keys).aggregate(most=rows.prompt_store_bytes.max()))
    return {(row["source"], row["function_name"], row["function_version"]): row["most"] for row in found}
