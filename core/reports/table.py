"""The rows of a report: one for each group, and the total, with every metric flat and named with its unit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from core.metrics import breakdown, summary
from core.metrics.aggregate import COLUMNS
from core.metrics.catalog import METRICS
from core.metrics.invocations import QUANTILE_NAMES
from core.metrics.scope import Scope
from core.store.query import Reader

_SPREAD = "response_time_ms"
_ARROW = {"count": pa.int64(), "tokens": pa.int64(), "usd": pa.decimal128(38, 12)}
_UNITS = {"usd": "USD", "tokens per token": "tokens/token"}


@dataclass(frozen=True, slots=True)
class Report:
    """Groups and total of one scope; `units` names the metric columns in order."""

    by: tuple[str, ...]
    units: Mapping[str, str]
    groups: list[dict[str, Any]]
    total: dict[str, Any]

    def arrow(self) -> pa.Table:
        """Return the groups as Arrow, dollars as DECIMAL(38,12); the total is their sum, so it is no row here."""
        kinds = [pa.field(name, _group_type(name)) for name in self.by]
        fields = [pa.field(name, _ARROW.get(unit, pa.float64())) for name, unit in self.units.items()]
        return pa.Table.from_pylist(self.groups, schema=pa.schema([*kinds, *fields]))


def build(reader: Reader, scope: Scope, by: Sequence[str], *, zone: str = "UTC") -> Report:
    """Ask the metrics of the scope by group, and whole: a report has no arithmetic of its own."""
    total = summary(reader, scope)
    flat = _flat(total)
    units = {name: _unit(name) for name in flat}
    groups = [
        {name: row[name] for name in by} | _flat(row) for row in (breakdown(reader, scope, by, zone=zone) if by else [])
    ]
    return Report(tuple(by), units, groups, flat)


def heading(name: str, unit: str) -> str:
    """Return a column's heading with its unit, such as "cost_usd [USD]"."""
    return f"{name} [{_UNITS.get(unit, unit)}]"


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name in METRICS:
        if name == _SPREAD:
            flat |= {f"response_time_{level}_ms": row[name][level] for level in QUANTILE_NAMES}
        elif name in row:
            flat[name] = row[name]
    return flat


def _unit(name: str) -> str:
    return METRICS[name].unit if name in METRICS else "ms"


def _group_type(name: str) -> pa.DataType:
    if name in COLUMNS:
        return pa.string()
    return pa.date32() if name == "day" else pa.timestamp("us", tz="UTC")
