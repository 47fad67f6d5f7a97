"""A fleet that is warm right now: twelve environments that hold prompts, and prefixes alive in the Claude cache."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from core.store.lake import Lake
from tests.support.rows import Row, make_call, make_invocation, make_pass, make_store_event, table_of

SOURCE = "bodo"
WARM = 12
HOSTILE = "<b>:red[x]</b> $1 & $2"
"""An engine name that tries to be HTML, a colour and a formula."""

CONFIG = f"""
[[sources]]
name = "{SOURCE}"
kind = "files"
paths = ["logs/*"]
[sources.clear]
prompt_table = "prompts"
epoch_seconds = 0
"""
"""A cachewise.toml that says how the fleet is cleared."""


def stream(number: int) -> str:
    """Name an environment as Lambda does."""
    return f"2026/11/20/[{1 + number % 2}]{number:08x}{'0' * 24}"


def line(kind: str, number: int, at: datetime, engine: str = "tutor", **more: object) -> Row:
    """One prompt-store line of an environment."""
    version = str(1 + number % 2)
    return make_store_event(
        kind, source=SOURCE, log_stream=stream(number), function_version=version, engine=engine, ts=at, **more
    )


def fill(folder: Path, *, now: datetime | None = None) -> Lake:
    """Write the tables into `folder` (the value of CACHEWISE_STORE_PATH) and return the lake."""
    now = now or datetime.now(UTC)
    lake = Lake(folder / "tables")
    lines: list[Row] = []
    for number in range(WARM):
        stored = now - timedelta(minutes=58 - number)
        lines.append(line("miss", number, stored, fetch_ms=130.0 + number))
        lines += [line("hit", number, stored + timedelta(minutes=n + 1)) for n in range(number)]
        if _holds(number, HOSTILE):
            lines.append(line("miss", number, stored, engine=HOSTILE, fetch_ms=180.0))
    lines.append(line("miss", WARM, now - timedelta(hours=5), fetch_ms=120.0))
    lake.commit("prompt_store_events", table_of("prompt_store_events", lines))
    seen = [
        make_invocation(
            source=SOURCE,
            log_stream=stream(number),
            ts=now - timedelta(minutes=3),
            function_version=str(1 + number % 2),
        )
        for number in range(WARM)
    ]
    lake.commit("invocations", table_of("invocations", seen))
    lake.commit("calls", table_of("calls", [call for n in range(6) for call in _calls(now - timedelta(minutes=n))]))
    lake.commit("ingest_passes", table_of("ingest_passes", [make_pass(ts=now, source=SOURCE, complete_until=now)]))
    return lake


def _calls(at: datetime) -> list[Row]:
    tutor = {"source": SOURCE, "ts": at, "engine": "tutor", "prefix_fingerprint": "a1b2c3d4e5f60718"}
    coach = {"source": SOURCE, "ts": at, "engine": "coach", "ts_kind": "end", "cache_ttl": "5m"}
    return [make_call(cache_read_tokens=6000, **tutor), make_call(cache_read_tokens=2200, **coach)]


def answer(lake: Lake, *numbers: int, at: datetime | None = None, kind: str = "miss") -> None:
    """Let environments answer after a clear, for every engine they held."""
    at = at or datetime.now(UTC) + timedelta(seconds=1)
    held = [(number, engine) for number in numbers for engine in ("tutor", HOSTILE) if _holds(number, engine)]
    rows = [line(kind, number, at, engine=engine) for number, engine in held]
    lake.commit("prompt_store_events", table_of("prompt_store_events", rows))


def _holds(number: int, engine: str) -> bool:
    return engine == "tutor" or number % 4 == 0


def create_prompt_table(client: Any) -> None:
    """Make the table that CONFIG names, in whatever DynamoDB the client speaks to."""
    client.create_table(
        TableName="prompts",
        KeySchema=[{"AttributeName": "engine", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "engine", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
