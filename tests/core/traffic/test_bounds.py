"""However much traffic there is: the newest calls are judged together, and it is known from when on."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from core.metrics.scope import Scope
from core.store.query import Reader
from core.traffic import bounded
from core.traffic.bounds import EVERY, LEAST_LOOK_BACK, pieces
from core.traffic.calls import LOOK_BACK
from tests.support.lakes import fill
from tests.support.rows import NOON
from tests.support.traffic import at, reads

PER_HOUR = (3, 2, 4, 1)  # calls from noon on


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """A store with a few calls in each of four hours, and one nine days before."""
    rows = [reads(at(hours=hour, minutes=5 * n)) for hour, count in enumerate(PER_HOUR) for n in range(count)]
    with Reader(fill(tmp_path_factory.mktemp("bounds"), calls=[*rows, reads(at(days=-9))])) as opened:
        yield opened


def test_what_fits_is_judged_whole(reader: Reader) -> None:
    """As many calls as the limit: nothing is cut, and all of the days before are read."""
    found = bounded(reader, Scope(start=NOON), at_once=10)

    assert (found.scope, found.look_back, found.cut) == (Scope(start=NOON), LOOK_BACK, False)


@pytest.mark.parametrize(("at_once", "first_hour"), [(9, 1), (7, 1), (6, 2), (5, 2), (4, 3), (1, 3)])
def test_more_is_cut_at_the_hour_from_which_on_it_fits(reader: Reader, at_once: int, first_hour: int) -> None:
    """The newest hours are kept; the last one always."""
    found = bounded(reader, Scope(start=NOON, engines=("tutor",)), at_once=at_once)

    assert found.cut
    assert found.scope == Scope(start=at(hours=first_hour), engines=("tutor",))


def test_an_open_range_begins_with_what_is_judged(reader: Reader) -> None:
    """Everything that is stored, of which only the last hours fit."""
    assert bounded(reader, Scope(), at_once=10).scope.start == NOON
    assert not bounded(reader, Scope(), at_once=11).cut


def test_a_range_that_begins_within_an_hour_keeps_its_start(reader: Reader) -> None:
    """Its first hour fits as a whole: the start that was asked for is not moved."""
    half = at(minutes=4)
    found = bounded(reader, Scope(start=half, end=at(hours=2)), at_once=5)

    assert (found.scope.start, found.cut) == (half, False)


def test_dense_traffic_before_is_read_as_far_as_it_fits(reader: Reader) -> None:
    """Two hours at least: an entry lives for one at most."""
    last = Scope(start=at(hours=3))

    assert bounded(reader, last, with_earlier=1 + 9).look_back == LOOK_BACK
    assert bounded(reader, last, with_earlier=1 + 8).look_back == timedelta(hours=2)
    assert bounded(reader, last, with_earlier=1).look_back == LEAST_LOOK_BACK


@pytest.fixture
def dense(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Reader]:
    """An hour with a call in every minute, two quiet ones before it, and a machine that judges twenty at once."""
    monkeypatch.setattr("core.traffic.bounds.AT_ONCE", 20)
    monkeypatch.setattr("core.traffic.bounds.WITH_EARLIER", 30)
    rows = [reads(at(minutes=n)) for n in range(60)] + [reads(at(hours=-1)), reads(at(hours=-2))]
    with Reader(fill(tmp_path, calls=rows)) as opened:
        yield opened


def test_an_hour_with_too_many_calls_is_cut_at_a_minute(dense: Reader) -> None:
    """Memory is bounded by calls, whatever the hour holds: the newest minutes are judged, and said to be."""
    found = bounded(dense, Scope(start=NOON))

    assert (found.cut, found.scope.start, found.calls) == (True, at(minutes=40), 60)
    assert found.look_back == timedelta(minutes=30)  # beside the 20 judged: the 30 calls before them, and no more


def test_a_quiet_hour_after_a_dense_one_does_not_make_room_for_all_of_it(dense: Reader) -> None:
    """What is looked back on is bounded too, at a minute."""
    found = bounded(dense, Scope(start=at(minutes=55)))

    assert (found.cut, found.scope.start) == (False, at(minutes=55))
    assert found.look_back == timedelta(minutes=45)  # 50 in all, of which 5 are judged


def test_who_wants_everything_at_once_gets_it(dense: Reader) -> None:
    """A person may say that there is memory."""
    found = bounded(dense, Scope(), at_once=EVERY, with_earlier=EVERY)

    assert (found.cut, found.scope.start, found.look_back) == (False, None, LOOK_BACK)


def test_pieces_cut_an_hour_with_too_many_calls(dense: Reader) -> None:
    """Each call is in one piece, and no piece holds more than are judged at once."""
    found = pieces(dense, at(hours=-2), None, at_once=20)

    assert found[-3:] == [
        (at(minutes=18), at(minutes=38)),
        (at(minutes=38), at(minutes=58)),
        (at(minutes=58), at(hours=1)),
    ]
    assert found[0] == (at(hours=-2), at(minutes=18))
    assert all(one[1] == other[0] for one, other in pairwise(found))


def test_nothing_stored_is_nothing_cut(tmp_path: Path) -> None:
    """An empty store has the range that was asked for."""
    with Reader(fill(tmp_path)) as empty:
        assert bounded(empty, Scope()).scope == Scope()


@pytest.mark.parametrize(("at_once", "hours"), [(1, [1, 1, 1, 1]), (5, [2, 2]), (9, [3, 1]), (10, [4])])
def test_pieces_hold_every_hour_once(reader: Reader, at_once: int, hours: list[int]) -> None:
    """A piece ends before the hour with which it would hold too many; an hour is never cut."""
    found = pieces(reader, NOON, None, at_once=at_once)
    assert [(end - start) / timedelta(hours=1) for start, end in found] == hours
    assert found[0][0] == NOON
    assert all(one[1] == other[0] for one, other in pairwise(found))


def test_pieces_keep_to_the_range(reader: Reader) -> None:
    """What is asked for within an hour is no more than that; where nothing is there are none."""
    half, late = NOON + timedelta(minutes=30), at(hours=1, minutes=10)
    assert pieces(reader, half, late, at_once=10) == [(half, late)]
    assert pieces(reader, at(days=1), None, at_once=10) == []
