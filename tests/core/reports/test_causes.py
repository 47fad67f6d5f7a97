"""Miss causes of a long report, judged a month at a time, are those judged together."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from core.pricing import default_book
from core.reports import causes
from core.reports.request import Desk, Request, silent
from core.store.query import Reader
from tests.support.lakes import fill
from tests.support.rows import NOON, make_call


def test_months_sum_to_what_was_judged_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tokens, dollars and calls of every cause, over the end of a month; the causes sum to the total."""
    began = NOON - timedelta(days=50)
    calls = [
        make_call(
            ts=began + timedelta(hours=7 * number), engine="ab"[number % 2], prefix_fingerprint=f"p{number % 2}",
            cache_write_1h_tokens=4000 if number % 3 else 0, cache_read_tokens=0 if number % 3 else 4000,
            prefix_tokens=4000,
        )
        for number in range(180)
    ]  # fmt: skip
    asked: list[int] = []
    with Reader(fill(tmp_path, calls=calls)) as reader:
        desk = Desk(reader, default_book())
        together = causes.causes(desk, Request(), calls=180, progress=silent)
        monkeypatch.setattr(causes, "IN_ONE_GO", 100)
        by_month = causes.causes(desk, Request(), calls=180, progress=lambda step, done, of: asked.append(of))

    def told(rows: list[dict[str, Any]]) -> dict[str, tuple[Any, ...]]:
        return {row["cause"]: (row["tokens"], row["usd"], row["calls"], row["measured_tokens"]) for row in rows}

    assert asked == [2, 2]
    assert told(by_month.groups) == told(together.groups)
    assert by_month.total["usd"] == together.total["usd"] == sum(row["usd"] for row in together.groups)
    assert by_month.total["tokens"] == together.total["tokens"]
