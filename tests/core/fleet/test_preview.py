"""What a clear is foretold to do."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from core.errors import FixSettings
from core.fleet.clear_variable import FunctionState
from core.fleet.preview import Preview, clear_settings, preview
from core.pricing import default_book
from core.settings import ClearSettings
from core.store.lake import Lake
from core.store.query import Reader
from tests.core.fleet.conftest import NOON, SOURCE, minutes
from tests.support.rows import make_call, table_of

READY = FunctionState("7", True, False, 3, False, (), ())


def foretold(reader: Reader, **asked: Any) -> Preview:
    """Preview a clear at noon."""
    return preview(reader, default_book(), SOURCE, now=NOON, **asked)


def test_every_active_environment_reads_each_engine_once_more(reader: Reader) -> None:
    """Three active environments hold five prompts: five MISSes, five reads, no cold start."""
    told = foretold(reader)

    assert (told.active, told.engines, told.expected_misses, told.dynamodb_reads) == (3, ("sales", "support"), 5, 5)
    assert (told.cold_starts, told.within_s, told.extra_ms) == (0, 30, 100.0)
    assert (told.warnings, told.blocked) == ((), ())


def test_one_engine_costs_less(reader: Reader) -> None:
    """Only two environments hold this engine."""
    assert foretold(reader, engine="support").expected_misses == 2


def test_the_variable_way_starts_every_environment_anew(reader: Reader) -> None:
    """All engines go, whichever was named, and each environment starts cold: 100 ms read + 800 ms start."""
    told = foretold(reader, engine="support", method="variable", function=READY)

    assert (told.expected_misses, told.cold_starts, told.within_s, told.extra_ms) == (5, 3, None, 900.0)
    assert 'all engines are cleared, not only "support"' in " ".join(told.warnings)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"readable": False}, "cannot read the function's variables"),
        ({"other_code": True}, "runs other code than $LATEST"),
        ({"split_with": ("9",)}, "sends part of its traffic to version 9"),
    ],
)
def test_what_would_be_refused_is_known_before(reader: Reader, changed: dict[str, Any], said: str) -> None:
    """The preview carries the reason, so nobody confirms in vain."""
    told = foretold(reader, method="variable", function=replace(READY, **changed))

    assert said in " ".join(told.blocked)


def test_what_goes_along_is_a_warning(reader: Reader) -> None:
    """A running update and unreleased settings are said."""
    told = foretold(reader, method="variable", function=replace(READY, busy=True, released_too=("MemorySize",)))

    assert "the clear waits for it" in " ".join(told.warnings)
    assert "releases what waits in $LATEST too: MemorySize" in " ".join(told.warnings)


def test_an_engine_nobody_holds_is_a_warning(reader: Reader) -> None:
    """A slip of the pen is seen before it is confirmed."""
    told = foretold(reader, engine="salse")

    assert told.expected_misses == 0
    assert told.warnings == ('No environment was seen holding engine "salse". Seen: sales, support.',)


def test_an_empty_table_is_said(tmp_path: Any) -> None:
    """Without logs nothing is foretold, and that is said."""
    with Reader(Lake(tmp_path), threads=1) as reader:
        told = foretold(reader)

    assert (told.active, told.expected_misses, told.extra_ms) == (0, 0, None)
    assert told.rewrite_usd is told.facts()["rewrite_usd"] is None  # no prefix is known: that is not free
    assert "nothing may be warm, or the logs are not collected" in told.warnings[0]


def test_the_dollars_of_a_changed_prompt_are_told(lake: Lake) -> None:
    """If the prompt's text changed, its live prefix is written once more; the figures go into the audit log."""
    lake.commit("calls", table_of("calls", [make_call(ts=minutes(-10), cache_read_tokens=6000)]))
    with Reader(lake, threads=1) as reader:
        told = foretold(reader)

    assert told.rewrite_usd == Decimal("0.06")
    assert told.facts()["rewrite_usd"] == "0.060000000000"
    assert told.facts()["claude_prefixes_live"] == 1


@pytest.mark.parametrize(
    ("clear", "method", "said"),
    [
        (None, None, 'Source "bodo" does not say how its prompt store is cleared'),
        (ClearSettings(prompt_table="p"), "variable", "cannot be cleared by variable: function_name is not set"),
        (ClearSettings(method="variable", function_name="f"), "epoch", "by epoch: prompt_table is not set"),
    ],
)
def test_a_missing_setting_is_named(clear: ClearSettings | None, method: Any, said: str) -> None:
    """FLT-401 says what to add."""
    with pytest.raises(FixSettings, match="FLT-401") as raised:
        clear_settings(replace(SOURCE, clear=clear), method)

    assert said in str(raised.value)
