"""More than two hundred odd inputs, read together: what each should give was worked out by hand."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

from core.store.lake import Lake
from tests.support.collecting import adds_up, collect, rows
from tests.support.odd.case import Counts
from tests.support.odd.every import every_case


def _counts(row: dict[str, Any]) -> Counts:
    cost = row["cost_usd"]
    return (
        row["input_tokens"], row["cache_read_tokens"], row["cache_write_5m_tokens"], row["cache_write_1h_tokens"],
        row["output_tokens"], None if cost is None else Decimal(cost).normalize(),
    )  # fmt: skip


def _same(told: Counts) -> Counts:
    return (*told[:5], None if told[5] is None else told[5].normalize())


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
