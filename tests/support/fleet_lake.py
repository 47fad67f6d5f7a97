"""A small lake with something of everything the pages show: gains, a loss, an unpriced model, cold starts, a deploy."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from core.store.lake import Lake
from tests.support.rows import (
    Row,
    make_call,
    make_failed_call,
    make_invocation,
    make_pass,
    make_store_event,
    make_unpriced_call,
    table_of,
)

HOSTILE = '=HYPERLINK("http://x") <b>:red[x]</b> [a](b) $1 & %{y}'
"""An engine name that tries to be a formula, HTML, Markdown, a colour and a Plotly template."""

PRICE_ROW = "anthropic/claude-opus-4-5/2025-11-24"
DAYS = 16
CALLS_A_DAY = 24


def fill(folder: Path, *, now: datetime | None = None) -> Lake:
    """Write the tables into `folder` (the value of CACHEWISE_STORE_PATH) and return the lake."""
    now = (now or datetime.now(UTC)).replace(second=0, microsecond=0)
    lake = Lake(folder / "tables")
    # Two seconds less than an hour apart: no write can be taken for one whose entry had lived its hour out.
    moments = [now - timedelta(hours=24 / CALLS_A_DAY * n, seconds=-2 * n) for n in range(1, DAYS * CALLS_A_DAY)]
    lake.commit("calls", table_of("calls", [row for n, ts in enumerate(moments) for row in _calls(n, ts, now)]))
    lake.commit("invocations", table_of("invocations", [_invocation(n, ts, now) for n, ts in enumerate(moments)]))
    events = [_store_event(n, ts) for n, ts in enumerate(moments)]
    lake.commit("prompt_store_events", table_of("prompt_store_events", events))
    lake.commit("ingest_passes", table_of("ingest_passes", [make_pass(ts=now, complete_until=now)]))
    return lake


def _version(ts: datetime, now: datetime) -> str:
    return "2" if now - ts < timedelta(days=3) else "1"


def _calls(n: int, ts: datetime, now: datetime) -> list[Row]:
    common: dict[str, Any] = {"ts": ts, "function_version": _version(ts, now)}
    rows = [
        make_call(
            engine="tutor",
            **common,
            input_tokens=120,
            cache_read_tokens=0 if n % 8 == 0 else 5000,
            cache_write_1h_tokens=5000 if n % 8 == 0 else 0,
            output_tokens=180,
            price_row=PRICE_ROW,
            ttft_ms=900.0 if n % 8 == 0 else 420.0,
            latency_ms=2500.0,
        )
    ]
    if n % 3 == 0:
        rows.append(make_call(engine="writer", tenant=HOSTILE, **common, input_tokens=90, cache_write_5m_tokens=2400))
    if n % 6 == 0:
        rows.append(make_call(engine=HOSTILE, **common, input_tokens=800, cacheable=False))
    if n % 20 == 0:
        rows.append(make_unpriced_call(engine="tutor", **common))
    if n % 40 == 0:
        rows.append(make_failed_call(engine="tutor", **common))
    return rows


def _invocation(n: int, ts: datetime, now: datetime) -> Row:
    cold = n % 12 == 0
    return make_invocation(
        ts=ts,
        engine="tutor",
        function_version=_version(ts, now),
        cold=cold,
        init_ms=1400.0 if cold else None,
        duration_ms=1800.0 + 40 * (n % 25),
    )


def _store_event(n: int, ts: datetime) -> Row:
    kind = "clear" if n == 100 else "miss" if n % 12 == 0 else "hit"
    return make_store_event(kind, ts=ts, engine="tutor")
