"""What bodo's clients counted is what the collector reads out of bodo's log."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

from core.caching.prompt_table import epoch_update
from core.client import CallReport
from core.store.lake import Lake
from tests.support import bodo, log_lines
from tests.support.bodo import User
from tests.support.collecting import collect, rows

MESSAGES = 24
TOKENS = ("input_tokens", "cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens", "output_tokens")


def test_the_log_gives_the_same_calls_tokens_and_dollars(
    aws: Any, ask: Callable[..., list[str]], user: User, tmp_path: Path
) -> None:
    """Two engines, a clear in the middle, a user who leaves, an unknown engine: to the token and to the last digit."""
    handler = bodo.load_handler()
    counted: list[CallReport] = []
    events: list[tuple[int, str]] = []
    for number in range(MESSAGES):
        if number == MESSAGES // 2:
            aws.update_item(**epoch_update(bodo.TABLE, epoch_ms=1_795_000_000_000))
        user.gone_after = len(user.messages) + 1 if number == 7 else None
        engine = "nobody" if number == 9 else ("sales", "support")[number % 2]
        lines = ask(handler, engine=engine, text=f"Question {number}?", request_id=log_lines.rid(number))
        events += _framed(lines, number)
        if engine != "nobody":
            report = handler.CLIENT.get_last_report()
            assert report is not None
            counted.append(report)

    log = tmp_path / "log.jsonl"
    log.write_text(json.dumps(log_lines.payload(events)))
    lake = Lake(str(tmp_path / "tables"))
    collect(lake, log)

    calls = rows(lake, "calls")
    assert len(calls) == len(counted) == MESSAGES - 1
    for name in TOKENS:
        assert sum(call[name] for call in calls) == sum(getattr(report.usage, name) for report in counted)
    dollars = sum((report.cost_usd or Decimal(0) for report in counted), Decimal(0))
    assert sum(call["cost_usd"] for call in calls) == dollars > 0
    assert all(call["cost_usd"] == call["reported_cost_usd"] for call in calls)
    assert {call["told_by"] for call in calls} == {"record"}
    assert sum(not call["complete"] for call in calls) == 1
    assert all(call["invocation_id"] for call in calls)
    kinds = [event["kind"] for event in rows(lake, "prompt_store_events")]
    assert (kinds.count("miss"), kinds.count("hit")) == (5, MESSAGES - 5)


def _framed(lines: list[str], number: int) -> list[tuple[int, str]]:
    """Put Lambda's START, END and REPORT around the lines of one invocation."""
    at, name = log_lines.T0 + number * 2_000, log_lines.rid(number)
    told = [log_lines.start(name), *lines, f"END RequestId: {name}", log_lines.report(name)]
    return [(at + place, line) for place, line in enumerate(told)]
