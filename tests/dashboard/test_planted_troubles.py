"""The demo fleet's planted troubles, each named on the first screen or one click away."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from dashboard import data, filters
from simulator.fleet.engines import ENGINES
from simulator.fleet.plan import SEOUL
from tests.support import truth
from tests.support.screens import opened, words

PLANTED = {
    "tutor": "Prefix changed",
    "faq": "Below the minimum",
    "translate": "Expired after 5 min",
    "memo": "Expired after 5 min",
    "legal": "Expired after 1 h",
    "survey": "Concurrent first writes",
}
"""What docs/demo.md says of each troubled engine, in the words of the screen."""

FRIDAY = 4
BUSY = {"sales", "support", "notice"}  # healthy, and most of the traffic: left out for speed


@pytest.fixture(scope="module")
def week(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with the demo fleet's last eight days: on a Friday, the guilty deploy was a week ago that morning."""
    folder = tmp_path_factory.mktemp("demo")
    engines = [engine for engine in ENGINES if engine.name not in BUSY]
    truth.live(folder, seed=7, days=8, now_ms=time.time_ns() // 1_000_000, engines=engines)
    return folder


@pytest.fixture(scope="module")
def pages(week: Path) -> Iterator[dict[str, AppTest]]:
    """The pages that name troubles."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CACHEWISE_STORE_PATH", str(week))
        patch.setenv("CACHEWISE_DEMO", "true")
        data.reopen()
        # all of it: after midnight in Berlin the last seven dates leave the deploy of the first one out
        yield {name: opened(name, range="all") for name in ("overview", "misses", "ttl_lab", "savings", "cost")}


def rows_of(app: AppTest, column: str) -> dict[str, Any]:
    """The table of a page that has a row per engine and this column."""
    frame = next(table.value for table in app.dataframe if {"engine", column} <= set(table.value.columns))
    return {row["engine"]: row for row in frame.to_dict("records")}


def test_the_first_screen_names_the_dearest_trouble(pages: dict[str, AppTest]) -> None:
    """The sentence, and the first action, are about the tutor's prefix, with dollars a month and the deploy."""
    seen = words(pages["overview"])

    assert "top cause: Prefix changed (tutor)" in seen
    assert "**1. tutor** · Prefix changed" in seen
    a_week_old = datetime.now(SEOUL).weekday() == FRIDAY  # five days before is a Sunday: it moves two days back
    assert "version 17" in seen or a_week_old


def test_the_first_screen_has_the_three_most_valuable_actions(pages: dict[str, AppTest]) -> None:
    """The prefix, and the two engines whose entries expire after five minutes, with an interval each."""
    heads = [text.value for text in pages["overview"].markdown if text.value.startswith("**")]
    badges = [text.value for text in pages["overview"].markdown if "a month" in text.value]

    assert [head for head in heads if head[2].isdigit()] == [
        "**1. tutor** · Prefix changed",
        "**2. memo** · 5m → 1h",
        "**3. translate** · 5m → 1h",
    ]
    assert len(badges) == 3
    assert all(" to " in badge for badge in badges)


@pytest.mark.parametrize("engine", PLANTED)
def test_each_trouble_is_named_on_the_misses_page(engine: str, pages: dict[str, AppTest]) -> None:
    """One click away, every troubled engine stands beside its cause."""
    assert rows_of(pages["misses"], "top_cause")[engine]["top_cause"] == PLANTED[engine]


def test_the_defaults_that_are_wrong_are_named_with_the_mend(pages: dict[str, AppTest]) -> None:
    """The dollars of memo's lines do not fit its source's defaults: said where its cost is, and where it differs."""
    for name in ("cost", "ttl_lab"):
        (said,) = [text.value for text in pages[name].warning if "dollars in the log lines" in text.value]
        assert said.startswith("**memo**: ")
        assert ("Correct `defaults` of the source" in said) == (name == "cost")


def test_the_engines_on_which_caching_loses_money_are_named(pages: dict[str, AppTest]) -> None:
    """The greatest loss first."""
    (said,) = [text.value for text in pages["savings"].warning if "loses money" in text.value]

    assert said.startswith("Caching loses money on tutor, ")
    assert {"legal", "translate", "memo"} <= set(said.partition(":")[0].replace(",", "").split())


def test_a_large_dynamic_tail_is_named_and_not_called_a_fault(pages: dict[str, AppTest]) -> None:
    """The summary engine is cached well: what it misses comes after the breakpoint."""
    assert rows_of(pages["misses"], "dearest")["summary"]["dearest"] == "Dynamic tail"


def test_the_lab_says_what_each_engine_should_be_set_to(pages: dict[str, AppTest]) -> None:
    """Longer for translate and memo, off for legal, as it is for the healthy ones, and first the prefix for tutor."""
    best = {engine: row["best"] for engine, row in rows_of(pages["ttl_lab"], "best").items()}

    assert best["translate"] == best["memo"] == "1h"
    assert best["legal"] == "Off"
    assert best["tutor"] == "prefix first"
    assert best["counsel"] == best["summary"] == "1h"
    assert "**legal**: off saves" in words(pages["ttl_lab"])
    assert "survey" in rows_of(pages["ttl_lab"], "hours")


def test_the_actions_page_says_what_got_worse(week: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At a click: the hours in which the tutor's calls went to Bedrock cost more, and are over.

    Its deploy is found on those days of the week on which the data begin long enough before it.
    """
    monkeypatch.setenv("CACHEWISE_STORE_PATH", str(week))
    monkeypatch.setenv("CACHEWISE_DEMO", "true")
    page = opened("actions", range="all")
    assert not [table for table in page.dataframe if "lost_usd" in table.value.columns]

    page.button(key="worse_look").click().run()

    assert not page.exception
    table = next(table.value for table in page.dataframe if "lost_usd" in table.value.columns)
    found = {row["what"]: row for row in table[table["engine"] == "tutor"].to_dict("records")}
    row = found.pop("Cost per request")
    assert row["known"] == "measured"
    assert row["why"] == "Switch: provider: anthropic → bedrock · the same tokens cost more"
    assert row["until"] - row["since"] < timedelta(hours=8)
    assert row["lost_usd"] > 0
    assert {what: row["why"] for what, row in found.items()} in (
        {},
        {"Read share": "Deploy of bodo-ws 17 · the prefix changes with every call"},
    )


def test_healthy_engines_get_no_advice(week: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is to be done about the engines in which nothing was planted."""
    monkeypatch.setenv("CACHEWISE_STORE_PATH", str(week))
    monkeypatch.setenv("CACHEWISE_DEMO", "true")
    default_view = filters.build({}, now=datetime.now(UTC), zone="Europe/Berlin")

    advised = {row["engine"] for row in data.actions(default_view.scope(), zone=default_view.zone)}

    assert advised >= {"tutor", "memo", "translate", "faq", "legal"}
    assert advised <= set(PLANTED)
