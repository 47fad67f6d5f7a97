"""Lines as containers, shippers, the journal and the AWS CLI pass them on: what stands around them is taken off."""

from __future__ import annotations

import csv
import gzip
import io
import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from core.store.lake import Lake
from tests.support.collecting import adds_up, collect, rows
from tests.support.formats import FIXTURES
from tests.support.log_lines import GROUP, STREAM, T0, cost, iso, payload, record, report, rid, start

STORE = "✅ Cache HIT for [sales] - DB query skipped (permanent cache)"
AT = [T0 + 1_000 * number for number in range(9)]
LONG = record("msg_long", ms=AT[3], prefix_blocks=[{"part": "system", "index": 0, "fingerprint": "f" * 40_000}])


def nanos(ms: int) -> str:
    """Return a time as containers write it."""
    return f"{iso(ms)[:-1]}456789Z"


def _moment(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)


def _spaced(ms: int) -> str:
    return iso(ms)[:-1].replace("T", " ")


def docker(line: str, ms: int, stream: str = "stdout") -> list[str]:
    """Return what Docker's json-file driver writes of a line: of a long one a piece for every 16 kB."""
    data = f"{line}\n".encode()
    cut = [data[at : at + 16_384].decode("utf-8", "replace") for at in range(0, len(data), 16_384)]
    return [json.dumps({"log": piece, "stream": stream, "time": nanos(ms)}, ensure_ascii=False) for piece in cut]


def cri(line: str, ms: int, stream: str = "stdout", size: int = 8_192) -> list[str]:
    """Return what a Kubernetes node keeps of a line: every piece but the last is marked P."""
    cut = [line[at : at + size] for at in range(0, len(line), size)]
    return [f"{nanos(ms)} {stream} {'F' if piece is cut[-1] else 'P'} {piece}" for piece in cut]


def firelens(line: str, ms: int, name: str = "/web") -> list[str]:
    """Return what Docker's fluentd driver sends, and Fluent Bit writes."""
    cut = [line[at : at + 16_384] for at in range(0, len(line), 16_384)]
    told: list[str] = []
    for number, piece in enumerate(cut, start=1):
        body: dict[str, Any] = {"date": ms / 1000, "source": "stdout", "log": piece, "container_id": "ab12"}
        body |= {"container_name": name, "ecs_task_arn": "arn:aws:ecs:r:1:task/c/77aa", "ecs_cluster": "c"}
        if len(cut) > 1:
            body |= {"partial_message": "true", "partial_id": "p1", "partial_ordinal": str(number)}
            body["partial_last"] = "true" if number == len(cut) else "false"
        told.append(json.dumps(body))
    return told


def journal(line: str | list[int], ms: int, **more: Any) -> list[str]:
    """Return what `journalctl -o json` prints."""
    return [json.dumps({"__CURSOR": "s=1", "__REALTIME_TIMESTAMP": f"{ms}123", "_PID": "7", "MESSAGE": line,
                        "_SYSTEMD_UNIT": "bodo.service", **more})]  # fmt: skip


def write(tmp_path: Path, *told: list[str], name: str = "a.log") -> Path:
    path = tmp_path / name
    path.write_text("".join(f"{line}\n" for lines in told for line in lines))
    return path


def test_the_fixture_s_good_lines_and_bad_ones_are_told_apart(lake: Lake, tmp_path: Path) -> None:
    """Every wrapper with its bad forms, mixed in one file: what is good is read, each fault has its reason."""
    path = tmp_path / "wrapped.log.gz"
    path.write_bytes(gzip.compress((FIXTURES / "wrapped.log").read_bytes()))

    result = collect(lake, path)

    calls = rows(lake, "calls")
    assert sorted(call["input_tokens"] for call in calls) == [41, 42, 44, 45, 46, 47, 48, 50]
    assert result.to_json()["skipped_by_reason"] == {
        "bad_time": 1, "broken_json": 1, "cut_off": 1, "message_left_out": 2, "unknown_form": 1,
    }  # fmt: skip
    assert adds_up(result) and "PLANTED" not in repr((calls, result.examples, result.problems))


@pytest.mark.parametrize("around", [docker, cri, firelens, journal], ids=lambda one: one.__name__)
def test_what_stands_around_a_line_tells_its_time(lake: Lake, tmp_path: Path, around: Any) -> None:
    """Text lines, records and lines that are not ours, each wrapped: the same counts, at the wrapper's time."""
    told = [around("a line of the application", AT[0]), around(STORE, AT[1]), around(cost(), AT[2]),
            around(record("msg_1", ms=AT[4], given=11), AT[5])]  # fmt: skip
    path = write(tmp_path, *told)

    first, again = collect(lake, path), collect(lake, path, name="again")

    text, told_by_record = rows(lake, "calls")
    assert (first.lines_read, first.lines_recognised, first.lines_ignored, adds_up(first)) == (4, 3, 1, True)
    assert (text["ts"], text["ts_kind"], text["engine"]) == (_moment(AT[2]), "logged", "sales")
    assert (text["cost_usd"], text["input_tokens"]) == (Decimal("0.00655"), 10)
    assert (told_by_record["call_id"], told_by_record["input_tokens"]) == ("msg_1", 11)
    assert rows(lake, "prompt_store_events")[0]["ts"] == _moment(AT[1])
    assert (again.new_calls, again.replaced, again.new_prompt_store_events) == (0, 0, 0)


@pytest.mark.parametrize("around", [docker, cri, firelens], ids=lambda one: one.__name__)
def test_a_line_cut_into_pieces_is_one_line(lake: Lake, tmp_path: Path, around: Any) -> None:
    """A record over 16 kB is put together again, also where another stream's lines stand between its pieces."""
    pieces = around(LONG, AT[3])
    other = around(cost(read=8), AT[3], "/other" if around is firelens else "stderr")
    path = write(tmp_path, around("begin", AT[0]), pieces[:1], other, pieces[1:], around(cost(read=9), AT[4]))

    result = collect(lake, path)

    assert len(pieces) > 2 and result.to_json()["skipped_by_reason"] == {}
    assert (result.lines_read, result.new_calls) == (4, 3)
    assert [row["call_id"] for row in rows(lake, "calls") if row["told_by"] == "record"] == ["msg_long"]


def test_pieces_that_have_not_all_come_are_waited_for(lake: Lake, tmp_path: Path) -> None:
    """A follower that meets the beginning of a line reads it again with its end: nothing lost, nothing twice."""
    pieces = docker(LONG, AT[3])
    path = write(tmp_path, docker(cost(read=8), AT[2]), pieces[:2], docker(cost(read=7), AT[3], "stderr"))
    early = collect(lake, path, final=False)
    with path.open("a") as handle:
        handle.write("".join(f"{line}\n" for line in pieces[2:]))
    late = collect(lake, path, final=False)

    assert (early.lines_read, early.lines_skipped) == (2, 0)
    assert (late.lines_read, late.to_json()["recognised_by_kind"]) == (1, {"record": 1})
    assert len(rows(lake, "calls")) == 3


@pytest.mark.parametrize("around", [docker, firelens, journal], ids=lambda one: one.__name__)
def test_wrapped_lines_in_cloudwatch_are_read_too(lake: Lake, tmp_path: Path, around: Any) -> None:
    """A shipper that writes to CloudWatch puts its object into the event's message; the event has the time."""
    told = [(AT[0], around(cost(), AT[5])[0]), (AT[1], around(record("msg_1", ms=AT[1], given=11), AT[5])[0]),
            (AT[2], json.dumps({"log_processed": json.loads(record("msg_2", given=12)), "_p": "F"}))]  # fmt: skip
    (tmp_path / "a.jsonl").write_text(json.dumps(payload(told)))

    collect(lake, tmp_path)

    calls = rows(lake, "calls")
    assert sorted(call["input_tokens"] for call in calls) == [10, 11, 12]
    assert next(call["ts"] for call in calls if call["told_by"] == "text") == _moment(AT[0])


def test_a_line_whose_last_piece_never_comes_is_counted(lake: Lake, tmp_path: Path) -> None:
    """In packed data nothing can follow: the beginning is skipped as cut off, and said where it stands."""
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress("\n".join([*docker(cost(), AT[2]), docker(LONG, AT[3])[0], ""]).encode()))

    result = collect(lake, path)

    assert (result.new_calls, result.to_json()["skipped_by_reason"]) == (1, {"cut_off": 1})
    assert "cut_off" in result.examples


def test_a_last_line_without_its_newline_waits_for_nothing(lake: Lake, tmp_path: Path) -> None:
    """A container that ended in the middle of a line leaves a short one without newline: the next is its own."""
    cut = json.dumps({"log": "Progress 50 %", "stream": "stdout", "time": nanos(AT[0])})

    result = collect(lake, write(tmp_path, [cut], docker(cost(), AT[1])))

    assert (result.new_calls, result.lines_read) == (1, 2)


def test_lambda_s_own_lines_are_read_out_of_a_container(lake: Lake, tmp_path: Path) -> None:
    """Lambda's runtime in a container writes START and REPORT to Docker: the invocation is seen."""
    told = [docker(line, ms) for line, ms in ((start(rid(1)), AT[0]), (cost(), AT[1]), (report(rid(1)), AT[2]))]

    result = collect(lake, write(tmp_path, *told))

    assert (result.new_calls, result.new_invocations) == (1, 1)
    assert rows(lake, "calls")[0]["invocation_id"] == rid(1)


def test_the_journal_writes_bytes_and_leaves_things_out(lake: Lake, tmp_path: Path) -> None:
    """A message that is no plain text is a list of bytes; one that was left out as too long is counted as such."""
    seen = list(f"\x1b[1m{cost()}".encode())
    blocks = [{"part": "system", "index": 0, "fingerprint": "f" * 50_000}]
    cut = record("msg_cut", ms=AT[4], given=11, prefix_blocks=blocks)
    path = write(
        tmp_path, journal("hello", AT[0]), journal(seen, AT[1]),
        [json.dumps({"__REALTIME_TIMESTAMP": f"{AT[2]}000", "MESSAGE": None})],
        journal(cut[:49_000], AT[4], _LINE_BREAK="line-max", _STREAM_ID="x"),
        journal(cut[49_000:], AT[4], _STREAM_ID="x"),
    )  # fmt: skip

    result = collect(lake, path)

    assert (result.new_calls, result.to_json()["skipped_by_reason"]) == (2, {"message_left_out": 1})
    assert {row["ts"] for row in rows(lake, "calls")} == {_moment(AT[1]), _moment(AT[4])}
    assert {row["log_stream"] for row in rows(lake, "calls")} == {"bodo.service"}


def test_containers_in_one_file_are_streams_of_their_own(lake: Lake, tmp_path: Path) -> None:
    """The engine of one container's line is not taken for another's call."""
    kept = {"kubernetes": {"namespace_name": "prod", "pod_name": "web-1", "container_name": "app"}}
    told = [
        json.dumps({"time": nanos(AT[0]), "stream": "stdout", "_p": "F", "log": STORE, **kept}),
        *firelens(cost(), AT[1]),
    ]

    collect(lake, write(tmp_path, told))

    (call,) = rows(lake, "calls")
    assert (call["log_stream"], call["engine"]) == ("77aa/web", None)
    assert rows(lake, "prompt_store_events")[0]["log_stream"] == "prod/web-1/app"


@pytest.mark.parametrize("indent", [None, 2])
def test_what_the_aws_cli_saved_is_read(lake: Lake, tmp_path: Path, indent: int | None) -> None:
    """`get-log-events` and `filter-log-events` in JSON, on one line or indented."""
    plain = {"events": [{"timestamp": AT[1], "message": cost(), "ingestionTime": AT[2]}], "nextForwardToken": "f/1"}
    named = [{"logStreamName": STREAM, "timestamp": AT[3], "message": record("msg_1"), "eventId": "123456"}]
    (tmp_path / "get.json").write_text(json.dumps(plain, indent=indent))
    (tmp_path / "filter.json").write_text(json.dumps({"events": named, "searchedLogStreams": []}, indent=indent))

    result = collect(lake, tmp_path)

    assert (result.new_calls, result.lines_read, result.status) == (2, 2, "done")
    assert rows(lake, "calls")[0]["log_stream"] == STREAM


def _insights() -> list[dict[str, Any]]:
    row = {"@logStream": STREAM, "@log": f"123456789012:{GROUP}"}
    return [{"@timestamp": _spaced(AT[1]), "@message": cost(), "@ptr": "Cl1", **row},
            {"@timestamp": _spaced(AT[2]), "@message": record("msg_1", ms=AT[2], given=11), "@ptr": "Cl2", **row},
            {"@timestamp": _spaced(AT[3]), "@message": "other", "@ptr": "Cl3", **row}]  # fmt: skip


def _table(rows_told: list[dict[str, Any]]) -> str:
    out = io.StringIO()
    table = csv.DictWriter(out, list(rows_told[0]))
    table.writeheader()
    table.writerows(rows_told)
    return out.getvalue()


def _answer(rows_told: list[dict[str, Any]], indent: int | None = None) -> str:
    fields = [[{"field": name, "value": value} for name, value in row.items()] for row in rows_told]
    return json.dumps({"results": fields, "statistics": {"bytesScanned": 1.0}, "status": "Complete"}, indent=indent)


EXPORTS = {
    "console JSON": json.dumps(_rows := _insights(), indent=4),
    "console JSON, objects": json.dumps(
        [row | {"@message": json.loads(row["@message"])} if row["@message"][0] == "{" else row for row in _rows]
    ),
    "console CSV": _table(_rows),
    "get-query-results": _answer(_rows),
    "get-query-results, indented": _answer(_rows, 4),
}


@pytest.mark.parametrize("told", EXPORTS.values(), ids=list(EXPORTS))
def test_exports_of_logs_insights_are_read(lake: Lake, tmp_path: Path, told: str) -> None:
    """Rows with @message and @timestamp, as JSON or CSV: the same events, known again by @ptr in another export."""
    (tmp_path / "a").write_text(told)
    first = collect(lake, tmp_path / "a")
    (tmp_path / "b").write_text(_answer(_rows[:2]))
    again = collect(lake, tmp_path / "b", name="b")

    assert (first.lines_read, first.new_calls, first.lines_ignored, first.status) == (3, 2, 1, "done")
    text = rows(lake, "calls")[0]
    assert (text["ts"], text["log_stream"], text["log_group"], text["account"]) == (
        _moment(AT[1]), STREAM, GROUP, "123456789012",
    )  # fmt: skip
    assert again.new_calls == 0


@pytest.mark.parametrize("layout", ["answer", "answer, indented", "answers by line", "arrays by line", "total first"])
def test_rows_of_an_api_s_answer_are_read(lake: Lake, tmp_path: Path, layout: str) -> None:
    """LiteLLM's spend logs under `data`, whole or a page per line; arrays, one per line."""
    spent = [{"request_id": f"chatcmpl-{n}", "call_type": "acompletion", "startTime": iso(AT[n]), "endTime": iso(AT[n]),
              "model": "claude-opus-4-5", "custom_llm_provider": "anthropic", "spend": 0.001, "prompt_tokens": 10,
              "completion_tokens": 5, "metadata": {}} for n in range(4)]  # fmt: skip
    page = {"data": spent, "total": 4, "page": 1}
    text = {
        "answer": json.dumps(page),
        "answer, indented": json.dumps(page, indent=2),
        "answers by line": "".join(json.dumps({"data": spent[at : at + 2]}) + "\n" for at in (0, 2)),
        "arrays by line": "".join(json.dumps(spent[at : at + 2]) + "\n" for at in (0, 2)),
        "total first": json.dumps({"total": 4, "total_pages": 1, "data": spent}),
    }[layout]
    (tmp_path / "spend.json").write_text(text)

    result = collect(lake, tmp_path)

    assert (result.new_calls, result.lines_read, result.lines_skipped, result.status) == (4, 4, 0, "done")


def test_a_list_that_breaks_off_is_told(lake: Lake, tmp_path: Path) -> None:
    """What was whole is read, and lines behind a list on one line; the break is counted."""
    told = json.dumps([{"@timestamp": _spaced(AT[1]), "@message": cost()}])
    (tmp_path / "behind.json").write_text(told + "\nand more")
    (tmp_path / "cut.json").write_text(told[:-20])

    result = collect(lake, tmp_path)

    assert (result.new_calls, result.to_json()["skipped_by_reason"], result.status) == (
        1,
        {"broken_json": 1},
        "partial",
    )


@pytest.mark.parametrize(
    "around",
    [
        {"log": {"inner": "%s"}}, {"a": {"b": {"c": "%s"}}}, {"parts": ["%s"]}, {"message": {"deep": ["%s"]}},
    ],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("line", [cost(), record("msg_1")], ids=["text", "record"])
def test_a_wrapper_that_nobody_knows_is_counted_and_shown(
    lake: Lake, tmp_path: Path, around: dict[str, Any], line: str
) -> None:
    """A call inside it is not silently none: the line is skipped with its reason and where it stands, not its text."""
    told = json.dumps(around).replace('"%s"', json.dumps(line))
    result = collect(lake, write(tmp_path, [told]))

    assert (result.new_calls, result.to_json()["skipped_by_reason"]) == (0, {"unknown_form": 1})
    assert set(result.examples["unknown_form"]) == {"length", "at", "ts_ms"}


@pytest.mark.parametrize(
    "around",
    [
        {"textPayload": "%s", "timestamp": iso(AT[1])},
        {"time": AT[1] / 1000, "host": "h", "event": "%s"},
        {"preview": False, "result": {"_raw": "%s", "_time": iso(AT[1])}},
        {"labels": {"app": "x"}, "line": "%s", "timestamp": iso(AT[1])},
        {"level": 30, "time": AT[1], "msg": "%s"},
        {"container_id": "x" * 300, "message": "%s", "timestamp": nanos(AT[1])},
    ],
    ids=["google", "splunk", "splunk export", "loki", "pino", "vector"],
)
def test_loggers_and_log_services_are_read_too(lake: Lake, tmp_path: Path, around: dict[str, Any]) -> None:
    """One member holds the line; the time may be a number, or stand at the end."""
    collect(lake, write(tmp_path, [json.dumps(around).replace('"%s"', json.dumps(cost()))]))

    (call,) = rows(lake, "calls")
    assert call["input_tokens"] == 10
    assert call["ts"] == _moment(AT[1]) or "result" in around


WRITTEN = [docker, cri, firelens, journal]
RESPONSE = {"id": "msg_r", "type": "message", "role": "assistant", "model": "claude-opus-4-5", "content": [],
            "stop_reason": "end_turn", "stop_sequence": None,
            "usage": {"input_tokens": 12, "output_tokens": 3, "cache_read_input_tokens": 70}}  # fmt: skip


def _over_lines(line: str) -> list[str]:
    return json.dumps(json.loads(line), indent=2).split("\n")


@pytest.mark.parametrize("around", WRITTEN, ids=lambda one: one.__name__)
def test_an_object_whose_lines_were_wrapped_one_by_one_is_put_together(lake: Lake, tmp_path: Path, around: Any) -> None:
    """An indented record and an indented answer: each one line, at its wrapper's time, and what stands around stays."""
    shown = [*_over_lines(record("msg_1", ms=AT[4], given=11)), "between", *_over_lines(json.dumps(RESPONSE))]
    told = [around(line, AT[2]) for line in shown]
    path = write(tmp_path, around(cost(read=8), AT[0]), *told, around(cost(read=9), AT[5]))

    first, again = collect(lake, path), collect(lake, path, name="again")

    calls = rows(lake, "calls")
    assert (first.lines_read, first.lines_ignored, first.lines_skipped, adds_up(first)) == (5, 1, 0, True)
    assert {call["call_id"]: call["input_tokens"] for call in calls if call["told_by"] != "text"} == {
        "msg_1": 11, "msg_r": 12,
    }  # fmt: skip
    assert next(call["ts"] for call in calls if call["call_id"] == "msg_r") == _moment(AT[2])
    assert (len(calls), again.new_calls, again.replaced) == (4, 0, 0)


def test_lines_of_an_answer_that_are_events_of_a_payload_are_counted(lake: Lake, tmp_path: Path) -> None:
    """As CloudWatch delivers them to a subscription: the call is skipped, and not silently none."""
    told = [(AT[1] + at, line) for at, line in enumerate(_over_lines(json.dumps(RESPONSE)))]
    (tmp_path / "a.jsonl").write_text(json.dumps(payload(told)))

    result = collect(lake, tmp_path)

    assert (result.new_calls, result.to_json()["skipped_by_reason"]) == (0, {"unknown_form": 1})
    assert adds_up(result)


@pytest.mark.parametrize("around", [docker, cri], ids=lambda one: one.__name__)
def test_another_stream_s_lines_may_stand_within_a_wrapped_object(lake: Lake, tmp_path: Path, around: Any) -> None:
    """Both streams of a container, an object in each, line by line in turn: both are read, and so is a line between."""
    pairs = zip(_over_lines(record("msg_1", given=11)), _over_lines(record("msg_2", given=12)), strict=True)
    told = [line for one, two in pairs for line in (*around(one, AT[1]), *around(two, AT[1], "stderr"))]

    result = collect(lake, write(tmp_path, told, around(cost(), AT[3])))

    assert {row["call_id"] for row in rows(lake, "calls") if row["told_by"] == "record"} == {"msg_1", "msg_2"}
    assert (result.new_calls, result.lines_read, result.lines_skipped) == (3, 3, 0)


@pytest.mark.parametrize("around", WRITTEN, ids=lambda one: one.__name__)
@pytest.mark.parametrize("harm", ["another writer's object", "a line between", "a line in pieces", "a line left out"])
def test_a_wrapped_object_of_which_a_line_may_be_another_s_is_not_put_together(
    lake: Lake, tmp_path: Path, around: Any, harm: str
) -> None:
    """No figure is made of two writers' lines: each line is told by itself, the record skipped, what follows read."""
    shown = [around(line, AT[1]) for line in _over_lines(record("msg_1", given=11))]
    if harm == "another writer's object":
        other = [around(line, AT[1]) for line in _over_lines(record("msg_2", given=12))]
        shown = [shown[0], other[0], *(line for pair in zip(shown[1:], other[1:], strict=True) for line in pair)]
    elif harm == "a line in pieces" and around is not journal:
        shown.insert(3, around("  " + "x" * 40_000, AT[1]))
    elif harm == "a line left out" and around is journal:
        shown.insert(
            3, [json.dumps({"__REALTIME_TIMESTAMP": f"{AT[1]}000", "MESSAGE": None, "_SYSTEMD_UNIT": "bodo.service"})]
        )
    else:
        shown.insert(3, around("hello", AT[1]))

    result = collect(lake, write(tmp_path, *shown, around(cost(), AT[3])))

    assert (result.new_calls, adds_up(result)) == (1, True)
    assert result.to_json()["skipped_by_reason"]["unknown_form"] == (2 if harm == "another writer's object" else 1)
    assert result.lines_read == len(shown) + 1


def test_a_wrapped_object_that_has_not_all_come_is_waited_for(lake: Lake, tmp_path: Path) -> None:
    """Met by a follower in its middle, it is read again with its end; one that never ends is told line by line."""
    lines = [docker(line, AT[1]) for line in _over_lines(record("msg_1", given=11))]
    other = docker(cost(), AT[2], "stderr")
    path = write(tmp_path, *lines[:5], other)
    early = collect(lake, path, final=False)
    write(tmp_path, *lines[:5], other, *lines[5:], docker("{", AT[3]))
    late = collect(lake, path, final=False)
    write(tmp_path, *lines[:5], other, *lines[5:], docker("{", AT[3]), docker("none", AT[3]))
    last = collect(lake, path, final=False)

    assert (early.new_calls, early.lines_read, early.lines_skipped) == (1, 1, 0)
    assert (late.new_calls, late.lines_read, late.lines_skipped) == (1, 1, 0)
    assert (last.lines_read, last.lines_ignored) == (2, 2)
