"""What is advised: only what still goes on, with dollars a month, an interval, and since when."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from core import advice, misses, ttl
from core.metrics.scope import Scope
from core.misses.causes import CAUSES
from core.pricing import default_book
from core.store.query import Reader
from core.traffic import load
from tests.support import lakes
from tests.support.rows import Row, make_call

NOW = datetime(2026, 11, 20, tzinfo=UTC)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
MENDS = {cause.mend_key for cause in CAUSES if cause.avoidable} - {"longer_ttl", "off_or_keep_alive"}
LIFETIMES = {f"set_{policy}" for policy in ttl.POLICIES}


def call(ts: datetime, **told: Any) -> Row:
    """A call of the engine "tutor" whose prefix is 5,000 tokens long, read from the cache."""
    row = {
        "engine": "tutor", "model": "claude-opus-4-5", "cache_ttl": "1h", "caching_enabled": True, "cacheable": True,
        "input_tokens": 100, "cache_read_tokens": 5000, "latency_ms": 2000.0, "ttft_ms": 800.0,
        "prefix_fingerprint": "aaaa", "prefix_tokens": 5000,
    }  # fmt: skip
    return make_call(ts=ts, **{**row, **told})


def churn(n: int, ts: datetime, **told: Any) -> Row:
    """A call whose prefix is like no other's: it writes and reads nothing."""
    return call(ts, cache_read_tokens=0, cache_write_1h_tokens=5000, prefix_fingerprint=f"f{n:06}", **told)


def studied(folder: Path, rows: list[Row], scope: Scope | None = None) -> tuple[pa.Table, ttl.Lab]:
    """The ledger and the lab of some calls."""
    with Reader(lakes.fill(folder, calls=rows)) as reader:
        traffic = load(reader, scope or Scope(start=None, end=None), default_book())
    return misses.of_traffic(traffic), ttl.of_traffic(traffic)


def every(step: timedelta, start: datetime, end: datetime) -> list[datetime]:
    """Moments from start to end."""
    return [start + step * n for n in range(int((end - start) / step))]


@pytest.fixture
def broken_by_deploy(tmp_path: Path) -> tuple[pa.Table, ttl.Lab]:
    """Six days of calls every ten minutes; version 2, two days ago, made every prefix differ."""
    moments, deploy = every(10 * MINUTE, NOW - 6 * 24 * HOUR, NOW), NOW - 48 * HOUR
    rows = [
        churn(n, ts, function_version="2") if ts >= deploy else call(ts, function_version="1")
        for n, ts in enumerate(moments)
    ]
    return studied(tmp_path, rows)


def test_an_action_says_since_when_and_which_version(broken_by_deploy: tuple[pa.Table, ttl.Lab]) -> None:
    """A cause that began within the range is dated by its first miss, and priced over its own days only."""
    top = advice.actions(*broken_by_deploy)[0]

    assert (top["engine"], top["cause"], top["mend_key"]) == ("tutor", "prefix_changed", "stable_prefix")
    # The deploy's own first write is booked on the deploy; the next call is the first of the fault.
    assert abs(top["since"] - (NOW - 48 * HOUR)) <= timedelta(minutes=20)
    assert top["since_version"] == "2"
    per_call = 5000 * (Decimal(10) - Decimal("0.5")) / 1_000_000  # a 1-hour write above a read, USD a million
    assert float(top["month_usd"]) == pytest.approx(float(per_call) * 6 * 24 * 30, rel=0.02)


def test_the_interval_holds_the_figure(broken_by_deploy: tuple[pa.Table, ttl.Lab]) -> None:
    """Low ≤ figure ≤ high wherever an interval is given, and it is not given for two days."""
    rows = advice.actions(*broken_by_deploy)

    assert rows[0]["low_usd"] is None
    assert all(row["low_usd"] is None or row["low_usd"] <= row["month_usd"] <= row["high_usd"] for row in rows)


def test_what_is_over_is_no_advice(tmp_path: Path) -> None:
    """A fault that was mended three days ago is in the ledger and not among the actions."""
    moments, mended = every(10 * MINUTE, NOW - 6 * 24 * HOUR, NOW), NOW - 72 * HOUR
    lines, lab = studied(tmp_path, [churn(n, ts) if ts < mended else call(ts) for n, ts in enumerate(moments)])

    assert advice.findings(lines, lab)["top_cause"] == "prefix_changed"
    assert advice.actions(lines, lab) == []


def test_a_lifetime_is_advised_with_its_interval(tmp_path: Path) -> None:
    """An engine on 5 minutes whose calls come every 20 should live an hour."""
    moments = every(20 * MINUTE, NOW - 5 * 24 * HOUR, NOW)
    write = {"cache_ttl": "5m", "cache_read_tokens": 0, "cache_write_5m_tokens": 5000}
    (only,) = advice.actions(*studied(tmp_path, [call(ts, **write) for ts in moments]))

    assert (only["mend_key"], only["configured"], only["best"]) == ("set_1h", "5m", "1h")
    assert only["cause"] == "expired_5m"
    assert 0 < only["low_usd"] <= only["month_usd"] <= only["high_usd"]


def test_a_few_hours_advise_no_lifetime(tmp_path: Path) -> None:
    """What is cheapest for an afternoon is not yet what to set."""
    write = {"cache_ttl": "5m", "cache_read_tokens": 0, "cache_write_5m_tokens": 5000}
    rows = [call(ts, **write) for ts in every(20 * MINUTE, NOW - 6 * HOUR, NOW)]

    assert advice.actions(*studied(tmp_path, rows)) == []


def test_no_lifetime_is_judged_while_the_prefix_changes(broken_by_deploy: tuple[pa.Table, ttl.Lab]) -> None:
    """With a prefix that changes, a cheaper write is no mend."""
    lines, lab = broken_by_deploy

    assert [row["prefix_first"] for row in advice.lifetimes(lines, lab)] == [True]
    assert not LIFETIMES & {row["mend_key"] for row in advice.actions(lines, lab)}


def test_recoverable_and_rest_are_the_whole(broken_by_deploy: tuple[pa.Table, ttl.Lab]) -> None:
    """By cause and by engine the same dollars are recoverable, and never more than was missed."""
    lines, lab = broken_by_deploy
    causes, engines, whole = advice.by_cause(lines, lab), advice.by_engine(lines, lab), advice.findings(lines, lab)

    assert sum(row["recoverable_usd"] for row in causes) == whole["recoverable_usd"]
    assert sum(row["recoverable_usd"] for row in engines) == whole["recoverable_usd"]
    assert all(row["recoverable_usd"] + row["rest_usd"] == row["usd"] for row in causes)
    assert causes[-1]["cumulative_share"] == pytest.approx(1.0)


def test_nothing_missed_is_nothing_to_do(tmp_path: Path) -> None:
    """Without calls there are no findings, no causes and no actions."""
    lines, lab = studied(tmp_path, [])

    assert advice.actions(lines, lab) == advice.by_cause(lines, lab) == advice.by_engine(lines, lab) == []
    assert advice.findings(lines, lab)["recoverable_usd"] is None


def test_unpriced_misses_are_unknown(tmp_path: Path) -> None:
    """Without a price there are tokens and no dollars."""
    lines, lab = studied(tmp_path, [churn(n, NOW - n * MINUTE, model="no-such-model") for n in range(1, 50)])

    assert advice.findings(lines, lab)["tokens"] > 0
    assert advice.findings(lines, lab)["recoverable_usd"] is None
    assert all(row["recoverable_usd"] is None for row in advice.by_cause(lines, lab))
    assert advice.actions(lines, lab) == []


@pytest.mark.parametrize("start", [None, NOW - 30 * 24 * HOUR, NOW - HOUR])
def test_actions_look_at_the_last_week(start: datetime | None) -> None:
    """However long a range is, they are judged on the seven days of the viewer's zone up to its end."""
    scope = Scope(start=start, end=datetime(2026, 11, 20, 16, 5, tzinfo=UTC), engines=("tutor",))

    assert advice.recent(scope, zone="UTC") == replace(scope, start=datetime(2026, 11, 14, tzinfo=UTC))
    in_seoul = datetime(2026, 11, 14, 15, tzinfo=UTC)  # it is the 21st there
    assert advice.recent(scope, zone="Asia/Seoul") == replace(scope, start=in_seoul)


def test_a_range_of_whole_days_ends_with_its_last() -> None:
    """Midnight belongs to the day that it ends."""
    scope = Scope(start=None, end=datetime(2026, 11, 21, tzinfo=UTC))

    assert advice.recent(scope, zone="UTC").start == datetime(2026, 11, 14, tzinfo=UTC)


def test_every_mend_has_an_effort() -> None:
    """Whatever can be advised says what it takes."""
    assert set(advice.EFFORTS) >= MENDS | LIFETIMES


def test_no_lifetime_is_recoverable_while_the_prefix_changes(tmp_path: Path) -> None:
    """A broken prefix writes more cheaply under 5m: that is no reason to hope for its expired entries too."""
    rows = [churn(n, ts) for n, ts in enumerate(every(10 * MINUTE, NOW - 48 * HOUR, NOW - 6 * HOUR))]
    rows += [churn(900 + n, ts) for n, ts in enumerate(every(2 * HOUR, NOW - 6 * HOUR, NOW))]
    lines, lab = studied(tmp_path, rows)

    assert "expired_1h" in {row["cause"] for row in misses.by_cause(lines)}
    assert [row["best"] for row in ttl.advise(lab)] == ["off"]
    assert [row["cause"] for row in advice.mends(lines, lab)] == ["prefix_changed"]


def test_a_filter_makes_no_month_of_another_length(tmp_path: Path) -> None:
    """An engine that called once in six days, a broken one that called for one: each costs a month the same alone."""
    rows = [call(ts, engine="busy") for ts in every(10 * MINUTE, NOW - 144 * HOUR, NOW)]
    rows += [churn(n, ts, engine="day") for n, ts in enumerate(every(10 * MINUTE, NOW - 24 * HOUR, NOW - HOUR))]
    rows += [churn(999, NOW - 60 * HOUR, engine="once")]
    for name in ("once", "day"):
        whole, alone = (
            studied(tmp_path / f"{name}{n}", rows, Scope(start=NOW - 140 * HOUR, engines=engines))
            for n, engines in enumerate(((), (name,)))
        )
        for question in (ttl.advise, ttl.compare):
            found = [[row for row in question(lab) if row["engine"] == name] for _, lab in (whole, alone)]
            assert found[0] == found[1]
        acts = [[row for row in advice.actions(*both) if row["engine"] == name] for both in (whole, alone)]
        assert acts[0] == acts[1]
    off = next(row for row in ttl.compare(alone[1]) if row["policy"] == "off")
    assert off["month_usd"] < off["cost_usd"] * 6


@pytest.mark.parametrize(("misses_at_the_end", "listed"), [(1, []), (4, []), (5, ["prefix_changed"])])
def test_a_month_is_not_told_from_a_call_or_two(tmp_path: Path, misses_at_the_end: int, listed: list[str]) -> None:
    """What has just begun is listed from its fifth call on, however dear an hour of the first would be."""
    moments = every(10 * MINUTE, NOW - 72 * HOUR, NOW)
    healthy = len(moments) - misses_at_the_end
    rows = [call(ts) if n < healthy else churn(n, ts) for n, ts in enumerate(moments)]

    assert [row["cause"] for row in advice.actions(*studied(tmp_path, rows))] == listed
