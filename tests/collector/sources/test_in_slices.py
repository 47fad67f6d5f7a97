"""Wrapped lines, pieces, indented objects and streams that arrive in slices: the same calls as read at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from collector.sources import file_bytes
from core.store.lake import Lake
from tests.collector.sources.test_wrappers import cri, docker, firelens, journal
from tests.support.collecting import adds_up, collect, rows
from tests.support.log_lines import T0
from tests.support.odd.answer import events, message
from tests.support.odd.case import cost, record, text

Around = Callable[[str, int], list[str]]


def _bare(line: str, ms: int) -> list[str]:
    return [line]


def _told(draw: Random, number: int) -> list[str]:
    """Return the lines of one thing that a service may write."""
    long = {"x": "f" * draw.randrange(16_000, 60_000)}
    return draw.choice(
        (
            [text(record(i=number))],
            [cost(i=number, r=number)],
            [f"hello world {number}"],
            [text(record(i=number, prefix=long))],
            text(record(i=number), indent=2).split("\n"),
            [line for event in events(number) for line in (f"event: {event['type']}", f"data: {text(event)}", " ")],
            [text(message())],
            ["{", "not an object"],
            ["{"],
        )
    )


def _log(draw: Random) -> bytes:
    kind = draw.choice((docker, cri, firelens, journal, _bare, None))
    lines: list[str] = []
    for number in range(1, draw.randrange(5, 40)):
        around: Around = kind or draw.choice((docker, cri, firelens, journal, _bare, _bare))  # type: ignore[assignment]
        for line in _told(draw, number):
            lines += around(line, T0 + number * 20_000)
    return ("\n".join(lines) + draw.choice(("\n", "\n", ""))).encode()


def _calls(lake: Lake) -> Counter[tuple[object, ...]]:
    names = ("input_tokens", "cache_read_tokens", "output_tokens", "complete", "cost_usd")
    return Counter(
        (row["call_id"] if row["id_kind"] != "event" else "", *(row[name] for name in names))
        for row in rows(lake, "calls")
    )


@pytest.mark.parametrize("seed", [*range(8), 17, 59])
def test_slices_of_a_log_give_the_calls_of_the_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """In passes of fresh processes while it grows, cut anywhere, or at once: nothing is lost, nothing counted twice."""
    draw = Random(seed)
    data, path = _log(draw), tmp_path / "a.log"
    monkeypatch.setattr(file_bytes, "CHUNK", draw.choice((500, 5_000, 70_000)))
    path.write_bytes(data)
    whole = collect(at_once := Lake(tmp_path / "whole"), path)
    path.unlink()

    sliced, at, read = Lake(tmp_path / "sliced"), 0, 0
    while at < len(data):
        at = min(len(data), at + draw.choice((50, 3_000, 20_000, len(data))))
        path.write_bytes(data[:at])
        last = collect(sliced, path, final=at == len(data) or draw.random() < 0.3)
        read += last.lines_read

    assert adds_up(whole) and adds_up(last)
    assert _calls(sliced) == _calls(at_once)
    assert read == whole.lines_read
