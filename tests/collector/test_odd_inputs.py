"""More than two hundred odd inputs, read together: what each should give was worked out by hand."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pytest

from core.store.lake import Lake
from tests.support.collecting import adds_up, collect, rows
from tests.support.odd.case import Counts
from tests.support.odd.every import every_case

_SHARDS = (b"{", b"}", b"[", b"]", b'"', b"null", b"1e999", b"-1", b"\\ud800", b"\0", b"\xff", b"\n", b"\r", b"NaN",
           b"99999999999999999999", b"[[[[[[", b'{"a":')  # fmt: skip
_VALUES = (b" null", b' "x"', b" []", b" {}", b" -5", b" 1.5", b" true", b" [1,2]", b" 18446744073709551616")


def _counts(row: dict[str, Any]) -> Counts:
    cost = row["cost_usd"]
    return (
        row["input_tokens"], row["cache_read_tokens"], row["cache_write_5m_tokens"], row["cache_write_1h_tokens"],
        row["output_tokens"], None if cost is None else Decimal(cost).normalize(),
    )  # fmt: skip


def _same(told: Counts) -> Counts:
    return (*told[:5], None if told[5] is None else told[5].normalize())


def _damaged(draw: Random, data: bytes, others: list[bytes]) -> bytes:
    """Return an input in which something went wrong on the way."""
    told = bytearray(data)
    for _ in range(draw.randrange(1, 6)):
        at = draw.randrange(len(told) + 1)
        value = told.find(b":", at) + 1
        match draw.randrange(6):
            case 0:
                del told[at : at + draw.randrange(1, 30)]
            case 1:
                told[at:at] = draw.choice(_SHARDS)
            case 2:
                told[at:at] = told[at : at + draw.randrange(1, 60)]
            case 3:
                told[value : value + draw.randrange(1, 8)] = draw.choice(_VALUES)
            case 4:
                del told[at:]
            case _:
                told += draw.choice(others)
    return bytes(told)


@pytest.mark.parametrize("seed", range(3))
def test_damage_anywhere_is_counted_and_stops_nothing(lake: Lake, tmp_path: Path, seed: int) -> None:
    """Whatever became of the same inputs on the way: no error, every line in one counter, nothing told twice."""
    draw = Random(seed)
    cases = [case for case in every_case() if len(case.content) < 100_000]
    for number, case in enumerate(cases):
        path = tmp_path / f"{number:03d}" / f"f{case.suffix}"
        path.parent.mkdir()
        path.write_bytes(_damaged(draw, case.content, [other.content for other in cases]))

    first, again = collect(lake, tmp_path), collect(lake, tmp_path, name="again")

    assert first.new_calls > 30 and first.lines_skipped > 100
    assert adds_up(first) and set(first.examples) == set(first.skipped)
    assert (again.new_calls, again.replaced) == (0, 0)


def test_odd_inputs_give_what_a_person_works_out(lake: Lake, tmp_path: Path) -> None:
    """Counts, dollars, skips and problems of every one; nothing lost, nothing twice, no matter how often it is read."""
    cases = list(every_case())
    for number, case in enumerate(cases):
        path = tmp_path / f"{number:03d}" / f"f{case.suffix}"
        path.parent.mkdir()
        path.write_bytes(case.content)

    first, again = collect(lake, tmp_path), collect(lake, tmp_path, name="again")

    told: dict[str, Counter[Counts]] = {}
    for row in rows(lake, "calls"):
        told.setdefault(row["log_stream"] or "", Counter())[_counts(row)] += 1
    wanted, elsewhere, wrong = Counter[Counts](), Counter[Counts](), []
    for number, case in enumerate(cases):
        due = Counter(map(_same, case.calls))
        got = told.pop(str(tmp_path / f"{number:03d}" / f"f{case.suffix}"), Counter())
        if got and got != due:
            wrong.append((case.name, due, got))
        elif not got:
            wanted += due  # the stream of its lines is not its file
    for got in told.values():
        elsewhere += got
    assert len(cases) > 230 and len({case.name for case in cases}) == len(cases)
    assert wrong == []
    assert elsewhere == wanted
    assert dict(first.skipped) == dict(sum((Counter(case.skips) for case in cases), Counter()))
    assert Counter(problem.code for problem in first.problems) == Counter(
        case.problem for case in cases if case.problem
    )
    assert set(first.examples) == set(first.skipped) and adds_up(first)
    assert (again.new_calls, again.replaced) == (0, 0)
