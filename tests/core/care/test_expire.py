"""Retention: whole dates go, the audit log and the collector's place stay."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

from core import care
from tests.support.lakes import fill
from tests.support.rows import NOON, make_call, make_invocation, make_pass, make_store_event

DAY = timedelta(days=1)
FIRST_KEPT = date(2026, 11, 20)


def test_what_is_older_goes_and_the_rest_stays(tmp_path: Path) -> None:
    """Every table loses the dates before; the day itself is kept whole."""
    moments = (NOON - 2 * DAY, NOON - DAY, NOON, NOON + DAY)
    lake = fill(
        tmp_path,
        calls=[make_call(ts=ts) for ts in moments],
        invocations=[make_invocation(ts=ts) for ts in moments],
        prompt_store_events=[make_store_event(ts=ts) for ts in moments],
    )
    foreseen = {item.table: item.rows for item in care.foresee(lake, FIRST_KEPT)}

    care.expire(lake, FIRST_KEPT, actor="me")

    assert foreseen == {"calls": 2, "invocations": 2, "prompt_store_events": 2, "ingest_passes": 0, "probes": 0}
    for table in ("calls", "invocations", "prompt_store_events"):
        assert sorted(lake.read(table)["ts"].to_pylist()) == [NOON, NOON + DAY]
    assert sorted(lake.read("actions")["result"].to_pylist()) == ["done", "started"]


def test_the_place_of_every_source_is_kept(tmp_path: Path) -> None:
    """The newest pass with a cursor stays however old it is: else the source would be read from the start."""
    lake = fill(
        tmp_path,
        ingest_passes=[
            make_pass(pass_id="a/1", source="a", ts=NOON - 3 * DAY),
            make_pass(pass_id="a/2", source="a", ts=NOON - 2 * DAY, cursor_json='{"here": 1}'),
            make_pass(pass_id="b/1", source="b", ts=NOON - 2 * DAY),
            make_pass(pass_id="b/2", source="b", ts=NOON),
        ],
    )

    care.expire(lake, FIRST_KEPT, actor="me")

    assert sorted(lake.read("ingest_passes")["pass_id"].to_pylist()) == ["a/2", "b/2"]
    last = lake.last_pass("a")
    assert last and last["cursor_json"] == '{"here": 1}'


def test_nothing_to_drop_changes_nothing(tmp_path: Path) -> None:
    """Without older rows no table gets a new version."""
    lake = fill(tmp_path, calls=[make_call(ts=NOON)])
    before = lake.version("calls")

    care.expire(lake, FIRST_KEPT, actor="me")

    assert lake.version("calls") == before
