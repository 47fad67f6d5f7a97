"""The probes that were made: kept one row per experiment, read newest first, and the latest word for Data health."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa

from core.probe.model import ExperimentResult, ProbeReport
from core.store.lake import Lake
from core.store.query import Reader
from core.store.schema import TABLES

Row = dict[str, Any]
_BAD = ("failed", "not_run", "inconclusive", "passed")  # the worst first


def keep(lake: Lake, report: ProbeReport) -> None:
    """Write one row per experiment, in one commit."""
    rows = [_row(report, result) for result in report.results]
    lake.commit("probes", pa.Table.from_pylist(rows, schema=TABLES["probes"]))


def history(reader: Reader, limit: int = 200, *, experiment: str | None = None) -> list[Row]:
    """Return the newest results first: the table's columns, with `evidence` as a dict in place of its JSON."""
    rows = reader.table("probes")
    if experiment is not None:
        rows = rows.filter(rows.experiment == experiment)
    ordered = rows.order_by([rows.ts.desc(), rows.probe_id]).limit(limit)
    return [_told(row) for row in reader.rows(ordered)]


def latest_run(reader: Reader, *, started_by: str | None = None) -> Row | None:
    """Return the newest run in one row, for Data health: its worst verdict, first problem, and what was spent.

    Keys: run_id, ts, finished_at, started_by, suite, verdict, passed, experiments, error_code, error_message, provider,
    model, base_url, simulated, requests, spent_usd, results (its rows, in the order of the run). None: never probed.
    """
    rows = reader.table("probes")
    if started_by is not None:
        rows = rows.filter(rows.started_by == started_by)
    newest = reader.rows(rows.order_by(rows.ts.desc()).limit(1))
    if not newest:
        return None
    own = reader.table("probes")
    own = own.filter(own.run_id == newest[0]["run_id"])
    return _run_of([_told(row) for row in reader.rows(own.order_by([own.ts, own.probe_id]))])


def _run_of(results: list[Row]) -> Row:
    first = results[0]
    troubled = [row for row in results if row["error_code"] is not None]
    worst = min((row["verdict"] for row in results), key=_BAD.index)
    shared = ("run_id", "ts", "started_by", "suite", "provider", "model", "base_url", "simulated", "budget_usd")
    return {
        **{name: first[name] for name in shared},
        "finished_at": max(row["finished_at"] for row in results),
        "verdict": worst,
        "passed": sum(row["verdict"] == "passed" for row in results),
        "experiments": len(results),
        "error_code": troubled[0]["error_code"] if troubled else None,
        "error_message": troubled[0]["error_message"] if troubled else None,
        "requests": sum(row["requests"] for row in results),
        "spent_usd": sum((row["spent_usd"] for row in results), Decimal(0)),
        "results": results,
    }


def _row(report: ProbeReport, result: ExperimentResult) -> Row:
    plan, problem = report.plan, result.problem
    return {
        "date": result.started_at.astimezone(UTC).date(),
        "probe_id": f"{plan.run_id}/{result.experiment}",
        "run_id": plan.run_id,
        "ts": result.started_at,
        "finished_at": result.finished_at,
        "started_by": plan.started_by,
        "suite": plan.suite,
        "experiment": result.experiment,
        "verdict": result.verdict,
        "summary": result.summary,
        "error_code": problem.code if problem else None,
        "error_message": problem.message if problem else None,
        "provider": plan.target.provider,
        "model": plan.target.model,
        "base_url": plan.target.shown_url,
        "simulated": report.simulated,
        "cache_ttl": plan.target.cache_ttl,
        "requests": result.requests,
        "estimate_usd": result.estimate_usd,
        "spent_usd": result.spent_usd,
        "spent_exact": result.spent_exact,
        "budget_usd": plan.budget_usd,
        "price_book": plan.price_book,
        "evidence_json": evidence_json(result.evidence),
    }


def evidence_json(evidence: Mapping[str, Any]) -> str:
    """Write the figures as JSON; dollars as decimal strings."""
    return json.dumps(evidence, ensure_ascii=False, default=_plain)


def _plain(value: object) -> str:
    if isinstance(value, Decimal):
        return f"{value:f}"
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _told(row: Row) -> Row:
    evidence = row.pop("evidence_json")
    return {**row, "evidence": json.loads(evidence) if evidence else {}}
