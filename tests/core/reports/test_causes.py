"""Miss causes of a long report, judged some days at a time, are those judged together, to the last digit."""

import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from core import misses
from core.metrics.scope import Scope
from core.misses import sums
from core.pricing import default_book
from core.reports import causes
from core.reports.request import Desk, Request, silent
from core.reports.table import Report
from core.store.query import Reader
from core.traffic import load, slices
from core.traffic.slices import midnight
from tests.support import steady
from tests.support.lakes import fill

DAYS = 24
_SLICES = sys.modules["core.traffic.slices"]  # the package has a function of the same name


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """Four weeks of two engines, one by records and broken by a deploy, one by text lines; some calls have no price."""
    text = {"engine": "notice", "told_by": "text", "ts_kind": "logged", "prefix_fingerprint": None, "ttft_ms": None}
    calls = [
        *steady.traffic(steady.since(steady.CHANGE, steady.broken), days=DAYS),
        *steady.traffic(seed=6, days=DAYS, **text),
        *steady.traffic(seed=7, days=3, engine="new", model="claude-unheard-of", price_status="unpriced"),
    ]
    with Reader(fill(tmp_path_factory.mktemp("causes"), calls=calls)) as reader:
        yield Desk(reader, default_book())


@pytest.fixture(scope="module")
def calls(desk: Desk) -> int:
    """How many calls there are."""
    return int(desk.reader.rows(desk.reader.table("calls").count().as_table())[0].popitem()[1])


@pytest.fixture(scope="module")
def whole(desk: Desk) -> Report:
    """What all of it gives, judged together."""
    return causes.causes(desk, Request(), progress=silent)


def told(rows: list[dict[str, Any]]) -> dict[str, tuple[Any, ...]]:
    """What a report says of each cause, but what could be had back: only the replay of the whole knows that."""
    return {row["cause"]: tuple(row[name] for name in (*sums.SUMS, "usd", "measured_share")) for row in rows}


@pytest.mark.parametrize("days", [4, 11])
def test_slices_agree_with_the_whole(
    desk: Desk, calls: int, whole: Report, monkeypatch: pytest.MonkeyPatch, days: int
) -> None:
    """Tokens, dollars, calls and confidence of every cause, and their total, however few days are in memory."""
    monkeypatch.setattr("core.traffic.bounds.AT_ONCE", 100)
    monkeypatch.setattr("core.traffic.bounds.WITH_EARLIER", 10**9)
    monkeypatch.setattr(_SLICES, "AT_ONCE", int((8 + days + 0.5) * calls / DAYS))
    asked: list[int] = []

    sliced = causes.causes(desk, Request(), progress=lambda step, done, of: asked.append(of))

    assert set(asked) == {-(-DAYS // days)}
    assert told(sliced.groups) == told(whole.groups)
    assert {row["cause"] for row in whole.groups} >= {"prefix_changed", "expired_1h", "dynamic_tail", "first_touch"}
    assert sliced.total["usd"] == whole.total["usd"] == sum(row["usd"] or Decimal(0) for row in sliced.groups)
    assert sliced.total["tokens"] == whole.total["tokens"]


def test_slices_touch_and_begin_at_midnight(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """None overlaps another, the range is whole, filters stay; denser traffic makes them shorter, to one day."""
    scope = Scope(steady.MONDAY + timedelta(hours=7), steady.END, engines=("sales",))
    monkeypatch.setattr(_SLICES, "AT_ONCE", 10_000)

    parts = slices(desk.reader, scope, 11_000)

    assert parts[0].start == scope.start
    assert parts[-1].end == scope.end
    assert all(one.end == two.start == midnight(two.start) for one, two in pairwise(parts))  # type: ignore[arg-type]
    assert {replace(part, start=None, end=None) for part in parts} == {Scope(engines=("sales",))}
    assert len(slices(desk.reader, scope, 10**9)) == 12
    assert slices(desk.reader, Scope(steady.END + timedelta(days=99)), 10**9) == []


def test_a_day_of_too_many_calls_is_judged_in_hours(desk: Desk, calls: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """However dense the traffic, no more is judged at once than anywhere, and every call once."""
    days = Scope(midnight(steady.CHANGE) - timedelta(days=1), midnight(steady.CHANGE) + timedelta(days=2))
    whole = causes.causes(desk, Request(days), progress=silent)
    monkeypatch.setattr("core.traffic.bounds.AT_ONCE", 200)
    monkeypatch.setattr("core.traffic.bounds.WITH_EARLIER", 10**9)
    monkeypatch.setattr(_SLICES, "AT_ONCE", 1)

    parts = slices(desk.reader, days, calls)
    sliced = causes.causes(desk, Request(days), progress=silent)

    assert len(parts) > 3
    assert all(one.end <= two.start for one, two in pairwise(parts))  # type: ignore[operator]
    assert told(sliced.groups) == told(whole.groups)


def test_sums_are_those_of_the_lines(desk: Desk) -> None:
    """The ledger added up without its lines tells what its lines add up to."""
    traffic = load(desk.reader, Scope(), desk.book)

    lines = {row.pop("cause"): row for row in misses.groups(misses.of_traffic(traffic), ("cause",))}
    found = sums.by_cause(traffic)

    assert {cause: {name: row[name] for name in (*sums.SUMS, *sums.DOLLARS)} for cause, row in lines.items()} == found


def test_sums_hold_any_number_of_picodollars() -> None:
    """A sum that 64 bits do not hold is exact all the same."""
    assert sums.dollars(np.array([2**63 - 1, 2**63 - 1, 1])) == Decimal("18446744.073709551615")
    assert sums.dollars(np.array([-5])) == Decimal("-0.000000000005")
    assert sums.dollars(np.array([], dtype=np.int64)) is None
