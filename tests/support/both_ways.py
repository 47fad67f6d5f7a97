"""A log read by the quick lane and line by line: the result and every row must be the same."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from collector.result import PassResult
from collector.sources.file_events import Telling
from core.settings import LineDefaults
from core.store.lake import Lake
from tests.support.collecting import adds_up, collector, files_source
from tests.support.log_lines import NOW

TABLES = {"calls": "call_id", "invocations": "invocation_id", "prompt_store_events": "event_key"}


def collect(path: Path, tables: Path, defaults: LineDefaults) -> tuple[PassResult, dict[str, list[dict[str, Any]]]]:
    """Read a log once into new tables; return the result and each table's rows by key."""
    lake = Lake(tables)
    result = collector(files_source(path), lake, defaults=defaults).run_pass()
    told = {name: sorted(lake.read(name).to_pylist(), key=lambda row: row[key]) for name, key in TABLES.items()}
    return result, told


def assert_same(path: Path, folder: Path, defaults: LineDefaults, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hold what the quick lane makes of a log against what line by line makes of it."""
    quick, quick_rows = collect(path, folder / "quick", defaults)
    monkeypatch.setattr(Telling, "lines", Telling._each_line)
    slow, slow_rows = collect(path, folder / "slow", defaults)

    assert quick.to_json() == slow.to_json()
    assert adds_up(quick)
    for name in TABLES:
        assert quick_rows[name] == slow_rows[name]


def assert_same_while_it_grows(
    texts: Sequence[bytes], folder: Path, defaults: LineDefaults, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hold both ways against each other, pass by pass, of a file that holds one of these texts after the other."""
    told = []
    for way in ("quick", "slow"):
        path, lake = folder / "growing.log", Lake(folder / way)
        followed = collector(files_source(path, final=False), lake, defaults=defaults)
        results = []
        for number, text in enumerate(texts):
            path.write_bytes(text)
            moment = NOW.timestamp() - 3600 + number
            os.utime(path, (moment, moment))
            results.append(followed.run_pass(final=False).to_json())
        results.append(collector(files_source(path), lake, defaults=defaults).run_pass().to_json())
        told.append(
            (results, [sorted(lake.read(name).to_pylist(), key=lambda row: row[key]) for name, key in TABLES.items()])
        )
        monkeypatch.setattr(Telling, "lines", Telling._each_line)
        path.unlink()

    assert told[0] == told[1]
