"""bodo in real warm Lambda processes, cleared as an operator clears it: by epoch, and by a variable on an alias."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from core.fleet import Clear, clear_prompt_store, past_clears, preview
from core.fleet.clear_variable import FunctionState, Patience, look_at
from core.pricing import default_book
from core.settings import ClearMethod, ClearSettings, SourceSettings
from core.store.lake import Lake
from core.store.query import Reader
from tests.examples.test_bodo_warm import Fleet
from tests.examples.test_bodo_warm import fleet as fleet
from tests.support import bodo

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
ALIAS = "live"


def clear(fleet: Fleet, lake: Lake, method: ClearMethod, *, alias: str | None = None) -> Clear:
    """Preview, confirm and clear, as the page and the command do."""
    settings = ClearSettings(method, bodo.TABLE, function_name=fleet.function, alias=alias, epoch_seconds=0)
    source = SourceSettings("bodo", "files", paths=("logs/*",), clear=settings)
    client = fleet.dynamodb if method == "epoch" else fleet.lambdas
    state: FunctionState | None = look_at(client, settings) if method == "variable" else None
    with Reader(lake, threads=1) as reader:
        foreseen = preview(reader, default_book(), source, now=datetime.now(UTC), function=state)
    assert foreseen.blocked == ()
    return clear_prompt_store(
        lake, source, foreseen, actor="test", confirmation="bodo", client=client, patience=Patience(poll_s=0.05)
    )


def test_a_clear_by_epoch_reaches_every_environment(fleet: Fleet, tmp_path: Path) -> None:
    """Three warm environments: after one write each misses once, then hits again; the audit log tells of it."""
    assert fleet.store_lines(3) == ["MISS", "MISS", "MISS"]
    assert fleet.store_lines(3) == ["HIT", "HIT", "HIT"]

    done = clear(fleet, Lake(tmp_path), "epoch")

    assert fleet.store_lines(3) == ["MISS", "MISS", "MISS"]
    assert fleet.store_lines(3) == ["HIT", "HIT", "HIT"]
    with Reader(Lake(tmp_path), threads=1) as reader:
        assert past_clears(reader, source="bodo") == [done]


def test_a_variable_clears_an_alias_only_once_it_is_moved(fleet: Fleet, tmp_path: Path) -> None:
    """$LATEST alone leaves the alias at HIT; published and switched it misses; no variable is lost on the way."""
    before = fleet.lambdas.get_function_configuration(FunctionName=fleet.function)["Environment"]["Variables"]
    first = fleet.lambdas.publish_version(FunctionName=fleet.function)["Version"]
    fleet.lambdas.create_alias(FunctionName=fleet.function, Name=ALIAS, FunctionVersion=first)
    assert [fleet.store_line(ALIAS) for _ in range(2)] == ["MISS", "HIT"]

    clear(fleet, Lake(tmp_path), "variable")
    assert fleet.store_line(ALIAS) == "HIT"

    done = clear(fleet, Lake(tmp_path), "variable", alias=ALIAS)
    assert [fleet.store_line(ALIAS) for _ in range(2)] == ["MISS", "HIT"]

    after = fleet.lambdas.get_function_configuration(FunctionName=fleet.function, Qualifier=ALIAS)
    assert after["Version"] == done.version != first
    assert after["Environment"]["Variables"] == {**before, "PROMPT_CACHE_EPOCH": str(done.epoch)}
