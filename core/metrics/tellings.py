"""Who told the calls, what their lines left to the settings, and where two tellings of one call disagree."""

from __future__ import annotations

from typing import Any

import ibis.expr.types as ir

from core.metrics.coverage import DEFAULTS
from core.metrics.scope import Scope, asked
from core.store.query import Reader
from core.store.schema import DIFFERS

MOST_EXAMPLES = 50


def tellings(reader: Reader, scope: Scope) -> list[dict[str, Any]]:
    """Return one row for each source and format, most calls first.

    `model_by_defaults`, `ttl_by_defaults`: calls whose own line does not say it, so that the source's defaults do.
    `told_twice`: calls that another format told too; `disagreeing`: those of them whose counts differ.
    `suspected_redeliveries`: lines that look delivered twice; they count, for nothing proves it.
    `price_check_agrees`, `_other`, `_differs`: what the dollars in the line itself say of the price given.
    """
    if not scope.fits("calls"):
        return []
    rows = asked(reader, "calls", scope, shape="tellings", build=_by_teller)
    return sorted(rows, key=lambda row: (-row["calls"], str(row["source"]), str(row["told_by"])))


def disagreements(reader: Reader, scope: Scope, limit: int = MOST_EXAMPLES) -> list[dict[str, Any]]:
    """Return the latest calls that two formats tell differently, with the note that names every `difference`."""
    if not scope.fits("calls"):
        return []
    return asked(
        reader, "calls", scope, shape=f"disagreements/{limit}", build=lambda rows: _latest_differing(rows, limit)
    )


def _by_teller(rows: ir.Table) -> ir.Table:
    check = rows.price_check
    return rows.group_by(["source", "told_by"]).aggregate(
        calls=rows.count(),
        cost_usd=rows.cost_usd.sum(),
        model_by_defaults=rows.count(where=rows.model_known_by == DEFAULTS),
        ttl_by_defaults=rows.count(where=rows.ttl_known_by == DEFAULTS),
        told_twice=rows.count(where=rows.checked_by.notnull()),
        disagreeing=rows.count(where=_differs(rows)),
        suspected_redeliveries=rows.count(where=rows.suspected_redelivery),
        price_check_agrees=rows.count(where=check == "agrees"),
        price_check_other=rows.count(where=check.startswith("other:")),
        price_check_differs=rows.count(where=check == "differs"),
        last_ts=rows.ts.max(),
    )


def _latest_differing(rows: ir.Table, limit: int) -> ir.Table:
    told = rows.filter(_differs(rows))
    chosen = told.select(
        "ts", "source", "call_id", "told_by", "checked_by", "check_note", "cost_usd",
        difference=told.check_note.substr(len(DIFFERS)),
    )  # fmt: skip
    return chosen.order_by([chosen.ts.desc(), chosen.call_id]).limit(limit)


def _differs(rows: ir.Table) -> ir.BooleanColumn:
    return rows.check_note.startswith(DIFFERS)
