"""Scheduled reports on the Reports page: the command where none is configured, else what is set up and what arrived."""

import tomllib
from datetime import UTC, datetime
from pathlib import Path

import pytest

from core.pricing import default_book
from core.report_settings import read_reports
from core.reports import schedule
from core.store.lake import Lake
from dashboard.i18n import catalogue
from tests.support.lakes import fill
from tests.support.rows import make_call, make_pass
from tests.support.screens import LANGUAGES, opened, words

CONFIG = """
[[reports]]
name = "finance"
schedule = "weekly"
to = "out"

[[reports]]
name = "team"
schedule = "daily"
to = "https://hooks.example.com/services/secret-token"
"""
both_languages = pytest.mark.parametrize("lang", LANGUAGES)


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """Two calls, just read."""
    monkeypatch.setenv("CACHEWISE_STORE_PATH", str(tmp_path / "data"))
    now = datetime.now(UTC)
    rows = {"calls": [make_call(ts=now, cache_read_tokens=900)], "ingest_passes": [make_pass(ts=now)]}
    return fill(tmp_path / "data" / "tables", **rows)


@both_languages
def test_where_none_is_configured_it_shows_how(lake: Lake, lang: str) -> None:
    """The command for cron, and no empty table."""
    app = opened("reports", lang)

    assert not app.exception
    assert catalogue(lang)["reports.schedule.none"] in words(app)
    assert any("--schedule weekly" in code.value for code in app.code)
    assert catalogue(lang)["reports.deliveries.title"] not in words(app)


@both_languages
def test_what_is_set_up_and_what_arrived_is_shown(lake: Lake, tmp_path: Path, lang: str) -> None:
    """With the last delivery of each; a webhook by its host alone."""
    (tmp_path / "cachewise.toml").write_text(CONFIG)
    finance, _ = read_reports(tomllib.loads(CONFIG), {}, None)
    schedule.run(lake, default_book(), finance, now=datetime.now(UTC))
    app = opened("reports", lang)
    told = [table.value for table in app.dataframe]
    configured = next(frame for frame in told if "destination" in frame and "last" in frame)
    arrived = next(frame for frame in told if "files" in frame)

    assert not app.exception
    assert list(configured["destination"]) == ["out", "https://hooks.example.com/…"]
    assert configured["last"].notna().tolist() == [True, False]
    assert list(arrived["schedule"]) == [catalogue(lang)["reports.every.weekly"]]
    assert arrived["files"][0].startswith("cachewise-")
    assert "secret-token" not in str(app)
