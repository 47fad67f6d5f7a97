"""How long the page queries take on one million calls, against hand-written SQL over the same files.

Run by hand: `python -m benchmarks.page_queries [--calls 1000000] [--runs 7]`. Prints medians with the versions,
cores and memory they were measured with. Everything is written to a temporary folder and removed.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from core.metrics import (
    Which,
    breakdown,
    calls_page,
    calls_total,
    freshness,
    latency,
    latency_series,
    latest_calls,
    markers,
    options,
    pulse,
    series,
    store_series,
    summary,
)
from core.metrics.scope import Scope
from core.store.lake import Lake
from core.store.query import Reader
from core.store.schema import TABLES

DAYS = 30
START = datetime(2026, 10, 1, tzinfo=UTC)
ENGINES = np.array(["tutor", "quiz", "essay", "search", "voice", "summary", "grader", "planner"])
MODELS = np.array(["claude-opus-4-5", "claude-sonnet-4-5", "claude-haiku-4-5"])

# What a person who knows the files would write for the KPI row: the yardstick of `summary`.
KPI_SQL = """
SELECT count(*) FILTER (status <> 'error'), sum(input_tokens), sum(cache_read_tokens), sum(cache_write_5m_tokens),
       sum(cache_write_1h_tokens), sum(output_tokens), sum(prompt_tokens), sum(cost_usd), sum(no_cache_cost_usd),
       sum(gross_savings_usd), sum(write_premium_usd), sum(net_savings_usd),
       count(*) FILTER (cacheable), count(*) FILTER (cacheable AND cache_read_tokens > 0),
       count(*) FILTER (price_status = 'priced')
FROM read_parquet({files})
"""


def main() -> None:
    """Generate, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--calls", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=7)
    options_given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake(folder)
        began = time.perf_counter()
        written = generate(lake, options_given.calls)
        print(f"wrote {written:,} rows in {time.perf_counter() - began:.1f} s ({_size_mib(folder):.0f} MiB on disk)")
        _print_machine()
        with Reader(lake) as reader:
            _print_times(measure(reader, runs=options_given.runs), runs=options_given.runs)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"peak memory of this process, generation included: {peak:.0f} MiB")


def generate(lake: Lake, calls: int, *, start: datetime = START, days: int = DAYS) -> int:
    """Write as many invocations and prompt-store lookups as calls, a day at a time; return the rows."""
    rng = np.random.default_rng(20261001)
    per_day, rows = calls // days, 0
    for day in range(days):
        began = start + timedelta(days=day)
        rows += lake.commit("calls", calls_of_day(rng, began, per_day)).added
        rows += lake.commit("invocations", invocations_of_day(rng, began, per_day)).added
        rows += lake.commit("prompt_store_events", store_events_of_day(rng, began, per_day)).added
    return rows


def calls_of_day(rng: np.random.Generator, began: datetime, count: int) -> pa.Table:
    """Return one day of calls with plausible tokens and exact money."""
    read = np.where(rng.random(count) < 0.7, rng.integers(2_000, 9_000, count), 0)
    wrote = np.where(read == 0, rng.integers(2_000, 9_000, count), 0)
    plain, output = rng.integers(50, 900, count), rng.integers(20, 1_200, count)
    parts = {"input": plain * 5_000_000, "cache_read": read * 500_000, "cache_write_5m": read * 0}
    parts |= {"cache_write_1h": wrote * 10_000_000, "output": output * 25_000_000, "tools": read * 0}
    cost = sum(parts.values())
    gross, premium = read * 4_500_000, wrote * 5_000_000
    money = {f"{name}_cost_usd": value for name, value in parts.items()}
    money |= {"cost_usd": cost, "no_cache_cost_usd": cost + gross - premium, "gross_savings_usd": gross}
    money |= {"write_premium_usd": premium, "net_savings_usd": gross - premium}
    common, model = _common(rng, began, count, key="call_id"), MODELS[rng.integers(0, len(MODELS), count)]
    columns: dict[str, Any] = {
        **common,
        "id_kind": np.full(count, "message"),
        "ts_kind": np.full(count, "start"),
        "told_by": np.full(count, "record"),
        "invocation_id": _ids("invocation_id", began, count),
        "prefix_fingerprint": np.char.add(np.char.add(common["engine"], "/"), model),
        "model": model,
        "model_id": model,
        "provider": np.where(rng.random(count) < 0.9, "anthropic", "bedrock"),
        "status": np.where(rng.random(count) < 0.01, "error", "ok"),
        "price_status": np.full(count, "priced"),
        "price_row": np.full(count, "benchmark"),
        "cacheable": np.ones(count, bool),
        "caching_enabled": np.ones(count, bool),
        "cache_ttl": np.full(count, "1h"),
        "input_tokens": plain,
        "cache_read_tokens": read,
        "cache_write_5m_tokens": read * 0,
        "cache_write_1h_tokens": wrote,
        "prompt_tokens": plain + read + wrote,
        "output_tokens": output,
        "ttft_ms": rng.lognormal(6.5, 0.5, count),
        "latency_ms": rng.lognormal(8.0, 0.5, count),
        "row_rank": np.full(count, 3, np.int32),
    }
    return _table("calls", columns, {name: _usd(value) for name, value in money.items()})


def invocations_of_day(rng: np.random.Generator, began: datetime, count: int) -> pa.Table:
    """Return one day of invocations, one in fifty of them a cold start."""
    cold = rng.random(count) < 0.02
    duration, init = rng.lognormal(8.0, 0.5, count), np.where(cold, 900.0, 0.0)
    columns = {
        **_common(rng, began, count, key="invocation_id"),
        "status": np.full(count, "ok"),
        "duration_ms": duration,
        "init_ms": init,
        "cold": cold,
        "response_time_ms": duration + init,
        "row_rank": np.ones(count, np.int32),
    }
    return _table("invocations", columns, {})


def store_events_of_day(rng: np.random.Generator, began: datetime, count: int) -> pa.Table:
    """Return one day of prompt-store lookups."""
    miss = rng.random(count) < 0.03
    columns = {
        **_common(rng, began, count, key="event_key"),
        "kind": np.where(miss, "miss", "hit"),
        "fetch_ms": np.where(miss, rng.uniform(90, 210, count), np.nan),
        "row_rank": np.ones(count, np.int32),
    }
    return _table("prompt_store_events", columns, {})


def measure(reader: Reader, *, runs: int) -> dict[str, float]:
    """Return the median milliseconds of every page query, the yardstick first."""
    whole, week = Scope(), Scope(start=START + timedelta(days=DAYS - 7))
    zone, last = "Asia/Seoul", START + timedelta(days=DAYS, minutes=-1)
    queries: dict[str, Callable[[], object]] = {
        "baseline: KPI query by hand, all": lambda: _by_hand(reader),
        "summary, all": lambda: summary(reader, whole),
        "summary, 7 days": lambda: summary(reader, week),
        "breakdown by engine, all": lambda: breakdown(reader, whole, ["engine"]),
        "breakdown by engine, model, day, all": lambda: breakdown(reader, whole, ["engine", "model", "day"]),
        "series by hour, all": lambda: series(reader, whole, "hour", zone=zone),
        "series by hour and engine, all": lambda: series(reader, whole, "hour", "engine", zone),
        "series by 5 minutes, 7 days": lambda: series(reader, week, "5m", zone=zone),
        "prompt store by day, all": lambda: store_series(reader, whole, "day", zone=zone),
        "latency, all": lambda: latency(reader, whole),
        "latency by engine, all": lambda: latency(reader, whole, "engine"),
        "latency by hour, all": lambda: latency_series(reader, whole, "hour", zone),
        "markers, all": lambda: markers(reader, whole),
        "options": lambda: options(reader),
        "freshness": lambda: freshness(reader),
        "latest 500 calls, all": lambda: calls_page(reader, whole),
        "live: newest 50 calls": lambda: latest_calls(reader, whole, 50, last),
        "live: pulse": lambda: pulse(reader, last, last, zone),
        "calls page: total of priced calls, 7 days": lambda: calls_total(reader, week, Which(priced=True)),
    }
    return {name: _median_ms(query, runs) for name, query in queries.items()}


def _common(rng: np.random.Generator, began: datetime, count: int, *, key: str) -> dict[str, Any]:
    offsets = np.sort(rng.integers(0, 86_400_000_000, count))
    moments = np.datetime64(began.replace(tzinfo=None), "us") + offsets.astype("timedelta64[us]")
    day = f"{began:%Y%m%d}"
    return {
        key: _ids(key, began, count),
        "ts": pa.array(moments).cast(pa.timestamp("us", tz="UTC")),
        "source": np.full(count, "bodo"),
        "log_stream": np.char.add("stream_", rng.integers(0, 40, count).astype(str)),
        "event_id": np.char.add(f"3{day}", np.arange(count).astype(str)),
        "function_name": np.full(count, "bodo-ws"),
        "function_version": np.full(count, str(1 + began.day // 10)),
        "engine": ENGINES[rng.integers(0, len(ENGINES), count)],
    }


def _ids(key: str, began: datetime, count: int) -> np.ndarray:
    return np.char.add(f"{key}_{began:%Y%m%d}_", np.arange(count).astype(str))


def _table(name: str, columns: dict[str, Any], money: dict[str, pa.Array]) -> pa.Table:
    schema = TABLES[name]
    count = len(columns["source"])
    given = {column: pa.array(values) for column, values in columns.items()} | money
    filled = [given[f.name].cast(f.type) if f.name in given else pa.nulls(count, f.type) for f in schema]
    return pa.table(filled, schema=schema)


def _usd(pico: np.ndarray) -> pa.Array:
    """Return whole picodollars as DECIMAL(18,12), exactly."""
    low_high = np.empty((len(pico), 2), np.int64)
    low_high[:, 0], low_high[:, 1] = pico, np.where(pico < 0, -1, 0)
    return pa.Array.from_buffers(pa.decimal128(18, 12), len(pico), [None, pa.py_buffer(low_high.tobytes())])


def _by_hand(reader: Reader) -> object:
    files = reader.lake.snapshot("calls")
    return reader.sql(KPI_SQL.format(files=files)).to_pylist()


def _median_ms(query: Callable[[], object], runs: int) -> float:
    query()
    times = []
    for _ in range(runs):
        began = time.perf_counter()
        query()
        times.append((time.perf_counter() - began) * 1000)
    return statistics.median(times)


def _print_machine() -> None:
    parts = [f"{name} {version(name)}" for name in ("duckdb", "deltalake", "ibis-framework", "pyarrow")]
    print(f"python {platform.python_version()}, {', '.join(parts)}; {os.cpu_count()} cores, {sys.platform}")


def _print_times(times: dict[str, float], *, runs: int) -> None:
    baseline = next(iter(times.values()))
    print(f"{'query':<40} {'median ms':>10} {'× baseline':>11}   ({runs} runs after one to warm up)")
    for name, value in times.items():
        print(f"{name:<40} {value:>10.0f} {value / baseline:>11.1f}")


def _size_mib(folder: str) -> float:
    return sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file()) / 2**20


if __name__ == "__main__":
    main()
