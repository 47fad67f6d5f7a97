"""While older logs are being read, nothing claims that the data is complete up to now."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from collector.sources import gathering
from core.metrics import freshness
from core.store.lake import Lake
from core.store.query import Reader
from tests.support.collecting import collect, collector, files_source, rows
from tests.support.log_lines import NOW, T0, invocation, payload


def write(path: Path, *payloads: dict[str, object]) -> Path:
    path.write_text("\n".join(json.dumps(one) for one in payloads), encoding="utf-8")
    return path


def told(lake: Lake) -> dict[str, object]:
    with Reader(lake) as reader:
        (row,) = freshness(reader, now=NOW)
    return row


def test_a_source_about_to_be_read_says_so(lake: Lake, tmp_path: Path) -> None:
    """Before its first pass a source is reading, not silent: the others' freshness does not stand for it."""
    one = collector(files_source(write(tmp_path / "a.jsonl", payload(invocation(1)))), lake)

    one.begin()
    assert (told(lake)["reading"], told(lake)["complete_until"]) == (True, None)
    one.run_pass()
    one.begin()

    assert [row["status"] for row in rows(lake, "ingest_passes")] == ["reading", "done"]
    assert told(lake)["reading"] is False


def test_the_steps_of_a_long_pass_say_how_far_they_came(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every step but the last is `reading`, without a claim of completeness, with the newest line read so far."""
    monkeypatch.setattr(gathering, "BATCH_EVENTS", 8)

    collect(lake, write(tmp_path / "a.jsonl", *(payload(invocation(number), put=number) for number in range(4))))

    passes = rows(lake, "ingest_passes")
    assert {row["status"] for row in passes[:-1]} == {"reading"}
    assert [row["complete_until"] for row in passes[:-1]] == [None] * (len(passes) - 1)
    assert all(row["window_end"] is not None for row in passes[:-1])
    assert passes[-1]["status"] == "done"


def test_old_lines_are_no_news_of_now(lake: Lake, tmp_path: Path) -> None:
    """A pass whose newest line is days old is complete up to that line, and more is expected."""
    old = NOW - timedelta(days=9)
    shift = round(old.timestamp() * 1000) - T0
    lines = [(ms + shift, line) for ms, line in invocation(1)]

    collect(lake, write(tmp_path / "a.jsonl", payload(lines)))

    row = told(lake)
    assert row["complete_until"] < NOW - timedelta(days=8)  # type: ignore[operator]
    assert (row["reading"], row["catching_up"]) == (False, True)


def test_a_quiet_log_is_complete_up_to_now(lake: Lake, tmp_path: Path) -> None:
    """A pass that finds nothing new knows that nothing is missing."""
    path = write(tmp_path / "a.jsonl", payload(invocation(1)))
    collect(lake, path)

    result = collect(lake, path)

    assert result.complete_until_ms == round(NOW.timestamp() * 1000)


def test_an_empty_folder_says_nothing(lake: Lake, tmp_path: Path) -> None:
    """Before the first file nothing is complete."""
    (tmp_path / "logs").mkdir()

    assert collect(lake, tmp_path / "logs").complete_until_ms is None


def test_a_skipped_line_leaves_its_place_and_length(lake: Lake, tmp_path: Path) -> None:
    """Of each reason the first line is kept as length, position and time; never its text."""
    bad = "💰 API Cost: $0.1 | input: -1, output: 1, cache_read: 0, cache_write: 0"

    collect(lake, write(tmp_path / "a.jsonl", payload([(T0, bad), (T0 + 5, bad + " ")])))

    (row,) = rows(lake, "ingest_passes")
    example = json.loads(row["outcomes_json"])["examples"]["bad_count"]
    assert (example["length"], example["ts_ms"]) == (len(bad) + 1, T0)
    assert example["at"]
    assert "API Cost" not in row["outcomes_json"]
    assert told(lake)["total"]["skip_examples"]["bad_count"] == example  # type: ignore[index]


def test_a_line_no_parser_saw_leaves_its_place_as_well(lake: Lake, tmp_path: Path) -> None:
    """What the source itself cannot read is found again by its file and byte."""
    path = tmp_path / "a.log"
    path.write_bytes("💰 first\n".encode() + b"\xf0\x9f\x92\xb0 API Cost: \xff\n")

    collect(lake, path)

    (row,) = rows(lake, "ingest_passes")
    example = json.loads(row["outcomes_json"])["examples"]["undecodable"]
    assert example == {"length": 16, "at": f"{path} byte 11"}


def test_what_lambda_dropped_is_counted(lake: Lake, tmp_path: Path) -> None:
    """platform.logsDropped adds up, record by record."""
    line = (
        '{"time":"2026-11-20T12:00:00.000Z","type":"platform.logsDropped","record":{"reason":"x","droppedRecords":%d}}'
    )

    collect(lake, write(tmp_path / "a.jsonl", payload([(T0, line % 7), (T0 + 1, line % 4)])))

    assert told(lake)["total"]["dropped_records"] == 11  # type: ignore[index]
