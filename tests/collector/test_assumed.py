"""Defaults laid over a stored call give what a line read with them gives."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from core.care.assume import ASSUMED, assume
from core.pricing import default_book
from core.settings import LineDefaults
from core.store.lake import Lake
from tests.support.collecting import collector, files_source
from tests.support.log_lines import cost, record

BARE = {"model": None, "cache_ttl": None, "caching_enabled": None}
WROTE = {"input_tokens": 5, "output_tokens": 9, "cache_read_input_tokens": 0, "cache_creation_input_tokens": 2_000}
LINES = {
    "text": cost(write=4_000),
    "text, nothing cached": cost(read=0),
    "record": record("msg_1", usage=WROTE),
    "record without model and TTL": record("msg_2", usage=WROTE, **BARE),
    "record that wrote nothing": record("msg_3", **BARE),
    "record that failed": record("msg_4", usage=None, status="error", **BARE),
}
LATER = [
    LineDefaults(model="claude-haiku-4-5", cache_ttl="5m", caching_enabled=True),
    LineDefaults(model="claude-sonnet-5", cache_ttl="1h"),
]


def _lakes(tmp_path: Path) -> Iterator[Lake]:
    for number in range(10):
        yield Lake(tmp_path / f"tables-{number}")


@pytest.mark.parametrize("later", LATER, ids=["5m", "1h"])
@pytest.mark.parametrize("line", LINES.values(), ids=list(LINES))
def test_laid_over_or_read_with_they_say_the_same(tmp_path: Path, line: str, later: LineDefaults) -> None:
    """Collected without defaults and filled later, a call is what it would have been with them from the start.

    What the switch of caching says is known of text lines only: a stored record does not tell who said it.
    """
    path = tmp_path / "log"
    path.write_text(line + "\n")
    lakes = _lakes(tmp_path)

    def read(defaults: LineDefaults) -> pa.Table:
        lake = next(lakes)
        collector(files_source(path), lake, defaults=defaults).run_pass()
        return lake.read("calls")

    if "API Cost" not in line:
        later = dataclasses.replace(later, caching_enabled=None)
    filled = assume(read(LineDefaults()), {"logs": later}, default_book().cache_minimum_tokens)
    at_once = read(later)

    compared = ["provider", "model", "model_known_by"] if "error" in line else list(ASSUMED)
    assert filled.select(compared).to_pylist() == at_once.select(compared).to_pylist()
    assert filled["model"].to_pylist() != [None]
