"""Causes that need a conversation to go wrong: every part changes, models and speeds switch, look-backs are overrun."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from core import misses
from core.metrics.scope import Scope
from core.store.query import Reader
from tests.support.changing import Changing, Parts, confuse_changing
from tests.support.rows import Row
from tests.support.traffic import PREFIX, at, reads, text, traffic_of, writes
from tests.support.truth import Confusion

FAST, NEWER = {"speed": "fast"}, {"model": "claude-opus-4-6"}


def examine(folder: Path, *, by_text: bool, talks: int = 2) -> tuple[Confusion, Parts]:
    fleet = Changing.live(301, text=by_text, requests=160, talks=talks)
    lake = fleet.collect(folder)
    with Reader(lake, threads=1) as reader:
        return confuse_changing(fleet, lake, misses.ledger(reader, Scope()))


def test_a_changing_fleet_with_fingerprints(tmp_path: Path) -> None:
    """At least 99 % of tokens under their true cause, the part that changed named, and what is measured is so."""
    found, parts = examine(tmp_path, by_text=False)

    assert found.unmatched == 0
    assert found.share(without=["dynamic_tail"]) >= 0.99
    assert found.measured_share >= 0.999
    assert parts.right >= 0.99 * parts.tokens > 0


@pytest.mark.parametrize(("talks", "least"), [(2, 0.95), (4, 0.90)])
def test_a_changing_fleet_with_text_lines_alone(tmp_path: Path, talks: int, least: float) -> None:
    """So much is under its true cause, and of what a cause is named for nine tokens in ten; nothing is measured."""
    found, _ = examine(tmp_path, by_text=True, talks=talks)

    assert found.unmatched == 0
    assert found.named_share(without=["dynamic_tail"]) >= 0.90
    assert found.share(without=["dynamic_tail"]) >= least
    assert found.measured_share >= 0.999


def prefix_lines(rows: list[Row]) -> list[tuple[str, str | None, str]]:
    lines = misses.of_traffic(traffic_of(rows)).to_pylist()
    return [(x["cause"], x["detail"], x["confidence"]) for x in lines if x["cause"] != "dynamic_tail"]


@pytest.mark.parametrize(("other", "part"), [(FAST, "speed"), (NEWER, "model")])
def test_a_return_after_the_entry_died(other: Row, part: str) -> None:
    """Two hours of another model or speed: the old entry is dead, but it was the switch that left it behind."""
    away = [writes(at(minutes=5), **other), *(reads(at(minutes=5 + 20 * n), **other) for n in range(1, 7))]
    steady = [reads(at(minutes=131 + n)) for n in range(20)]
    rows = [writes(at(minutes=0)), *away, writes(at(minutes=130)), *steady]

    assert prefix_lines(rows)[1:] == [("prefix_changed", part, "measured")] * 2


def test_a_return_to_what_would_have_died_anyway() -> None:
    """The engine was silent for more than an hour: staying with the model would not have helped."""
    steady = [reads(at(minutes=201 + n)) for n in range(20)]
    rows = [writes(at(minutes=0)), writes(at(minutes=5), **NEWER), writes(at(minutes=200)), *steady]

    assert prefix_lines(rows)[-1][0] == "expired_1h"


def test_models_side_by_side_are_no_switch() -> None:
    """An engine that uses two models in turn has two lanes: each one's expiry is its own."""
    rows: list[Row] = []
    for n in range(0, 700, 70):
        rows += [writes(at(minutes=n)), writes(at(minutes=n + 30), **NEWER)]

    assert {cause for cause, _, _ in prefix_lines(rows)[2:]} == {"expired_1h"}


def talk(moment: datetime, *turns: str, read: int, write: int, **other: Any) -> Row:
    """A call that caches its conversation too: one system block, then the turns."""
    listed = " ".join(["system:s", *(f"messages:{turn}" for turn in turns)])
    counts = {"cache_read_tokens": read, "cache_write_1h_tokens": write}
    return writes(moment, prefix_blocks=listed, prefix_fingerprint="-".join(turns), **counts, **other)


def test_conversations_in_turn_do_not_change_each_other() -> None:
    """A new conversation and one that goes on are first touches, whichever was asked last; an edited one changed."""
    rows = [
        talk(at(minutes=0), "a", read=0, write=PREFIX),
        talk(at(minutes=1), "x", read=5_000, write=900),
        talk(at(minutes=2), "a", "b", "c", read=PREFIX, write=700),
        talk(at(minutes=3), "x", "y", read=5_900, write=300),
        talk(at(minutes=4), "a", "b", "C", read=5_000, write=1_700),
    ]

    assert prefix_lines(rows) == [
        ("first_touch", None, "inferred"), ("first_touch", None, "measured"), ("first_touch", None, "measured"),
        ("first_touch", None, "measured"), ("prefix_changed", "messages", "measured"),
    ]  # fmt: skip


def test_conversations_that_open_alike() -> None:
    """A greeting in common makes no edit, nor does more where the first goes on as it was; else it is one."""
    rows = [
        talk(at(minutes=0), "hello", "hi", "a", read=0, write=PREFIX),
        talk(at(minutes=1), "hello", "x", read=5_000, write=1_000),
        talk(at(minutes=2), "hello", "hi", "b", read=5_000, write=1_000),
        talk(at(minutes=3), "hello", "hi", "a", "c", read=PREFIX, write=500),
        talk(at(minutes=4), "hello", "hi", "B", read=5_000, write=1_000),
    ]

    assert [cause for cause, _, _ in prefix_lines(rows)] == [*["first_touch"] * 4, "prefix_changed"]


def test_a_conversation_dies_alone() -> None:
    """The engine's system prompt is warm, this conversation's last call was an hour and a half ago."""
    others = [talk(at(minutes=30 * n), "x", read=6_000, write=0) for n in range(1, 3)]
    rows = [
        talk(at(minutes=0), "a", read=0, write=PREFIX), talk(at(minutes=1), "x", read=5_000, write=1_000),
        *others, talk(at(minutes=90), "a", "b", read=5_000, write=1_300),
    ]  # fmt: skip

    assert prefix_lines(rows)[-1] == ("expired_1h", None, "measured")


def test_a_conversation_told_by_text_lines() -> None:
    """It reads just what the call before it had cached: it went on, and nothing changed."""
    grown = [text(writes(at(minutes=n), cache_read_tokens=PREFIX + 500 * (n - 1), cache_write_1h_tokens=500))
             for n in range(1, 5)]  # fmt: skip

    assert {cause for cause, _, _ in prefix_lines([text(writes(at(minutes=0))), *grown])} == {"first_touch"}
