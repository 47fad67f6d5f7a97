"""The reconciliations that were made: a row for each run and provider, so that a page can show the last one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa

from core.reconcile.model import Line, Provider, Reconciliation, Totals
from core.store.lake import Lake
from core.store.query import Reader
from core.store.schema import TABLES

_FIGURES = ("own_tokens", "billed_tokens", "unlogged_tokens", "own_usd", "list_usd", "amount_usd")
_TOTALS = tuple(name for name in Totals.__slots__)
_LINE = tuple(name for name in Line.__slots__)
_MONEY = ("own_usd", "list_usd", "amount_usd")


def keep(lake: Lake, found: Reconciliation, *, ts: datetime, actor: str, price_book: str) -> None:
    """Write a reconciliation down."""
    settled = len({line.day for line in found.lines} - set(found.provisional_days))
    row = {
        "date": ts.astimezone(UTC).date(),
        "run_id": f"{ts.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}/{found.provider}",
        "ts": ts,
        "actor": actor,
        "provider": found.provider,
        "via": found.via,
        "simulated": found.simulated,
        "endpoint": found.endpoint,
        "first_day": found.start,
        "last_day": found.end - timedelta(days=1),
        "settled_days": settled,
        **{name: getattr(found.total, name) for name in _FIGURES},
        "gaps": ",".join(found.gaps),
        "price_book": price_book,
        "result_json": json.dumps(to_json(found), ensure_ascii=False),
    }
    lake.commit("reconciliations", pa.Table.from_pylist([row], schema=TABLES["reconciliations"]))


def latest(reader: Reader, provider: Provider) -> tuple[Mapping[str, Any], Reconciliation] | None:
    """Return the newest run of a provider: its row, and what it found. None: nobody has reconciled yet."""
    rows = reader.table("reconciliations")
    found = reader.rows(rows.filter(rows.provider == provider).order_by(rows.ts.desc()).limit(1))
    return (found[0], from_json(json.loads(found[0]["result_json"]))) if found else None


def history(reader: Reader, limit: int = 100) -> list[dict[str, Any]]:
    """Return the newest runs first, without their lines."""
    rows = reader.table("reconciliations")
    return reader.rows(rows.drop("result_json").order_by([rows.ts.desc(), rows.provider]).limit(limit))


def to_json(found: Reconciliation) -> dict[str, Any]:
    """Return a reconciliation as plain values, exact: dollars are decimal strings."""
    return {
        "provider": found.provider,
        "via": found.via,
        "from": found.start.isoformat(),
        "to": found.end.isoformat(),
        "basis": found.basis,
        "simulated": found.simulated,
        "endpoint": found.endpoint,
        "provisional_days": [day.isoformat() for day in found.provisional_days],
        "gaps": list(found.gaps),
        "refreshed_at": _moment(found.refreshed_at),
        "own_complete_until": _moment(found.own_complete_until),
        "unpriced_calls": found.unpriced_calls,
        "incomplete_calls": found.incomplete_calls,
        "priority_calls": found.priority_calls,
        "total": _plain(found.total.to_json()),
        "by_type": [
            {"model": model, "token_type": token_type, **_plain(totals.to_json())}
            for (model, token_type), totals in found.by_type
        ],
        "by_day": [{"day": day.isoformat(), **_plain(totals.to_json())} for day, totals in found.by_day],
        "lines": [_plain({name: getattr(line, name) for name in _LINE}) for line in found.lines],
    }


def from_json(told: Mapping[str, Any]) -> Reconciliation:
    """Return what `to_json` wrote down."""
    basis = told["basis"]
    return Reconciliation(
        provider=told["provider"],
        via=told["via"],
        start=date.fromisoformat(told["from"]),
        end=date.fromisoformat(told["to"]),
        basis=basis,
        lines=tuple(
            Line(**{**{name: _read(name, row[name]) for name in _LINE}, "day": date.fromisoformat(row["day"])})
            for row in told["lines"]
        ),
        total=_totals(told["total"], basis),
        by_type=tuple(((row["model"], row["token_type"]), _totals(row, basis)) for row in told["by_type"]),
        by_day=tuple((date.fromisoformat(row["day"]), _totals(row, basis)) for row in told["by_day"]),
        provisional_days=tuple(date.fromisoformat(day) for day in told["provisional_days"]),
        gaps=tuple(told["gaps"]),
        refreshed_at=_read_moment(told["refreshed_at"]),
        own_complete_until=_read_moment(told["own_complete_until"]),
        unpriced_calls=told["unpriced_calls"],
        incomplete_calls=told["incomplete_calls"],
        priority_calls=told["priority_calls"],
        endpoint=told["endpoint"],
        simulated=told["simulated"],
    )


def _totals(row: Mapping[str, Any], basis: Any) -> Totals:
    return Totals(**{name: _read(name, row[name]) for name in _TOTALS if name != "basis"}, basis=basis)


def _read(name: str, value: Any) -> Any:
    return Decimal(value) if name in _MONEY and value is not None else value


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: format(value, "f")
        if isinstance(value, Decimal)
        else value.isoformat()
        if isinstance(value, date)
        else value
        for name, value in row.items()
    }


def _moment(value: datetime | None) -> str | None:
    return None if value is None else value.astimezone(UTC).isoformat()


def _read_moment(value: str | None) -> datetime | None:
    return None if value is None else datetime.fromisoformat(value)
