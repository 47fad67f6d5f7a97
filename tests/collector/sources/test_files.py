"""Files: every format, growing, rotated, renamed, compressed, damaged."""

from __future__ import annotations

import base64
import gzip
import io
import json
import os
import random
import tracemalloc
from pathlib import Path

import pytest

from collector.pipeline import Collector
from collector.sources import gathering
from collector.sources.files import FilesSource
from core.pricing import default_book
from core.settings import SourceSettings
from core.store.lake import Lake
from core.telemetry import prompt_store_hit_line
from tests.support.collecting import DEFAULTS, adds_up, collect, collector, rows
from tests.support.log_lines import (
    GROUP,
    NOW,
    STREAM,
    T0,
    cost,
    dressed,
    event_id,
    invocation,
    iso,
    payload,
    record,
    report,
    rid,
    start,
    text_of,
)  # fmt: skip

EVENTS = [line for number in range(4) for line in invocation(number)]
PAYLOADS = [payload(EVENTS[:12], put=1), payload(EVENTS[12:], put=2)]


def exported(events: list[tuple[int, str]]) -> list[dict[str, object]]:
    return [
        {"logStreamName": STREAM, "timestamp": ms, "message": f"{line}\n", "ingestionTime": ms + 900,
         "eventId": event_id(ms, place)}
        for place, (ms, line) in enumerate(events)
    ]  # fmt: skip


def wrapped(one: dict[str, object]) -> dict[str, object]:
    return {"awslogs": {"data": base64.b64encode(gzip.compress(json.dumps(one).encode())).decode()}}


FORMATS = {
    "plain text": text_of(EVENTS),
    "plain text, Windows": text_of(EVENTS).replace("\n", "\r\n"),
    "plain text, BOM": "\ufeff" + text_of(EVENTS),
    "payload per line": "".join(json.dumps(one) + "\n" for one in PAYLOADS),
    "payloads joined": "".join(json.dumps(one, ensure_ascii=False) for one in PAYLOADS),
    "payloads pretty": json.dumps(PAYLOADS[0]) + "\n" + json.dumps(PAYLOADS[1]),
    "payloads wrapped": "".join(json.dumps(wrapped(one)) + "\n" for one in PAYLOADS),
    "events per line": "".join(json.dumps(one) + "\n" for one in exported(EVENTS)),
    "cli document": json.dumps({"events": exported(EVENTS), "searchedLogStreams": []}, indent=4),
    "cli document, compact": json.dumps({"searchedLogStreams": [], "events": exported(EVENTS)}),
    "aws logs tail": "".join(f"{iso(ms)[:-1]}000+00:00 {STREAM} {line}\n" for ms, line in EVENTS),
    "aws logs tail, short": "".join(f"{iso(ms)[:19]} {line}\n" for ms, line in EVENTS),
}


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("packing", ["plain", "gz", "gz members"])
def test_every_format_tells_the_same(form: str, packing: str, lake: Lake, tmp_path: Path) -> None:
    """Four requests, however they are packed: four calls, four invocations, every line counted once."""
    data = FORMATS[form].encode()
    half = len(data) // 2
    packed = {
        "plain": data, "gz": gzip.compress(data), "gz members": gzip.compress(data[:half]) + gzip.compress(data[half:]),
    }[packing]  # fmt: skip
    (tmp_path / "log").write_bytes(packed)

    result = collect(lake, tmp_path / "log")

    assert (result.lines_read, result.new_calls, result.new_invocations, result.new_prompt_store_events) == (
        24,
        4,
        4,
        4,
    )
    assert (result.lines_skipped, result.status) == (0, "done")
    assert {(row["invocation_id"], row["engine"]) for row in rows(lake, "calls")} == {
        (rid(n), "sales") for n in range(4)
    }
    assert all(row["status"] == "ok" for row in rows(lake, "invocations"))
    assert collect(lake, tmp_path / "log").new_calls == 0


def test_control_messages_are_ignored(lake: Lake, tmp_path: Path) -> None:
    """CloudWatch probes a new destination with a message that is no log line."""
    probe = {
        "messageType": "CONTROL_MESSAGE",
        "owner": "CloudwatchLogs",
        "logEvents": [{"id": "", "timestamp": T0, "message": "x"}],
    }
    (tmp_path / "log").write_text(json.dumps(probe) + json.dumps(PAYLOADS[0]))

    result = collect(lake, tmp_path / "log")

    assert (result.ignored["control_message"], result.new_calls) == (1, 2)


def test_folders_patterns_and_files_are_read_once_each(lake: Lake, tmp_path: Path) -> None:
    """A file named twice, by a folder, a pattern and itself, is one file; hidden and unfinished ones are left."""
    (tmp_path / "logs" / "deep").mkdir(parents=True)
    for number, name in enumerate(["logs/a.log", "logs/deep/b.log"]):
        (tmp_path / name).write_text(text_of(invocation(number)))
    for name in ["logs/.hidden", "logs/c.log.tmp"]:
        (tmp_path / name).write_text(text_of(invocation(7)))

    result = collect(lake, tmp_path / "logs", tmp_path / "logs" / "*.log", tmp_path / "logs" / "a.log")

    assert (result.lines_read, result.new_calls) == (12, 2)


def test_a_growing_file_is_read_line_by_line(lake: Lake, tmp_path: Path) -> None:
    """Half a line waits for its other half."""
    path = tmp_path / "a.log"
    text = text_of(invocation(1))
    cut = text.index("cache_read") + 4
    path.write_text(text[:cut])
    first = collect(lake, path, final=False)
    path.write_text(text)
    second = collect(lake, path, final=False)

    assert (first.lines_read, second.lines_read) == (3, 3)
    assert [(row["cache_read_tokens"], row["output_tokens"]) for row in rows(lake, "calls")] == [(3000, 200)]


def test_once_a_last_line_without_newline_is_told_and_mended_when_it_grows(lake: Lake, tmp_path: Path) -> None:
    """What looks whole may be half a number: the row is provisional, and the whole line replaces it."""
    path = tmp_path / "a.log"
    line = dressed(cost(write=1234), T0, rid(1))
    path.write_text(line[:-2])
    first = collect(lake, path)
    told = [row["cache_write_1h_tokens"] for row in rows(lake, "calls")]
    path.write_text(line + "\n")
    second = collect(lake, path)

    assert (first.new_calls, told) == (1, [12])
    assert (second.new_calls, second.replaced) == (0, 1)
    assert [row["cache_write_1h_tokens"] for row in rows(lake, "calls")] == [1234]


def test_a_foreign_last_line_without_newline_counts_where_nothing_can_follow(lake: Lake, tmp_path: Path) -> None:
    """In gzip data and in a pipe it is a line; a plain file may still be written to, so it waits for its newline."""
    text = text_of(invocation(1)) + "a line of somebody else's"
    closed, live = tmp_path / "a.log.gz", tmp_path / "b.log"
    closed.write_bytes(gzip.compress(text.encode()))
    live.write_text(text_of(invocation(2)) + "a line of somebody else's")
    whole = text_of(invocation(1)).count("\n")

    packed, plain = collect(lake, closed), collect(lake, live)
    waiting = collect(lake, live)
    with live.open("a") as handle:
        handle.write("\n")
    written = collect(lake, live)
    pipe = FilesSource(SourceSettings(name="pipe", kind="files", paths=("-",)), stdin=io.BytesIO(text.encode()))
    piped = collector(pipe, lake).run_pass()

    assert (packed.lines_read, packed.lines_ignored) == (whole + 1, plain.lines_ignored + 1)
    assert (plain.lines_read, waiting.lines_read) == (whole, 0)
    assert (written.lines_read, written.ignored["other"]) == (1, 1)
    assert piped.lines_read == whole + 1


def test_rotation_by_rename_and_compression_loses_and_doubles_nothing(lake: Lake, tmp_path: Path) -> None:
    """app.log → app.log.1 → app.log.1.gz, with lines written before, between and after."""
    folder = tmp_path / "logs"
    folder.mkdir()
    live, old = folder / "app.log", folder / "app.log.1"
    live.write_text(text_of([line for n in range(3) for line in invocation(n)]))
    collect(lake, folder)
    with live.open("a") as handle:
        handle.write(text_of(invocation(3)))
    live.rename(old)
    live.write_text(text_of(invocation(4)))
    second = collect(lake, folder)
    (folder / "app.log.1.gz").write_bytes(gzip.compress(old.read_bytes()))
    old.unlink()
    third = collect(lake, folder)

    assert (second.new_calls, third.new_calls, third.lines_read) == (2, 0, 0)
    assert len(rows(lake, "calls")) == 5


def test_truncation_in_place_starts_a_new_file(lake: Lake, tmp_path: Path) -> None:
    """copytruncate: the file is shorter than what was read, and what it holds now is new."""
    path = tmp_path / "app.log"
    path.write_text(text_of([line for n in range(3) for line in invocation(n)]))
    collect(lake, path)
    path.write_text(text_of(invocation(7)))

    assert collect(lake, path).new_calls == 1


def test_a_file_replaced_by_one_with_the_same_beginning_is_read(lake: Lake, tmp_path: Path) -> None:
    """The same head and other lines after it: the bytes where we stopped tell the two apart."""
    path = tmp_path / "app.log"
    banner = dressed("service started", T0, rid(0)) + "\n"
    path.write_text(banner + text_of(invocation(1)))
    collect(lake, path)
    path.write_text(banner + text_of([(T0, "x" * 40), *invocation(2), *invocation(3)]))

    assert collect(lake, path).new_calls == 2


def test_a_copy_doubles_nothing(lake: Lake, tmp_path: Path) -> None:
    """A file and its copy side by side are one file, when their lines bear times or ids."""
    text = text_of([line for n in range(40) for line in invocation(n)])
    for name in ("a.log", "copy.log"):
        (tmp_path / name).write_text(text)

    assert collect(lake, tmp_path / "a.log", tmp_path / "copy.log").new_calls == 40


def test_files_that_say_nothing_of_themselves_are_known_by_path(lake: Lake, tmp_path: Path) -> None:
    """Two files of equal bare lines are two files: their calls are not mistaken for each other's."""
    for name in ("a.log", "b.log"):
        (tmp_path / name).write_text(f"{cost()}\n{cost()}\n")

    result = collect(lake, tmp_path / "a.log", tmp_path / "b.log")

    assert result.new_calls == 4
    assert {row["ts_kind"] for row in rows(lake, "calls")} == {"file"}


def test_lines_without_a_time_take_that_of_the_line_before(lake: Lake, tmp_path: Path) -> None:
    """A bare print stands between dressed lines: it happened about then."""
    (tmp_path / "a.log").write_text(f"{dressed('hello', T0 + 5, rid(1))}\n{cost()}\n{dressed('x', T0 + 99, rid(1))}\n")

    collect(lake, tmp_path / "a.log")

    (call,) = rows(lake, "calls")
    assert (round(call["ts"].timestamp() * 1000), call["ts_kind"]) == (T0 + 5, "logged")


def test_a_link_loop_and_an_unreadable_place_stop_nothing(lake: Lake, tmp_path: Path) -> None:
    """A folder that contains itself is read once; what cannot be read is told in one line with its mend."""
    folder = tmp_path / "logs"
    folder.mkdir()
    (folder / "loop").symlink_to(folder)
    (folder / "self").symlink_to(folder / "self")
    (folder / "z.log").write_text(text_of(invocation(1)))
    (folder / "mem").symlink_to("/proc/self/mem")

    result = collect(lake, folder)

    assert result.new_calls == 1
    assert result.problems
    assert all(problem.code == "COL-302" and "Check its permissions" in str(problem) for problem in result.problems)
    assert result.status == "partial"


def test_a_missing_path_is_told_and_the_others_are_read(lake: Lake, tmp_path: Path) -> None:
    """The message names the path and what to check."""
    (tmp_path / "a.log").write_text(text_of(invocation(1)))

    result = collect(lake, tmp_path / "nowhere.log", tmp_path / "a.log")

    assert (result.status, result.new_calls) == ("failed", 1)
    assert str(result.problems[0]).startswith(f"COL-301: There is no file at {tmp_path}/nowhere.log.")


def test_what_was_packed_twice_is_read_and_three_times_is_refused(lake: Lake, tmp_path: Path) -> None:
    """An export packs files that were packed already; what is packed once more is told to be just that."""
    twice = gzip.compress(gzip.compress(text_of(invocation(1)).encode()))
    (tmp_path / "a.log.gz.gz").write_bytes(twice)
    (tmp_path / "b.log.gz").write_bytes(gzip.compress(twice))

    result = collect(lake, tmp_path)
    again = collect(lake, tmp_path)

    assert (result.new_calls, dict(result.skipped)) == (1, {"binary": 1})
    assert [str(problem) for problem in result.problems] == [
        f"COL-304: {tmp_path}/b.log.gz is packed with gzip more than twice. Give log text in UTF-8; the rest goes on."
    ]
    assert (again.lines_read, again.new_calls) == (0, 0)


@pytest.mark.parametrize("cut", [9, 30])
def test_a_truncated_gz_gives_what_it_holds(lake: Lake, tmp_path: Path, cut: int) -> None:
    """An upload in progress or a broken one: its readable lines are told, the fault is one line, others go on."""
    noise = random.Random(1)
    text = "".join(text_of(invocation(n)) + f"{noise.random()}\n" * 3 for n in range(200))
    whole = gzip.compress(text.encode())
    (tmp_path / "a.log.gz").write_bytes(whole[: len(whole) * cut // 40])
    (tmp_path / "b.log").write_text(text_of(invocation(900)))

    result = collect(lake, tmp_path / "a.log.gz", tmp_path / "b.log")

    assert 1 < result.new_calls < 201
    assert (result.status, result.skipped["truncated"], [p.code for p in result.problems]) == (
        "partial",
        1,
        ["COL-303"],
    )
    (tmp_path / "a.log.gz").write_bytes(whole)
    assert collect(lake, tmp_path / "a.log.gz", tmp_path / "b.log").status == "done"
    assert len(rows(lake, "calls")) == 201


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (bytes(range(256)) * 40, "binary"),
        (text_of(invocation(1)).encode("utf-16"), "undecodable"),
        (text_of(invocation(1)).encode("utf-32-le"), "binary"),
    ],
    ids=["binary", "utf-16", "utf-32"],
)
def test_a_file_that_is_no_text_is_skipped_as_a_whole(lake: Lake, tmp_path: Path, data: bytes, reason: str) -> None:
    """One counter, one line with the mend; the next file is read."""
    (tmp_path / "a.bin").write_bytes(data)
    (tmp_path / "b.log").write_text(text_of(invocation(1)))

    result = collect(lake, tmp_path)

    assert (dict(result.skipped), result.new_calls, result.status) == ({reason: 1}, 1, "partial")
    assert [(p.code, p.mend) for p in result.problems] == [("COL-304", "Give log text in UTF-8; the rest goes on.")]
    assert collect(lake, tmp_path).problems == []


@pytest.mark.parametrize("encoding", ["cp949", "euc-kr"])
def test_lines_in_another_encoding_are_counted(lake: Lake, tmp_path: Path, encoding: str) -> None:
    """A line of ours that is not UTF-8 is skipped as undecodable; UTF-8 lines around it are read."""
    foreign = "상담 API Cost: $0.1 | input: 1, output: 1, cache_read: 1, cache_write: 1\n".encode(encoding)
    (tmp_path / "a.log").write_bytes(foreign + text_of(invocation(1)).encode() + foreign)

    result = collect(lake, tmp_path)

    assert (result.skipped["undecodable"], result.new_calls) == (2, 1)
    assert adds_up(result)


@pytest.mark.parametrize("where", ["middle", "end", "payload"])
def test_a_line_of_five_megabytes_is_skipped_without_being_held(lake: Lake, tmp_path: Path, where: str) -> None:
    """Too long for CloudWatch itself: counted, and the lines around it are read."""
    long = cost() + "x" * 5_000_000
    before, after = text_of(invocation(1)), text_of(invocation(2))
    data = {
        "middle": before + long + "\n" + after,
        "end": before + after + long,
        "payload": json.dumps(payload([*invocation(1), (T0 + 1_500, long), *invocation(2)])) + "\n",
    }[where]
    (tmp_path / "a.log").write_text(data)

    result = collect(lake, tmp_path)

    assert (result.skipped["too_long"], result.new_calls, result.lines_read) == (1, 2, 13)


def test_an_endless_line_takes_bounded_memory(tmp_path: Path) -> None:
    """Sixty megabytes without a newline pass through a few."""
    with gzip.open(tmp_path / "a.gz", "wb", compresslevel=1) as handle:
        for _ in range(60):
            handle.write(b"cache_read " * 95_325)
    settings = SourceSettings(name="it", kind="files", paths=(str(tmp_path),))
    tracemalloc.start()

    batches = list(FilesSource(settings).read(None, NOW))

    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert batches[-1].skipped["too_long"] == 1
    assert peak < 16 * 1024 * 1024


def test_broken_json_of_every_kind_is_counted(lake: Lake, tmp_path: Path) -> None:
    """A cut payload, a payload of nonsense and a cut record: each one line, one counter."""
    lines = [
        json.dumps(PAYLOADS[0])[:-40], json.dumps({"awslogs": {"data": "!!!"}}), record("msg_1")[:-9],
        json.dumps(payload([(T0, "x")]) | {"logEvents": [3, {"id": "1", "timestamp": "soon", "message": cost()}]}),
        json.dumps(PAYLOADS[1]),
    ]  # fmt: skip
    (tmp_path / "a.jsonl").write_text("\n".join(lines) + "\n")

    result = collect(lake, tmp_path)

    assert dict(result.skipped) == {"broken_json": 4, "bad_time": 1}
    assert result.new_calls == 2
    assert adds_up(result)


def test_stdin_is_read_to_its_end_and_not_remembered(lake: Lake) -> None:
    """The same input again: read again, nothing added."""
    settings = SourceSettings(name="stdin", kind="files", paths=("-",))

    def run(text: str):
        source = FilesSource(settings, stdin=io.BytesIO(text.encode()))
        return Collector(source, lake, default_book(), defaults=DEFAULTS, remembers=False).run_pass()

    first, again = run(text_of(EVENTS)), run(text_of(EVENTS))

    assert (first.new_calls, again.new_calls, again.lines_read, again.duplicates) == (4, 0, 24, 12)
    assert run("").lines_read == 0


def test_a_pipe_is_read_to_its_end(lake: Lake, tmp_path: Path) -> None:
    """A shell's <(…) works as a path."""
    reader, writer = os.pipe()
    os.write(writer, text_of(EVENTS).encode())
    os.close(writer)
    try:
        result = collect(lake, f"/dev/fd/{reader}")
    finally:
        os.close(reader)

    assert result.new_calls == 4


def test_a_large_file_is_read_in_batches_with_one_cursor_each(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each batch is committed with its cursor; requests that straddle two of them are told once, as wholes."""
    monkeypatch.setattr(gathering, "BATCH_EVENTS", 7)
    monkeypatch.setattr("collector.sources.file_bytes.CHUNK", 1_500)
    (tmp_path / "a.log").write_text(text_of([line for n in range(40) for line in invocation(n)]))

    result = collect(lake, tmp_path)

    assert (result.lines_read, result.new_calls, result.new_invocations) == (240, 40, 40)
    assert len(rows(lake, "ingest_passes")) > 5
    assert all(row["status"] == "ok" and row["calls"] == 1 for row in rows(lake, "invocations"))


@pytest.mark.parametrize("stop_after", [1, 3, 6])
def test_stopping_in_the_middle_of_a_file_goes_on_there(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop_after: int
) -> None:
    """A new process reads the rest, and the request that was cut in two is one."""
    monkeypatch.setattr(gathering, "BATCH_EVENTS", 7)
    monkeypatch.setattr("collector.sources.file_bytes.CHUNK", 1_500)
    path = tmp_path / "a.log"
    path.write_text(text_of([line for n in range(30) for line in invocation(n)]))
    left = iter(range(stop_after))
    settings = SourceSettings(name="logs", kind="files", paths=(str(path),))
    Collector(FilesSource(settings), lake, default_book(), defaults=DEFAULTS, clock=lambda: NOW).run_pass(
        stop=lambda: next(left, None) is None
    )

    rest = collect(lake, path)

    assert rest.new_calls < 30
    assert len(rows(lake, "calls")) == 30
    assert all(row["status"] == "ok" and row["calls"] == 1 for row in rows(lake, "invocations"))


def test_hour_files_that_cut_a_request_in_two_give_one_request(lake: Lake, tmp_path: Path) -> None:
    """START in one object, REPORT in the next, delivered together."""
    (tmp_path / "00.jsonl").write_text(
        json.dumps(payload([(T0, start(rid(1))), (T0 + 1, prompt_store_hit_line("a"))], put=1))
    )
    (tmp_path / "01.jsonl").write_text(json.dumps(payload([(T0 + 9, cost()), (T0 + 90, report(rid(1)))], put=2)))

    collect(lake, tmp_path)

    assert [(row["invocation_id"], row["engine"], row["log_group"]) for row in rows(lake, "calls")] == [
        (rid(1), "a", GROUP)
    ]


@pytest.mark.parametrize("zeros", [600, 5_000, 2_000_000])
def test_a_log_cut_back_under_its_writer_is_read_behind_the_zeros(lake: Lake, tmp_path: Path, zeros: int) -> None:
    """Rotated by copying and cutting, with a writer that keeps its place: what it writes from then on is told."""
    path = tmp_path / "a.log"
    path.write_text(text_of(invocation(1)))
    first = collect(lake, path)
    path.write_bytes(bytes(zeros) + text_of(invocation(2)).encode())
    second = collect(lake, path)
    with path.open("a") as handle:
        handle.write(text_of(invocation(3)))
    third = collect(lake, path)

    assert [result.new_calls for result in (first, second, third)] == [1, 1, 1]
    assert (first.status, second.status, third.status) == ("done", "done", "done")
    assert dict(second.skipped) == ({"too_long": 1} if zeros > 1024 * 1024 else {})
    assert second.recognised["start"] == (0 if second.skipped else 1)
