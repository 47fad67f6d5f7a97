"""Session files read by several processes: the same rows in the same order, whatever becomes of the processes."""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path
from random import Random
from typing import Any

import psutil
import pyarrow as pa
import pytest

from collector.result import PassResult
from collector.sessions import ahead, lines
from collector.sessions.ahead import Ahead
from collector.sessions.told import ToldPiece
from collector.sources import file_bytes, gathering, sessions_ahead
from core.store.lake import Lake
from tests.collector.sessions.test_session_rows import turn, write
from tests.support.collecting import adds_up, collector, files_source
from tests.support.log_lines import T0, iso


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have little read ahead, in small pieces, as if it were much."""
    monkeypatch.setattr(file_bytes, "CHUNK", 40_000)
    monkeypatch.setattr(ahead, "_JOB", 1)
    monkeypatch.setattr(sessions_ahead, "WORTH_IT", 1)
    monkeypatch.setattr(sessions_ahead, "cores", lambda: 2)


def read(folder: Path, tables: Path) -> tuple[PassResult, pa.Table]:
    """Read a folder into tables of its own."""
    lake = Lake(tables)
    result = collector(files_source(folder), lake).run_pass()
    assert adds_up(result)
    return result, lake.read("calls")


def read_alone(folder: Path, tables: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[PassResult, pa.Table]:
    """Read a folder in this process."""
    with monkeypatch.context() as patch:
        patch.setattr(sessions_ahead, "cores", lambda: 1)
        return read(folder, tables)


def told(result: PassResult) -> dict[str, Any]:
    """Return the counters of a pass but for its problems."""
    return result.to_json() | {"status": "", "errors": [], "examples": result.examples, "bytes": result.bytes_read}


def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Count the pieces that other processes told."""
    pieces: list[str] = []
    next_piece = Ahead.next_piece

    def counting(self: Ahead, path: str) -> ahead.Piece | None:
        piece = next_piece(self, path)
        pieces.extend([path] if piece else [])
        return piece

    monkeypatch.setattr(Ahead, "next_piece", counting)
    return pieces


@pytest.mark.usefixtures("small")
def test_several_processes_tell_the_same_rows_in_the_same_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the lines hold, and however the files end; nothing is left running afterwards."""
    write(tmp_path / "logs", 4)
    pieces = counted(monkeypatch)
    before = psutil.Process().children()

    here, here_rows = read_alone(tmp_path / "logs", tmp_path / "here", monkeypatch)
    assert not pieces
    there, there_rows = read(tmp_path / "logs", tmp_path / "there")

    assert len(pieces) > len(set(pieces)) >= 3
    assert there_rows.num_rows > 100
    assert there_rows.equals(here_rows)
    assert told(there) == told(here)
    assert there.problems == []
    assert psutil.Process().children() == before


DYING = """
import os, sys
sys.path[:] = sys.argv[1:-2]
from collector.sessions import reader
send, name = reader.send, os.environ["DIES"]
def last(pipe, message):
    send(pipe, message)
    try:
        os.close(os.open(name.format(os.getpid()), os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return
    os.kill(os.getpid(), 9)
reader.send = last
reader.main()
"""


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("who", ["one", "each of {}"])
def test_a_process_that_is_killed_loses_nothing_and_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, who: str
) -> None:
    """Killed when it has told the first piece of a file: this process reads the rest, and says so."""
    write(tmp_path / "logs", 5)
    here, here_rows = read_alone(tmp_path / "logs", tmp_path / "here", monkeypatch)
    monkeypatch.setattr(ahead, "_START", DYING)
    monkeypatch.setenv("DIES", str(tmp_path / who))
    pieces = counted(monkeypatch)

    there, there_rows = read(tmp_path / "logs", tmp_path / "there")

    assert pieces
    assert {problem.code for problem in there.problems} == {"COL-306"}
    assert "signal 9" in str(there.problems[0])
    assert (there.status, told(there)) == ("partial", told(here))
    assert there_rows.equals(here_rows)


@pytest.mark.usefixtures("small")
def test_a_file_that_is_not_told_whole_is_read_on_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line beyond all bounds, a file that is none of a session, one that is packed and one that is gone."""
    write(tmp_path / "logs", 6)
    beside = tmp_path / "logs" / "-home-me-shop"
    around = {"type": "user", "sessionId": "s", "uuid": "u", "timestamp": iso(T0)}
    long = json.dumps({**around, "message": {"content": "x" * 1_100_000}})
    usual = beside.joinpath("1.jsonl").read_text(encoding="utf-8")
    beside.joinpath("2.jsonl").write_text(f"{json.dumps(around)}\n{usual}\n{long}\n{usual}", encoding="utf-8")
    beside.joinpath("3.jsonl").write_text("START RequestId: none\nplain text\n")
    beside.joinpath("4.jsonl").write_bytes(gzip.compress(usual.encode()))
    pieces = counted(monkeypatch)

    here, here_rows = read_alone(tmp_path / "logs", tmp_path / "here", monkeypatch)
    there, there_rows = read(tmp_path / "logs", tmp_path / "there")

    assert str(beside / "2.jsonl") in pieces
    assert there.skipped["too_long"] == 1
    assert told(there) == told(here)
    assert there_rows.equals(here_rows)


@pytest.mark.usefixtures("small")
def test_where_no_process_can_be_started_this_one_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that lets no more of them be is no fault of the files."""
    write(tmp_path / "logs", 7)
    here, here_rows = read_alone(tmp_path / "logs", tmp_path / "here", monkeypatch)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "none"))

    there, there_rows = read(tmp_path / "logs", tmp_path / "there")

    assert told(there) == told(here)
    assert there.problems == []
    assert there_rows.equals(here_rows)


@pytest.mark.usefixtures("small")
def test_a_pass_that_is_stopped_leaves_no_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was committed stays, and the next pass reads the rest."""
    write(tmp_path / "logs", 8)
    here, here_rows = read_alone(tmp_path / "logs", tmp_path / "here", monkeypatch)
    monkeypatch.setattr(gathering, "_BATCH_CALLS", 20)
    before = psutil.Process().children()
    lake, source = Lake(tmp_path / "there"), files_source(tmp_path / "logs")
    reader = collector(source, lake)

    first = reader.run_pass(stop=lambda: source._ahead._ahead is not None)

    assert first.stopped
    assert psutil.Process().children() == before
    second = reader.run_pass()
    assert first.lines_read + second.lines_read == here.lines_read
    assert sorted(lake.read("calls")["call_id"].to_pylist()) == sorted(here_rows["call_id"].to_pylist())


@pytest.mark.parametrize("seed", range(3))
def test_a_line_says_the_same_by_its_type_and_as_it_stands(monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    """The quick decoding of the usual form, and the decoding of any form, lead to the same values."""
    draw = Random(seed)
    data = "".join(f"{line}\n" for number in range(800) for line in turn(draw, number, T0 + number * 1000)).encode()

    by_type = lines.read_lines(data, 0)
    monkeypatch.setattr(lines, "decode", lines._refuse)
    as_it_stands = lines.read_lines(data, 0)

    assert len(by_type.ids) > 100
    assert ToldPiece.unpacked(by_type.packed()) == by_type
    assert by_type == as_it_stands


def test_letters_that_are_none_leave_a_line_to_the_ordinary_way() -> None:
    """What is passed over undecoded is looked at too: a line that is not UTF-8 is skipped, and says so."""
    usage = {"input_tokens": 1, "output_tokens": 1, "cache_read_input_tokens": 0, "cache_creation_input_tokens": 0}
    line = {"type": "assistant", "timestamp": iso(T0), "message": {"id": "msg_1", "usage": usage, "content": "?"}}
    good = json.dumps(line).encode() + b"\n"

    piece = lines.read_lines(good + good.replace(b"?", b"\xff") + good.replace(b"?", "é".encode()), 0)

    assert piece.lines == 2
    assert [offset for offset, _ in piece.left] == [len(good)]
