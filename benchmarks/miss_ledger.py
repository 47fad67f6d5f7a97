"""How long the miss ledger and the TTL Lab take over a lake of a million calls, reading included."""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from core import misses, ttl
from core.metrics.scope import Scope
from core.pricing import default_book
from core.store.lake import Lake
from core.store.query import Reader
from core.traffic import load
from tests.support.truth import live

NOW_MS = int(datetime(2026, 11, 23, 3, tzinfo=UTC).timestamp()) * 1000


def multiply(small: Lake, folder: Path, times: int) -> Lake:
    """Write the fleet's tables `times` over, each copy with engines, ids and invocations of its own."""
    large = Lake(folder)
    with Reader(small) as reader:
        for table in ("calls", "invocations", "prompt_store_events"):
            rows = reader.run(reader.table(table))
            copies = [_copy(rows, number) for number in range(times)]
            large.commit(table, pa.concat_tables(copies))
    return large


def _copy(rows: pa.Table, number: int) -> pa.Table:
    for name in ("call_id", "event_key", "invocation_id", "engine"):
        if name in rows.column_names:
            renamed = pc.binary_join_element_wise(rows[name], str(number), "-")
            rows = rows.set_column(rows.column_names.index(name), name, renamed)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=24)
    parser.add_argument("--days", type=int, default=15)
    given = parser.parse_args()
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as folder:
        small = live(Path(folder) / "small", seed=7, days=given.days, now_ms=NOW_MS).lake
        lake = multiply(small, Path(folder) / "large", given.times)
        with Reader(lake) as reader:
            for _ in range(2):
                began = time.perf_counter()
                traffic = load(reader, Scope(), default_book())
                read = time.perf_counter()
                lines = misses.of_traffic(traffic)
                judged = time.perf_counter()
                misses.recoverable(lines, ttl.advise(ttl.of_traffic(traffic)))
                advised = time.perf_counter()
                print(
                    f"{len(traffic):,} calls: read {read - began:.2f} s, ledger {judged - read:.2f} s, "
                    f"TTL Lab and what is recoverable {advised - judged:.2f} s"
                )


if __name__ == "__main__":
    main()
