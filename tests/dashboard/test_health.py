"""Data health and Prices: the states a source can be in, checks on demand, own prices, and older logs on their way."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from collector.checkup import Check, remember
from core.settings import Settings
from dashboard import data, health, price_charts
from dashboard.i18n import catalogue, translate
from dashboard.ink import Look
from tests.support import lakes
from tests.support.rows import make_call, make_invocation, make_pass, make_unpriced_call
from tests.support.screens import LANGUAGES, bound_to, opened, words

EN = Look("en")
both_languages = pytest.mark.parametrize("lang", LANGUAGES)
BAD = "💰 input: the customer's own words"


@pytest.fixture
def now() -> datetime:
    return datetime.now(UTC)


def fill(path: Path, monkeypatch: pytest.MonkeyPatch, **tables: object) -> Path:
    lakes.fill(path / "tables", **tables)  # type: ignore[arg-type]
    monkeypatch.setenv("CACHEWISE_STORE_PATH", str(path))
    return path


def test_every_state_of_a_source_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, now: datetime) -> None:
    """The one in most need of attention comes first, with its code; a source is complete to a time, not in words."""
    fill(
        tmp_path,
        monkeypatch,
        calls=[make_call(ts=now)],
        ingest_passes=[
            make_pass(source="fine", ts=now),
            make_pass(source="slow", ts=now, complete_until=now - timedelta(hours=5), lines_read=0),
            make_pass(source="new", ts=now, status="reading", complete_until=None, window_end=now - timedelta(days=9)),
            make_pass(source="shut", ts=now, status="failed", error_code="COL-403", error_message="denied"),
        ],
    )

    app = opened("data_health")

    assert not app.exception
    table = app.dataframe[0].value
    assert list(table["state"]) == ["Failed", "Reading older logs", "Behind", "Fresh"]
    (box,) = app.warning
    assert "COL-403" in box.proto.title
    assert "denied" in box.value
    assert {metric.label: metric.value for metric in app.metric}["Complete up to"] == "Not complete yet"


def test_skipped_lines_show_where_they_stand_and_never_what_they_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, now: datetime
) -> None:
    """Reason, count, length and position of one example; what Lambda dropped is a warning."""
    example = {"length": len(BAD), "at": "stream 123", "ts_ms": 1_763_000_000_000}
    outcomes = {
        "skipped": {"bad_count": 2},
        "examples": {"bad_count": example},
        "dropped_records": 41,
        "clock_ahead": 17,
    }
    fill(
        tmp_path,
        monkeypatch,
        calls=[make_call(ts=now), make_unpriced_call(ts=now)],
        ingest_passes=[make_pass(ts=now, lines_skipped=2, outcomes_json=json.dumps(outcomes))],
    )

    app = opened("data_health")

    skips = next(frame.value for frame in app.dataframe if "meaning" in frame.value)
    assert list(skips["meaning"]) == ["A count that no request can have"]
    assert (list(skips["lines"]), list(skips["position"])) == ([2], ["stream 123"])
    assert any("41 log records" in box.value for box in app.warning)
    assert [list(frame.value["clock_ahead"]) for frame in app.dataframe if "clock_ahead" in frame.value] == [[17]]
    assert any("claude-unheard-of" in list(frame.value.get("model", ())) for frame in app.dataframe)
    assert BAD not in words(app)


def test_the_last_checkup_is_shown_and_a_new_one_can_be_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, now: datetime
) -> None:
    """What the command line found stands on the page; the button looks again, for operators only."""
    fill(tmp_path, monkeypatch, calls=[make_call(ts=now)], ingest_passes=[make_pass(ts=now)])
    bad = Check("log_levels", "bodo", "fail", "SystemLogLevel of bodo-ws is WARN", "Set it to INFO")
    remember(Settings(store_path=str(tmp_path)), [Check("clock", "bodo", "ok", "fine"), bad])

    with bound_to("127.0.0.1"):
        app = opened("data_health", "ko")
        found = next(frame.value for frame in app.dataframe if "message" in frame.value)
        assert list(found["result"]) == ["✕ 조치", "✓ 정상"]
        assert list(found["check"]) == ["로그 수준", "시계"]
        app.button(key="checkup").click().run()

    assert not app.exception
    found = next(frame.value for frame in app.dataframe if "message" in frame.value)
    assert "SystemLogLevel of bodo-ws is WARN" not in list(found["message"])
    assert len(found) > 3


def test_a_viewer_cannot_start_a_checkup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, now: datetime) -> None:
    """It makes requests with the collector's rights."""
    fill(tmp_path, monkeypatch, calls=[make_call(ts=now)], ingest_passes=[make_pass(ts=now)])

    with bound_to("0.0.0.0"):
        assert opened("data_health").button(key="checkup").disabled


def test_passes_without_calls_have_a_page_of_health(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, now: datetime
) -> None:
    """A source that was read and told nothing is what this page is for."""
    fill(tmp_path, monkeypatch, ingest_passes=[make_pass(ts=now, lines_read=10, new_calls=0)])

    app = opened("data_health")

    assert not app.exception
    assert list(app.dataframe[0].value["state"]) == ["Fresh"]


@both_languages
def test_sources_that_cannot_be_read_give_no_good_news(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, now: datetime, lang: str
) -> None:
    """Where every pass failed, no page says that sources were read or that all was understood, or draws empty axes."""
    shut = make_pass(
        ts=now, status="failed", error_code="COL-403", error_message="denied", lines_read=0, lines_recognised=0,
        complete_until=None, outcomes_json="{}",
    )  # fmt: skip
    fill(tmp_path, monkeypatch, ingest_passes=[shut])

    first, health_page, actions = (opened(name, lang) for name in ("overview", "data_health", "actions"))

    assert not any(page.exception for page in (first, health_page, actions))
    said = catalogue(lang)
    assert [box.value for box in (*first.info, *actions.info)] == [said["empty.failed.body"]] * 2
    told = [said[f"health.{part}.nothing"] for part in ("lines", "lag", "skips")] + [said["cost.coverage.nothing"]]
    assert [text for text in told if text not in words(health_page)] == []
    assert not health_page.success
    assert not health_page.get("plotly_chart")
    assert len(health_page.warning) == 1


@both_languages
def test_no_action_is_no_good_news_while_older_logs_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, now: datetime, lang: str
) -> None:
    """Nothing to do is said where calls were judged; else that they are still being read, or that there are none."""
    calls = [make_call(ts=now, cache_read_tokens=9_000)]
    fill(tmp_path, monkeypatch, calls=calls, ingest_passes=[make_pass(ts=now)])
    known = opened("actions", lang)
    data.reopen()
    step = make_pass(ts=now, status="reading", complete_until=None, window_end=now - timedelta(days=20))
    fill(tmp_path / "filling", monkeypatch, calls=calls, ingest_passes=[step])
    filling = opened("actions", lang)
    data.reopen()
    fill(tmp_path / "none", monkeypatch, invocations=[make_invocation(ts=now)], ingest_passes=[make_pass(ts=now)])
    none = opened("actions", lang)

    said = catalogue(lang)
    assert [box.value for box in known.success] == [said["overview.actions.none"]]
    assert not [*filling.success, *none.success]
    assert said["overview.actions.filling"].partition("{at}")[0] in words(filling)
    assert said["overview.actions.nothing"] in words(none)


@both_languages
def test_a_range_without_calls_takes_no_price_for_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, now: datetime, lang: str
) -> None:
    """Prices says that nothing was priced; it draws no empty axis, and shows the book all the same."""
    fill(tmp_path, monkeypatch, calls=[make_call(ts=now - timedelta(days=20))], ingest_passes=[make_pass(ts=now)])

    app = opened("prices", lang)

    assert not app.exception
    assert [box.value for box in app.info] == [catalogue(lang)["prices.none"]]
    assert not app.get("plotly_chart")
    assert len(app.dataframe) >= 2


def test_older_logs_on_their_way_are_no_empty_range(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, now: datetime
) -> None:
    """While history is read oldest first, the page says how far that has come, not that there is no data."""
    old = now - timedelta(days=20)
    step = make_pass(ts=now, status="reading", complete_until=None, window_end=old)
    fill(tmp_path, monkeypatch, calls=[make_call(ts=old)], ingest_passes=[step])

    app = opened("overview")

    seen = words(app)
    assert f"The collector has read up to {old.astimezone().strftime('%Y')}" in seen
    assert "Reading older logs: up to" in seen
    assert "just now" not in seen
    assert "Choose a longer range" not in seen


def test_own_prices_and_discounts_are_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, now: datetime) -> None:
    """A price file's rows stand in the list in force, marked as own, with their source."""
    prices = tmp_path / "prices.toml"
    prices.write_text(
        '[[rows]]\nid = "mine"\nmodel = "claude-opus-4-5"\nscope = "anthropic"\nfrom = 2026-01-01\ninput = 4\n'
        'cache_write_5m = 5\ncache_read = 0.4\noutput = 20\nsource = "contract 7"\n'
        "[[discounts]]\npercent = 12.5\n"
    )
    monkeypatch.setenv("CACHEWISE_PRICE_FILES", str(prices))
    fill(tmp_path, monkeypatch, calls=[make_call(ts=now, price_row="mine")], ingest_passes=[make_pass(ts=now)])

    app = opened("prices")

    assert not app.exception
    used, in_force = app.dataframe[0].value, app.dataframe[1].value
    assert (list(used["price_row"]), list(used["calls"]), list(used["hosts"])) == (["mine"], [1], ["contract 7"])
    mine = in_force[in_force["model"] == "claude-opus-4-5"].iloc[0]
    assert (mine["input"], bool(mine["custom"])) == (4.0, True)
    assert any(12.5 in list(frame.value.get("percent", ())) for frame in app.dataframe)


def test_prices_that_left_the_book_are_said_to_be_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, now: datetime
) -> None:
    """Calls whose price row is in no file any more keep their dollars; what the row said is not known."""
    fill(tmp_path, monkeypatch, calls=[make_call(ts=now, price_row="gone")], ingest_passes=[make_pass(ts=now)])

    app = opened("prices")

    assert not app.exception
    assert "taken out of it" in words(app)
    assert list(app.dataframe[0].value["price_row"]) == ["gone"]


def test_prices_are_there_before_any_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without data the price lists can be read all the same."""
    monkeypatch.setenv("CACHEWISE_STORE_PATH", str(tmp_path))

    app = opened("prices")
    app.segmented_control(key="price_list").set_value("bedrock-regional").run()

    assert not app.exception
    assert not app.metric
    assert len(app.dataframe[0].value) > 10


def test_lines_and_lag_are_drawn_with_their_sums() -> None:
    """Outcomes are stacked, lag is in the unit that reads best and its gaps are gaps."""
    rows = [
        {"bucket": datetime(2026, 11, 20, hour, tzinfo=UTC), "lines_recognised": 5, "lines_ignored": 2,
         "lines_skipped": None, "lag_ms": lag}
        for hour, lag in ((1, 60_000.0), (2, None), (3, 180_000.0))
    ]  # fmt: skip

    lines, lag = health.lines_over_time(rows, EN), health.lag_over_time(rows, EN)

    assert "Recognised 15; Not ours 6; Not understood 0" in lines.alt
    assert [value for value in lag.figure.data[0].y if value is not None] == [1.0, 3.0]
    assert "highest 3 min" in lag.alt


def test_one_moment_is_one_label() -> None:
    """Plotly would repeat the same label along an axis that holds one point."""
    passes = [{"bucket": datetime(2026, 11, 20, hour, tzinfo=UTC), "lag_ms": 60_000.0} for hour in (1, 2)]

    one, two = health.lag_over_time(passes[:1], EN), health.lag_over_time(passes, EN)

    assert list(one.figure.layout.xaxis.tickvals) == list(one.figure.data[0].x)
    assert two.figure.layout.xaxis.tickvals is None


def test_price_charts_say_every_amount() -> None:
    """The dollars of each row, and the five prices of each model, also for those who do not see."""
    row = {"price_row": "r", "model": "m", "cost_usd": Decimal("1.5"), "cache_write_1h": None, "from": date.min}
    row |= {name: Decimal(1) for name in ("input", "cache_read", "cache_write_5m", "output")}

    assert "r $1.50" in price_charts.paid_by_row([row], EN).alt
    assert "1-hour write —" in price_charts.five_prices([row], EN).alt
    assert price_charts.hosts("https://a.example/x, https://a.example/y, contract") == "a.example, contract"


def test_a_checkup_can_be_asked_for_before_the_first_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing was read yet, what hinders it is the question: the button is there."""
    monkeypatch.setenv("CACHEWISE_STORE_PATH", str(tmp_path))

    page = opened("data_health")

    assert not page.exception
    assert page.button(key="checkup").label == "Check now"


@pytest.mark.parametrize(("lang", "teller"), [("en", "Call record"), ("ko", "호출 기록")])
def test_two_logs_that_tell_a_call_differently_are_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, now: datetime, lang: str, teller: str
) -> None:
    """Who told the calls, what defaults added, and each disagreement with the counts that are used."""
    note = "differs: output_tokens 200 in record, 180 in bedrock_log"
    fill(
        tmp_path,
        monkeypatch,
        calls=[
            make_call(ts=now, call_id="msg_9", checked_by="bedrock_log", check_note=note),
            make_call(ts=now, told_by="text", model_known_by="defaults", ttl_known_by="defaults"),
        ],
        ingest_passes=[make_pass(ts=now)],
    )

    app = opened("data_health", lang)

    assert not app.exception
    told = next(frame.value for frame in app.dataframe if "ttl_by_defaults" in frame.value)
    differing = next(frame.value for frame in app.dataframe if "difference" in frame.value)
    assert (next(iter(told["format"])), sum(told["ttl_by_defaults"]), sum(told["disagreeing"])) == (teller, 1, 1)
    assert list(differing["call_id"]) == ["msg_9"]
    english = "output_tokens 200 in record, 180 in bedrock_log"
    korean = "output_tokens: 호출 기록 200, Bedrock 호출 로그 180"
    assert list(differing["difference"]) == [korean if lang == "ko" else english]
    assert any(box.value.count("1") == 2 and box.icon == ":material/difference:" for box in app.warning)
    said = translate(lang, "cost.coverage.from_defaults", n="2", model="1", ttl="1", usd="")
    (caption,) = [caption.value for caption in app.caption if caption.value.startswith(said[:24])]
    cost = next(frame.value for frame in app.dataframe if "ttl_by_defaults" in frame.value)["cost_usd"]
    assert f"${min(cost):.6f}" in caption.replace("\\", "")
    (marked,) = (frame.value["from_defaults"] for frame in opened("calls", lang).dataframe if "call_id" in frame.value)
    assert set(marked) == {translate(lang, f"calls.from_defaults.{what}") for what in ("nothing", "model_ttl")}
