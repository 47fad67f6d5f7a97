"""Actions marked done: kept with what they promised, taken back, shown again, and measured on a mended fleet."""

import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from core import advice, misses, promises, ttl
from core.errors import FixSettings
from core.metrics.scope import Scope
from core.pricing import default_book
from core.promises import Promise, Realised
from core.store.lake import Lake
from core.store.query import Reader
from core.traffic import load
from tests.support import lakes
from tests.support.rows import Row, make_call

DONE = datetime(2026, 11, 20, tzinfo=UTC)
DAY = timedelta(days=1)
STEP = timedelta(minutes=30)
ACTION = {
    "engine": "tutor", "cause": "prefix_changed", "mend_key": "stable_prefix", "month_usd": Decimal("12.5"),
    "low_usd": Decimal("11"), "high_usd": None, "since": DONE - 3 * DAY, "configured": None, "best": None,
}  # fmt: skip


def call(ts: datetime, **told: Any) -> Row:
    """A call whose prefix of 5,000 tokens is read from the cache."""
    row = {
        "engine": "tutor", "cache_ttl": "1h", "caching_enabled": True, "cacheable": True, "input_tokens": 100,
        "cache_read_tokens": 5000, "latency_ms": 2000.0, "ttft_ms": 800.0, "prefix_fingerprint": "aaaa",
        "prefix_tokens": 5000,
    }  # fmt: skip
    return make_call(ts=ts, **{**row, **told})


def churn(ts: datetime) -> Row:
    """A call whose prefix is like no other's: it writes and reads nothing."""
    return call(ts, cache_read_tokens=0, cache_write_1h_tokens=5000, prefix_fingerprint=f"f{ts:%d%H%M}")


def moments(start: datetime, end: datetime, step: timedelta = STEP) -> list[datetime]:
    """Moments from start to end."""
    return [start + step * n for n in range(int((end - start) / step))]


def measured(folder: Path, before: list[Row], after: list[Row]) -> tuple[dict[str, Any], Realised]:
    """What was advised on the days before the mend, and what came of it."""
    with Reader(lakes.fill(folder, calls=[*before, *after])) as reader:
        told = load(reader, Scope(end=DONE), default_book())
        found = advice.actions(misses.of_traffic(told), ttl.of_traffic(told))
        action = found[0] if found else ACTION
        lake = reader.lake
        promises.mark_done(lake, action, actor="kim", now=DONE)
        (promise,) = promises.promises(reader)
        (came,) = promises.measure(reader, [promise], default_book()).values()
    return action, came


def test_a_mended_fault_keeps_what_was_promised(tmp_path: Path) -> None:
    """A prefix that stopped changing brings the promised dollars a month, within its interval."""
    action, found = measured(
        tmp_path,
        [churn(ts) for ts in moments(DONE - 5 * DAY, DONE)],
        [call(ts) for ts in moments(DONE, DONE + 4 * DAY)],
    )

    assert (action["mend_key"], found.status, found.measure) == ("stable_prefix", "measured", "cause")
    assert (found.calls, round(found.days)) == (192, 4)
    assert found.month_usd is not None and found.low_usd is not None and found.high_usd is not None
    assert float(found.month_usd) == pytest.approx(float(action["month_usd"]), rel=0.02)
    assert found.low_usd <= found.month_usd <= found.high_usd


def test_half_the_traffic_is_no_gain(tmp_path: Path) -> None:
    """Fewer calls lose less: only the loss per call counts, at the calls that came."""
    action, found = measured(
        tmp_path,
        [churn(ts) for ts in moments(DONE - 5 * DAY, DONE)],
        [churn(ts) for ts in moments(DONE, DONE + 4 * DAY, 2 * STEP)],
    )

    assert found.status == "measured"
    assert abs(float(found.month_usd or 1)) < 0.02 * float(action["month_usd"])


def test_what_moves_to_another_cause_is_said(tmp_path: Path) -> None:
    """A stable prefix that now expires brings its cause's dollars, and as many are lost elsewhere."""
    late = {"cache_read_tokens": 0, "cache_write_1h_tokens": 5000}
    _, found = measured(
        tmp_path,
        [churn(ts) for ts in moments(DONE - 5 * DAY, DONE)],
        [call(ts, **late) for ts in moments(DONE, DONE + 4 * DAY, timedelta(minutes=70))],
    )

    assert found.status == "measured"
    assert float(found.elsewhere_month_usd or 0) == pytest.approx(float(found.month_usd or 0), rel=0.02)


def test_another_lifetime_is_measured_over_the_whole_engine(tmp_path: Path) -> None:
    """From 5 minutes to an hour: writes become dearer and rarer, and the sum is what counts."""
    write = {"cache_ttl": "5m", "cache_read_tokens": 0, "cache_write_5m_tokens": 5000}
    action, found = measured(
        tmp_path,
        [call(ts, **write) for ts in moments(DONE - 5 * DAY, DONE)],
        [call(ts) for ts in moments(DONE, DONE + 4 * DAY)],
    )

    assert (action["mend_key"], found.measure, found.elsewhere_month_usd) == ("set_1h", "engine", None)
    assert float(found.month_usd or 0) == pytest.approx(float(action["month_usd"]), rel=0.05)


@pytest.mark.parametrize(
    ("before", "after", "status"),
    [(5 * DAY, DAY / 2, "too_early"), (5 * DAY, 0 * DAY, "too_early"), (DAY / 2, 3 * DAY, "no_base")],
)
def test_it_is_unknown_until_there_is_enough(tmp_path: Path, before: timedelta, after: timedelta, status: str) -> None:
    """Less than a day on either side is no measurement, and no zero."""
    _, found = measured(
        tmp_path,
        [churn(ts) for ts in moments(DONE - before, DONE)],
        [call(ts) for ts in moments(DONE, DONE + after)],
    )

    assert (found.status, found.month_usd, found.missed_usd) == (status, None, None)
    assert found.days == pytest.approx(max(after / DAY - STEP / DAY, 0), abs=0.02)


def test_without_a_price_it_is_unknown(tmp_path: Path) -> None:
    """Calls of a model without a price say nothing about dollars."""
    rows = [call(ts, model="no-such-model") for ts in moments(DONE - 3 * DAY, DONE + 3 * DAY)]

    assert measured(tmp_path, rows, [])[1].status == "no_price"


def test_days_are_measured_some_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two marks of long ago, far from each other and from now, are measured alike whatever is in memory at once."""
    begin, other = DONE - 90 * DAY, DONE - 20 * DAY
    calls = [
        *(churn(ts) for ts in moments(begin - 8 * DAY, begin, 3 * STEP)),
        *(call(ts) for ts in moments(begin, begin + 40 * DAY, 6 * STEP)),
        *(call(ts, engine="memo") for ts in moments(other - 8 * DAY, DONE, 3 * STEP)),
    ]
    with Reader(lakes.fill(tmp_path, calls=calls)) as reader:
        promises.mark_done(reader.lake, {**ACTION, "since": None}, actor="kim", now=begin)
        promises.mark_done(reader.lake, {**ACTION, "since": None, "engine": "memo"}, actor="kim", now=other)
        done = promises.promises(reader)
        whole = promises.measure(reader, done, default_book())
        monkeypatch.setattr(sys.modules["core.traffic.slices"], "AT_ONCE", 280)  # some nine days, some twenty
        sliced = promises.measure(reader, done, default_book())

    tutor, memo = (whole[next(mark.action_id for mark in done if mark.engine == name)] for name in ("tutor", "memo"))
    assert sliced == whole
    assert (tutor.status, tutor.days, tutor.days_before, tutor.calls) == ("measured", 30, 7, 240)
    assert (memo.status, round(memo.days, 1), memo.missed_usd) == ("measured", 19.9, 0)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """Tables without a row."""
    return Lake(tmp_path / "tables")


def kept(lake: Lake) -> list[Promise]:
    """The marks in force."""
    with Reader(lake) as reader:
        return promises.promises(reader)


def test_a_mark_keeps_the_promise_and_can_be_taken_back(lake: Lake) -> None:
    """What was promised is kept exactly, with who and when; undo leaves both entries in the audit log."""
    promises.mark_done(lake, ACTION, actor="kim", now=DONE, done_at=DONE - DAY)
    (mark,) = kept(lake)

    assert mark == Promise(
        action_id=mark.action_id, engine="tutor", cause="prefix_changed", mend_key="stable_prefix",
        month_usd=Decimal("12.5"), low_usd=Decimal("11"), high_usd=None, done_at=DONE - DAY, marked_at=DONE,
        actor="kim", since=DONE - 3 * DAY,
    )  # fmt: skip

    promises.undo(lake, mark, actor="lee", now=DONE + DAY)

    assert kept(lake) == []
    assert sorted(lake.read("actions")["action"].to_pylist()) == ["mend_done", "mend_undone"]


@pytest.mark.parametrize("when", [DONE + timedelta(minutes=1), DONE - 31 * DAY])
def test_a_mend_takes_effect_in_the_last_month(lake: Lake, when: datetime) -> None:
    """A time to come, or one long gone, is refused and nothing is written."""
    with pytest.raises(FixSettings) as refused:
        promises.mark_done(lake, ACTION, actor="kim", now=DONE, done_at=when)

    assert refused.value.code == "PRM-001"
    assert kept(lake) == []


@pytest.mark.parametrize(
    ("since", "window_start", "listed"),
    [
        (None, DONE - DAY, False),  # the window still holds days from before the mark
        (DONE - 3 * DAY, DONE - DAY, False),
        (DONE + DAY, DONE - DAY, True),  # it began anew
        (None, DONE, True),  # it goes on through a window behind the mark
    ],
)
def test_a_mark_that_did_not_keep_shows_again(
    lake: Lake, since: datetime | None, window_start: datetime, listed: bool
) -> None:
    """A marked action is hidden only as long as its cause may stem from before the mark."""
    promises.mark_done(lake, ACTION, actor="kim", now=DONE)
    other = {**ACTION, "engine": None}
    left = promises.still_open([{**ACTION, "since": since}, other], kept(lake), window_start=window_start)

    assert [row["engine"] for row in left] == (["tutor", None] if listed else [None])
    assert left[-1]["promise"] is None
    if listed:
        assert left[0]["promise"].actor == "kim"
