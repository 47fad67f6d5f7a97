"""How fast a table is priced: the columnar path against the scalar one, in the same run, on one core.

Run: `python benchmarks/bulk_pricing.py [ROWS]`. Prints medians with versions, cores and rows.
"""

from __future__ import annotations

import os
import platform
import random
import statistics
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy
import pyarrow as pa

from core.pricing import default_book, price_usage
from core.pricing.bulk import price_table
from core.usage import Usage

REPEATS = 5
SCALAR_ROWS = 50_000
MODELS = (
    ("anthropic", "claude-opus-4-5"),
    ("anthropic", "claude-haiku-5-5"),
    ("anthropic", "claude-sonnet-5-5"),
    ("bedrock", "us.anthropic.claude-opus-4-5-20251101-v1:0"),
    ("bedrock", "global.anthropic.claude-opus-5"),
    ("anthropic", "a-model-nobody-knows"),
)


def calls(rows: int) -> pa.Table:
    """Build a mixed table: six models, 90 days, tiers, speeds, geographies, prompt sizes."""
    draw = random.Random(7)
    start = datetime(2026, 8, 25, tzinfo=UTC)
    picks = [draw.choice(MODELS) for _ in range(rows)]
    return pa.table(
        {
            "provider": [provider for provider, _ in picks],
            "model": [model for _, model in picks],
            "ts": pa.array(
                [start + timedelta(seconds=draw.randrange(90 * 86400)) for _ in range(rows)],
                pa.timestamp("us", tz="UTC"),
            ),
            "input_tokens": [draw.randrange(2_000) for _ in range(rows)],
            "cache_read_tokens": [draw.choice((0, 6_000, 150_000)) for _ in range(rows)],
            "cache_write_5m_tokens": [draw.choice((0, 0, 900)) for _ in range(rows)],
            "cache_write_1h_tokens": [draw.choice((0, 0, 6_000)) for _ in range(rows)],
            "output_tokens": [draw.randrange(1_500) for _ in range(rows)],
            "web_search_requests": [draw.choice((0, 0, 0, 2)) for _ in range(rows)],
            "service_tier": [draw.choice(("standard", "standard", "batch")) for _ in range(rows)],
            "speed": [draw.choice((None, "standard")) for _ in range(rows)],
            "inference_geo": [draw.choice((None, "global", "us")) for _ in range(rows)],
            "stop_reason": [draw.choice(("end_turn", "end_turn", "refusal")) for _ in range(rows)],
        }
    )


def seconds(work: Callable[[], object]) -> float:
    """Return the median duration of a few runs."""
    times = []
    for _ in range(REPEATS):
        begun = time.perf_counter()
        work()
        times.append(time.perf_counter() - begun)
    return statistics.median(times)


def main() -> None:
    """Measure both paths on the same rows and print their rates and ratio."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    pa.set_cpu_count(1)
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    table, book = calls(rows), default_book()
    few = table.slice(0, min(SCALAR_ROWS, rows)).to_pylist()
    wanted = ("input_tokens", "cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens", "output_tokens")
    more = ("web_search_requests", "service_tier", "speed", "inference_geo")

    def scalar() -> list[object]:
        return [
            price_usage(
                book,
                Usage(**{name: row[name] for name in (*wanted, *more)}),
                provider=row["provider"],
                model=row["model"],
                at=row["ts"],
                stop_reason=row["stop_reason"],
            ).cost_usd
            for row in few
        ]

    same = scalar() == price_table(book, table.slice(0, len(few))).column("cost_usd").to_pylist()
    columnar_rate = rows / seconds(lambda: price_table(book, table))
    scalar_rate = len(few) / seconds(scalar)
    print(f"python {platform.python_version()}, pyarrow {pa.__version__}, numpy {numpy.__version__}")
    print(f"cores: {os.cpu_count()}, used: 1; medians of {REPEATS} runs")
    print(f"columnar: {columnar_rate:,.0f} calls/s over {rows:,} rows")
    print(f"scalar:   {scalar_rate:,.0f} calls/s over {len(few):,} rows")
    print(f"ratio:    {columnar_rate / scalar_rate:.1f}; equal to the last digit: {'yes' if same else 'NO'}")
    sys.exit(0 if same else 1)


if __name__ == "__main__":
    main()
