"""What keeps pages warm: it asks all that they ask before anybody comes, and survives tables that fail."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from core.store import query
from dashboard import data, filters, warm
from tests.support.screens import APP, PATIENCE_S, opened


@pytest.fixture
def stopped_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages ask until the next five minutes, so that what was asked before a mark of the clock is no answer behind it.

    A test that takes seconds must not begin on one side and end on the other.
    """
    began = datetime.now(UTC)

    class Stopped(datetime):
        def __new__(cls, *parts: Any, **more: Any) -> datetime:  # type: ignore[misc]
            return datetime(*parts, **more)  # noqa: DTZ001 - what caches keep is an ordinary moment

        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:
            return began.astimezone(tz)

    for module in (data, filters, warm):
        monkeypatch.setattr(module, "datetime", Stopped)


def test_the_first_visitor_finds_everything_asked(
    fleet: Path, stopped_clock: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the warm-up, opening the first screen asks core.metrics nothing and studies nothing."""
    monkeypatch.setenv("CACHEWISE_STORE_PATH", str(fleet))
    warm.first_screen("Asia/Seoul")
    asked: list[str] = []

    def noted(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *args, **more: asked.append(name) or real(*args, **more)

    for name in ("summary", "breakdown", "series", "latency_series", "markers", "options"):
        monkeypatch.setattr(data.metrics, name, noted(name, getattr(data.metrics, name)))
    monkeypatch.setattr(data, "load_bounded", noted("load_bounded", data.load_bounded))
    app = AppTest.from_file(str(APP), default_timeout=PATIENCE_S)
    app.context = {"locale": "ko-KR", "timezone": "Asia/Seoul"}

    app.run()

    assert len(app.metric) == 6
    assert asked == []


def test_a_change_of_page_finds_everything_asked(
    fleet: Path, stopped_clock: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the warm-up, the pages that take longest ask core.metrics, the studies and the environments nothing."""
    monkeypatch.setenv("CACHEWISE_STORE_PATH", str(fleet))
    warm.first_screen("Asia/Seoul")
    warm.other_pages("Asia/Seoul")
    asked: list[str] = []

    def noted(what: str, real: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *args, **more: asked.append(what) or real(*args, **more)

    for owner, functions in (
        (data.metrics, ("summary", "breakdown", "series", "store_series", "latency", "latency_series", "markers")),
        (data.drift, ("memory", "cold_starts")),
        (data.alerts, ("open_count",)),
        (data.ttl, ("compare", "mix", "gaps", "crossover", "bursts")),
        (data.misses, ("groups", "series")),
        (data.advice, ("findings", "by_cause", "by_engine", "lifetimes")),
    ):
        for function in functions:
            monkeypatch.setattr(owner, function, noted(function, getattr(owner, function)))

    for name in ("cost", "latency", "misses", "ttl_lab", "hit_rate"):
        app = opened(name, "ko")

        assert app.title
        assert not app.exception
        assert (name, asked) == (name, [])


def test_the_caches_page_writes_no_question_anew(
    fleet: Path, stopped_clock: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What environments hold is asked as of now, so nothing is asked beforehand; but how to ask it is known."""
    monkeypatch.setenv("CACHEWISE_STORE_PATH", str(fleet))
    warm.first_screen("Asia/Seoul")
    warm.other_pages("Asia/Seoul")
    written: list[str] = []
    real = query._as_sql
    monkeypatch.setattr(query, "_as_sql", lambda expression: written.append(real(expression)) or written[-1])

    app = opened("caches", "ko")

    assert app.metric
    assert not app.exception
    assert [sql for sql in written if 'FROM "actions' not in sql] == []  # notes and views are no part of this page


def test_tables_that_fail_stop_nothing(
    broken: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The thread that warms says in the log what failed, and goes on."""
    monkeypatch.setenv("CACHEWISE_STORE_PATH", str(broken))
    stop = threading.Event()
    stop.set()

    warm.keep(stop)

    assert "the first screen could not be prepared" in caplog.text


def test_zones_of_viewers_are_kept_warm_the_latest_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Days begin at each viewer's midnight; a few zones are remembered, not every one ever seen."""
    monkeypatch.setattr(warm, "_zones", [warm.KOREAN])
    for zone in ("Europe/Berlin", "UTC", "Europe/Berlin", "America/New_York", "Asia/Tokyo"):
        warm.note_zone(zone)

    assert warm._zones == ["Asia/Tokyo", "America/New_York", "Europe/Berlin", "UTC"]
    assert filters.viewer_zone("ko", None) == warm.KOREAN
