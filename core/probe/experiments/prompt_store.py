"""The prompt store, as the service runs it: the first request misses and reads the table, the second hits and does not.

This is not the Claude cache, and nothing is asked of Claude. The store is a fresh one: the service's are not touched.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from core import aws, telemetry
from core.caching.prompt_store import FetchedPrompt, PromptStore
from core.caching.prompt_table import PromptTable
from core.probe.bench import Bench
from core.probe.model import Finding, Problem
from core.settings import Settings

_STAND_IN = "cachewise-probe"


@dataclass(slots=True)
class _Reader:
    """Counts the reads of a table, or of the memory that stands in for one."""

    fetch_from: Callable[[str], FetchedPrompt]
    engine: str
    table: str | None
    reads: int = 0

    def fetch(self, engine: str) -> FetchedPrompt:
        self.reads += 1
        return self.fetch_from(engine)


def run(bench: Bench) -> Finding:
    """Pass when the store says MISS, reads once and keeps, then says HIT and does not read."""
    reader = _reader(bench.settings)
    said: list[str] = []
    store = PromptStore(fetch=reader.fetch, say=said.append)
    bench.tell("reading a prompt twice through a new prompt store")
    first_ms, after_first = _timed(store, reader)
    second_ms, after_second = _timed(store, reader)
    stats = store.stats()
    evidence = {
        "reader": "dynamodb" if reader.table else "in-memory",
        "table": reader.table,
        "engine": reader.engine,
        "lines": said,
        "reads_after_first": after_first,
        "reads_after_second": after_second,
        "first_ms": first_ms,
        "second_ms": second_ms,
        "misses": stats["misses"],
        "hits": stats["hits"],
        "bytes": stats["bytes"],
    }
    expected = [
        telemetry.prompt_store_miss_line(reader.engine),
        telemetry.prompt_stored_line(reader.engine),
        telemetry.prompt_store_hit_line(reader.engine),
    ]
    if (said, after_first, after_second) != (expected, 1, 1):
        problem = Problem(
            "PRB-430", f"{after_second} reads for two requests; {stats['misses']} MISS, {stats['hits']} HIT."
        )
        return Finding("failed", "The prompt store did not keep the prompt.", evidence, problem)
    where = f"DynamoDB table {reader.table}" if reader.table else "in-memory reader: no table is configured"
    return Finding("passed", f"MISS with 1 read, then HIT with none ({where}).", evidence)


def _timed(store: PromptStore, reader: _Reader) -> tuple[float, int]:
    started = time.perf_counter()
    store.get(reader.engine)
    return round((time.perf_counter() - started) * 1000, 3), reader.reads


def _reader(settings: Settings) -> _Reader:
    """Return the configured table's reader; one in memory where no table or no engine is configured."""
    probe = settings.probe
    clears = [source.clear for source in settings.sources if source.clear is not None and source.clear.prompt_table]
    table = probe.prompt_table or (clears[0].prompt_table if clears else None)
    if table is None or probe.prompt_engine is None:
        return _Reader(lambda engine: FetchedPrompt(f"The prompt of {engine}.", "1"), _STAND_IN, None)
    own = probe.prompt_table is not None or not clears
    key, region = (probe.prompt_key, probe.region) if own else (clears[0].key_name, probe.region or clears[0].region)
    client = aws.client("dynamodb", timeout_s=2, attempts=1, region=region)
    return _Reader(PromptTable(table, key=key, client=client).fetch, probe.prompt_engine, table)
