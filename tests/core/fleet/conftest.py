"""A lake with a warm fleet: two environments with both engines, one with one, and one that was not seen for long."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from core.settings import ClearSettings, SourceSettings
from core.store.lake import Lake
from core.store.query import Reader
from tests.support.rows import NOON, Row, make_invocation, make_store_event, table_of

SOURCE = SourceSettings(
    name="bodo",
    kind="files",
    paths=("logs/*",),
    clear=ClearSettings(prompt_table="prompts", function_name="bodo-ws", epoch_seconds=30),
)


def minutes(count: float) -> datetime:
    """The moment so many minutes after noon."""
    return NOON + timedelta(minutes=count)


def line(kind: str, stream: str, engine: str, at: datetime, **more: object) -> Row:
    """One line of a prompt store."""
    return make_store_event(kind, log_stream=stream, engine=engine, ts=at, **more)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """The tables of the warm fleet; "now" is noon."""
    lake = Lake(tmp_path / "tables")
    lines = [
        *(line("miss", stream, "sales", minutes(-50), fetch_ms=100.0) for stream in ("one", "two", "three")),
        *(line("stored", stream, "sales", minutes(-50)) for stream in ("one", "two", "three")),
        *(line("hit", stream, "sales", minutes(-at)) for stream in ("one", "two") for at in (30, 20, 10)),
        *(line("miss", stream, "support", minutes(-40), fetch_ms=300.0) for stream in ("one", "two")),
        line("miss", "gone", "sales", minutes(-300), fetch_ms=100.0),
    ]
    lake.commit("prompt_store_events", table_of("prompt_store_events", lines))
    starts = [make_invocation(log_stream="one", ts=minutes(-5), cold=False)]
    starts.append(make_invocation(log_stream="two", ts=minutes(-55), cold=True, init_ms=800.0))
    lake.commit("invocations", table_of("invocations", starts))
    return lake


@pytest.fixture
def reader(lake: Lake) -> Iterator[Reader]:
    """Reads that lake."""
    with Reader(lake, threads=1) as reader:
        yield reader
