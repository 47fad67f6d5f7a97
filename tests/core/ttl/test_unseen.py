"""Requests that no log tells of: they write and refresh all the same, and nobody is billed for them here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from core import ttl
from core.metrics.scope import Scope
from core.store.query import Reader
from tests.support.lakes import fill
from tests.support.rows import Row, make_invocation, make_store_event
from tests.support.traffic import at, reads, text, writes

QUIET = [(reads if n else writes)(at(days=-1, minutes=n), invocation_id=f"q{n}") for n in range(30)]
"""Thirty calls of the day before, so that one lost answer is not most of the traffic."""


def advice_of(path: Path, rows: list[Row], *lost: float, status: str = "timeout") -> tuple[dict[str, Any], ttl.Lab]:
    """Return the advice for calls and, at these minutes, invocations whose answer nobody saw."""
    gone = [(at(minutes=minute), f"lost{minute}") for minute in lost]
    lake = fill(
        path,
        calls=QUIET + rows,
        invocations=[make_invocation(ts=ts, invocation_id=name, status=status) for ts, name in gone],
        prompt_store_events=[make_store_event("hit", ts=ts, invocation_id=name, engine="tutor") for ts, name in gone],
    )
    with Reader(lake) as reader:
        lab = ttl.lab(reader, Scope())
    return ttl.advise(lab)[0], lab


def test_a_timed_out_request_keeps_the_prefix_warm(tmp_path: Path) -> None:
    """Eighty minutes between two calls, and yet the second read: the one that timed out between them did it."""
    rows = [writes(at()), reads(at(minutes=80))]

    told, lab = advice_of(tmp_path / "told", rows, 40)
    without, _ = advice_of(tmp_path / "without", rows)

    assert told["replayed_usd"] == told["observed_usd"]
    assert without["replayed_usd"] > without["observed_usd"]
    assert sum(lab.calls.tolist()) == 32


def test_text_lines_are_understood_the_same_way(tmp_path: Path) -> None:
    """Without fingerprints, too."""
    rows = [text(writes(at(), invocation_id="a")), text(reads(at(minutes=80), invocation_id="b"))]
    told, _ = advice_of(tmp_path, rows, 40, status="error")

    assert told["replayed_usd"] == told["observed_usd"]


def test_a_request_that_was_never_sent_refreshes_nothing(tmp_path: Path) -> None:
    """The call that came within the lifetime had to write: what failed before it never reached Claude."""
    told, _ = advice_of(tmp_path, [writes(at()), writes(at(minutes=80))], 40)

    assert told["replayed_usd"] == told["observed_usd"]


def test_many_silent_invocations_are_no_requests(tmp_path: Path) -> None:
    """Where every second one tells of no call, its calls are told elsewhere."""
    told, _ = advice_of(tmp_path, [writes(at()), reads(at(minutes=80))], *range(2, 40))

    assert told["replayed_usd"] > told["observed_usd"]


def test_keep_alives_follow_a_request_without_an_answer(tmp_path: Path) -> None:
    """They are sent after any request, and cost what they cost: the only dollars it adds."""
    rows = [writes(at()), reads(at(minutes=80))]
    _, told = advice_of(tmp_path / "told", rows, 40)
    _, without = advice_of(tmp_path / "without", rows)

    pings = told.pings.sum() - without.pings.sum()
    more = {policy: told.costs[policy].sum() - without.costs[policy].sum() for policy in ("off", "5m_keep_alive")}
    assert pings == 9 + 9 - 11  # eleven are the most, and would not have reached the last call
    assert more == {"off": 0, "5m_keep_alive": 6_000 * (pings * 500_000 - (6_250_000 - 500_000))}
