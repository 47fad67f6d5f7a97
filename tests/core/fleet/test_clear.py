"""A clear from confirmation to audit."""

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from core.errors import FixSettings, TryAgain
from core.fleet import audit
from core.fleet.clear import Clear, clear_prompt_store, past_clears
from core.fleet.clear_variable import Patience
from core.fleet.preview import Preview, preview
from core.metrics import markers
from core.metrics.scope import Scope
from core.pricing import default_book
from core.store.lake import Lake
from core.store.query import Reader
from tests.core.fleet.conftest import NOON, SOURCE
from tests.core.fleet.test_clear_variable import SECRET, Lambda, refusal


class Table:
    """A DynamoDB client that takes one update, or fails as told."""

    def __init__(self, error: Exception | None = None) -> None:
        self.asked: list[dict[str, Any]] = []
        self._error = error

    def update_item(self, **asked: Any) -> dict[str, Any]:
        if self._error:
            raise self._error
        self.asked.append(asked)
        return {}


def ticking() -> Callable[[], datetime]:
    """A clock that shows noon and goes on a second at each look."""
    moments = (NOON + timedelta(seconds=n) for n in range(100))
    return lambda: next(moments)


def clear(lake: Lake, client: Any, *, confirmation: str = "bodo", **asked: Any) -> Clear:
    """Preview and clear."""
    with Reader(lake, threads=1) as reader:
        foreseen: Preview = preview(reader, default_book(), SOURCE, now=NOON, **asked)
    return clear_prompt_store(
        lake,
        SOURCE,
        foreseen,
        actor="kim",
        confirmation=confirmation,
        client=client,
        clock=ticking(),
        patience=Patience(sleep=lambda _: None),
    )


def told(lake: Lake) -> list[audit.Recorded]:
    """The audit log."""
    with Reader(lake, threads=1) as reader:
        return audit.recorded_actions(reader)


def test_a_clear_is_written_before_and_after(lake: Lake) -> None:
    """Who, what, what was foretold, what was done; and any process can follow it."""
    done = clear(lake, Table(), engine="sales")

    (entry,) = told(lake)
    assert (entry.actor, entry.action, entry.target, entry.result) == (
        "kim", "clear", "bodo/prompt-store/sales", "done",
    )  # fmt: skip
    assert entry.before["expected_misses"] == 3
    assert entry.after["epoch"] == done.epoch == int(NOON.timestamp() * 1000)
    assert sorted(lake.read("actions")["result"].to_pylist()) == ["done", "started"]
    with Reader(lake, threads=1) as reader:
        assert past_clears(reader, source="bodo") == [done]


def test_it_takes_effect_when_the_last_environment_has_looked(lake: Lake) -> None:
    """The epoch is written by 12:00:01, and an environment may look 30 seconds later."""
    assert clear(lake, Table()).effective_at == NOON + timedelta(seconds=31)


def test_charts_show_a_marker(lake: Lake) -> None:
    """The clear is a prompt-store event of the whole fleet."""
    clear(lake, Table())

    with Reader(lake, threads=1) as reader:
        assert markers(reader, Scope()) == [{"ts": NOON, "kind": "clear", "label": "all engines", "source": "bodo"}]


@pytest.mark.parametrize("typed", ["", "yes", "Bodo", "bodo-2"])
def test_another_word_is_no_confirmation(lake: Lake, typed: str) -> None:
    """Nothing is asked of AWS and nothing is recorded unless the source's name was typed."""
    table = Table()

    with pytest.raises(FixSettings, match=r'FLT-402.*Type the name of the source: "bodo"'):
        clear(lake, table, confirmation=typed)

    assert table.asked == []
    assert told(lake) == []


def test_a_failure_is_in_the_audit_log(lake: Lake) -> None:
    """What AWS refused is recorded by its code, and there is no marker of a clear that was not."""
    with pytest.raises(FixSettings, match="FLT-405"):
        clear(lake, Table(refusal("AccessDeniedException")))

    (entry,) = told(lake)
    assert (entry.result, entry.after["error_code"]) == ("failed", "FLT-405")
    with Reader(lake, threads=1) as reader:
        assert markers(reader, Scope()) == []
        assert past_clears(reader, source="bodo") == []


def test_what_cannot_be_recorded_is_not_done(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an audit log there is no clear."""

    def full(*_: object, **__: object) -> None:
        raise TryAgain("The disk is full.", code="STO-003")

    monkeypatch.setattr(Lake, "commit", full)
    table = Table()

    with pytest.raises(TryAgain, match="STO-003"):
        clear(lake, table)

    assert table.asked == []


def test_variables_are_counted_in_the_audit_log_and_nothing_more(lake: Lake) -> None:
    """By the variable way all engines go; no name and no value of a variable is stored."""
    done = clear(lake, Lambda(), method="variable", engine="sales")

    (entry,) = told(lake)
    assert (done.engine, done.version, entry.target) == (None, "$LATEST", "bodo/prompt-store/*")
    assert entry.after["variables"] == 2
    stored = json.dumps(lake.read("actions").to_pylist(), default=str)
    assert SECRET not in stored
    assert "TOKEN" not in stored


def test_aws_is_imported_when_first_needed() -> None:
    """A page that only shows what is held does not load boto3."""
    code = "import core.fleet, sys; print(sorted({'boto3', 'botocore'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)

    assert done.stdout.strip() == "[]"
