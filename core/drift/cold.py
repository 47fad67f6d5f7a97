"""How often a request had to wait for a new environment, and what that added to its response time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import ibis

from core.errors import FixSettings
from core.metrics.measure import number
from core.metrics.scope import Scope, rows_of
from core.store.query import Reader

GROUPS = ("source", "function_name", "function_version", "engine")


@dataclass(frozen=True, slots=True)
class ColdStarts:
    """Cold starts of one group: numerator and denominator, and the milliseconds they cost."""

    group: str | None
    invocations: int
    cold: int
    init_p50_ms: float | None  # Init or Restore Duration
    init_p95_ms: float | None
    init_total_ms: float
    penalty_ms: float | None  # median response time, cold less warm, engine by engine, weighted by cold starts

    @property
    def share(self) -> float | None:
        """Return cold starts ÷ invocations."""
        return self.cold / self.invocations if self.invocations else None

    @property
    def added_ms_per_request(self) -> float | None:
        """Return Σ Init or Restore Duration ÷ invocations: what cold starts cost the average request."""
        return self.init_total_ms / self.invocations if self.invocations else None

    def to_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        names = {name: getattr(self, name) for name in self.__slots__}
        return {
            **names,
            "share": self.share,
            "added_ms_per_request": self.added_ms_per_request,
        }


def cold_starts(reader: Reader, scope: Scope, by: str | None = None) -> list[ColdStarts]:
    """Return cold starts, whole or by source, function, version or engine; the costliest group first."""
    if by is not None and by not in GROUPS:
        raise FixSettings(
            f'"{by}" is not something to group cold starts by.',
            code="REG-001",
            mend=f"Accepted: {', '.join(GROUPS)}.",
            about=(by,),
        )
    if not scope.fits("invocations"):
        return []
    rows = rows_of(reader, "invocations", scope)
    rows = rows.filter((rows.status != "open") & rows.response_time_ms.notnull())
    cold = rows.cold.fill_null(False)
    rows = rows.mutate(
        member=rows[by] if by else ibis.literal("all"),
        is_cold=cold,
        waited=cold.ifelse(ibis.coalesce(rows.init_ms, rows.restore_ms), ibis.null("float64")),
    )
    found = rows.group_by(rows.member).aggregate(
        invocations=rows.count(),
        cold=number(rows.is_cold),
        init_p50_ms=rows.waited.quantile(0.5),
        init_p95_ms=rows.waited.quantile(0.95),
        init_total_ms=rows.waited.sum().fill_null(0.0),
    )
    penalties = _penalties(reader, rows)
    groups = [_cold_starts(row, penalties) for row in reader.rows(found)]
    return sorted(groups, key=lambda item: (-item.init_total_ms, item.group or ""))


def _cold_starts(row: dict[str, Any], penalties: dict[str | None, float]) -> ColdStarts:
    member = row.pop("member")
    return ColdStarts(group=member, penalty_ms=penalties.get(member), **row)


def _penalties(reader: Reader, rows: ibis.expr.types.Table) -> dict[str | None, float]:
    """Compare like with like: an engine with long answers and few cold starts would make cold starts look quick."""
    each = rows.group_by([rows.member, rows.engine]).aggregate(
        cold=number(rows.is_cold),
        cold_ms=rows.response_time_ms.quantile(0.5, where=rows.is_cold),
        warm_ms=rows.response_time_ms.quantile(0.5, where=~rows.is_cold),
    )
    sums: dict[str | None, tuple[float, int]] = {}
    for row in reader.rows(each):
        if row["cold_ms"] is None or row["warm_ms"] is None:
            continue
        total, count = sums.get(row["member"], (0.0, 0))
        sums[row["member"]] = (total + row["cold"] * (row["cold_ms"] - row["warm_ms"]), count + row["cold"])
    return {member: total / count for member, (total, count) in sums.items() if count}
