"""The same call told in two places: one row, whoever comes first, however often it is told again."""

from __future__ import annotations

import itertools
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collector.ledger import Ledger
from core.settings import LineDefaults
from core.store.lake import Lake
from tests.support.collecting import collect, collector, files_source, rows
from tests.support.log_lines import T0, cost, iso, payload, record, report, rid, start

MODEL = "global.anthropic.claude-opus-4-5-20251101-v1:0"
USAGE = {"input_tokens": 10, "output_tokens": 200, "cache_read_input_tokens": 3000, "cache_creation_input_tokens": 0}


def bedrock(
    request: str, *, message: str | None = None, owner: str | None = None, output: int = 200, ms: int = T0
) -> str:
    """Return a record of Bedrock's invocation log; `message`: its body is there and names the message."""
    body = {"outputBodyJson": {"id": message, "type": "message", "role": "assistant", "model": "claude-opus-4-5",
                               "usage": {**USAGE, "output_tokens": output}}} if message else {}  # fmt: skip
    return json.dumps({
        "schemaType": "ModelInvocationLog", "timestamp": iso(ms), "requestId": request, "modelId": MODEL,
        "operation": "InvokeModel", "requestMetadata": {"lambdaRequestId": owner} if owner else {},
        "input": {"inputTokenCount": 10, "cacheReadInputTokenCount": 3000, "cacheWriteInputTokenCount": 0},
        "output": {"outputTokenCount": output, **body},
    })  # fmt: skip


def own(message: str | None = "msg_1", **more: Any) -> str:
    """Return the service's own record of a Bedrock call."""
    return record(message, ms=T0 + 5, provider="bedrock", model=MODEL, **more)


def service(*lines: str, number: int = 1) -> dict[str, Any]:
    """Return a request of the service that wrote these lines."""
    told = [(T0 + 5 + place, line) for place, line in enumerate(lines)]
    return payload([(T0, start(rid(number))), *told, (T0 + 900, report(rid(number)))])


def write(path: Path, *objects: object) -> Path:
    """Write objects as JSON lines, strings as they are."""
    path.write_text(
        "".join((one if isinstance(one, str) else json.dumps(one, ensure_ascii=False)) + "\n" for one in objects)
    )
    return path


ONE = Decimal("0.00655")  # 10 × $5 + 3000 × $0.50 + 200 × $25 per million

PAIRS = {
    "by message id": (service(own()), bedrock("req-1", message="msg_1")),
    "by request id, bodies elsewhere": (service(own(api_request_id="req-1")), bedrock("req-1")),
    "by invocation and tokens": (service(own()), bedrock("req-1", owner=rid(1))),
    "a cost line": (service(cost()), bedrock("req-1", message="msg_1", owner=rid(1))),
    "a cost line, bodies elsewhere": (service(cost()), bedrock("req-1", owner=rid(1))),
}


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["service first", "bedrock first"])
@pytest.mark.parametrize("together", [True, False], ids=["one batch", "two sources"])
@pytest.mark.parametrize("how", PAIRS)
def test_service_and_bedrock_tell_one_call(
    lake: Lake, tmp_path: Path, how: str, together: bool, order: tuple[int, int]
) -> None:
    """One row, priced once, that says who confirmed it; telling everything again, in any order, changes nothing."""
    told = [PAIRS[how][place] for place in order]
    if together:
        collect(lake, write(tmp_path / "both.jsonl", *told))
    else:
        for place, one in enumerate(told):
            collect(lake, write(tmp_path / f"{place}.jsonl", one), name=f"source {place}")
    before = rows(lake, "calls")
    for place, one in enumerate([*told, *reversed(told)]):
        again = collect(lake, write(tmp_path / f"again-{place}.jsonl", one), name=f"again {place}")
        assert (again.new_calls, again.replaced) == (0, 0)

    (call,) = before
    ledger, check = ("bedrock_log", "text") if "cost line" in how else ("record", "bedrock_log")
    assert (call["told_by"], call["checked_by"], call["check_note"]) == (ledger, check, "confirmed")
    assert (call["cost_usd"], call["engine"], call["invocation_id"]) == (ONE, call["engine"], rid(1))
    assert (call["price_status"], call["model_id"]) == ("priced", "claude-opus-4-5")
    assert rows(lake, "calls") == before
    assert [row["calls"] for row in rows(lake, "invocations")] == [1]


def test_a_disagreement_is_shown_and_the_ledger_counts(lake: Lake, tmp_path: Path) -> None:
    """The record says 200 tokens of output, Bedrock 180: the row is the record's and names both."""
    collect(lake, write(tmp_path / "a.jsonl", service(own())))
    collect(lake, write(tmp_path / "b.jsonl", bedrock("req-1", message="msg_1", output=180)), name="bedrock")

    (call,) = rows(lake, "calls")
    assert (call["output_tokens"], call["told_by"]) == (200, "record")
    assert call["check_note"] == "differs: output_tokens 200 in record, 180 in bedrock_log"


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["service first", "bedrock first"])
def test_the_provider_s_request_id_joins_whatever_the_counts_say(
    lake: Lake, tmp_path: Path, order: tuple[int, int]
) -> None:
    """The client notes Bedrock's x-amzn-requestid, which its log calls requestId: one call, and the difference shown.

    Of two records in one invocation that wrote no such id, whose counts are not the log's, none is taken for it.
    """
    told = [service(own(api_request_id="req-1")), bedrock("req-1", owner=rid(1), output=180)]
    for place in order:
        collect(lake, write(tmp_path / f"{place}.jsonl", told[place]), name=f"source {place}")
    nameless = service(own("msg_2", given=12), number=2), bedrock("req-2", owner=rid(2))
    for place, one in enumerate(nameless):
        collect(lake, write(tmp_path / f"n{place}.jsonl", one), name=f"nameless {place}")

    calls = rows(lake, "calls")
    notes = {call["check_note"] for call in calls if {call["call_id"], call["other_id"]} == {"msg_1", "req-1"}}
    assert notes == {"differs: output_tokens 200 in record, 180 in bedrock_log"}
    assert sorted(call["call_id"] for call in calls if call["checked_by"] is None) == ["msg_2", "req-2"]


def test_equal_calls_of_one_invocation_stay_two(lake: Lake, tmp_path: Path) -> None:
    """Two calls with the same tokens in one request, told by both sides: two rows, each confirmed once."""
    path = write(tmp_path / "a.jsonl", service(own("msg_1"), own("msg_2")))
    logged = write(tmp_path / "b.jsonl", bedrock("req-1", owner=rid(1)), bedrock("req-2", owner=rid(1)))
    for name, one in (("a", path), ("b", logged), ("c", path), ("d", logged)):
        collect(lake, one, name=name)

    calls = rows(lake, "calls")
    assert [call["call_id"] for call in calls] == ["msg_1", "msg_2"]
    assert sorted(call["other_id"] for call in calls) == ["req-1", "req-2"]
    assert {call["check_note"] for call in calls} == {"confirmed"}


def test_known_ids_that_differ_are_never_joined_by_their_tokens(lake: Lake, tmp_path: Path) -> None:
    """A service that makes two equal calls, one of which only Bedrock logged: nothing is lost."""
    collect(lake, write(tmp_path / "a.jsonl", service(own("msg_1", api_request_id="req-1"))))
    collect(lake, write(tmp_path / "b.jsonl", bedrock("req-2", owner=rid(1))), name="bedrock")

    assert [(call["call_id"], call["check_note"]) for call in rows(lake, "calls")] == [("req-2", None), ("msg_1", None)]


def test_three_tellings_are_one_call_whatever_comes_first(lake: Lake, tmp_path: Path) -> None:
    """Line, Bedrock and record in every order: the record is the ledger in the end."""
    whole = service(own(api_request_id="req-1"), cost())
    line_alone = {**whole, "logEvents": [event for event in whole["logEvents"] if "llm_usage" not in event["message"]]}
    told = {"text": line_alone, "bedrock": bedrock("req-1", message="msg_1", owner=rid(1)), "record": whole}
    for number, order in enumerate(itertools.permutations(told)):
        mine = Lake(tmp_path / str(number))
        for name in (*order, *order):
            collect(mine, write(tmp_path / f"{number}-{name}.jsonl", told[name]), name=name)

        (call,) = rows(mine, "calls")
        assert (call["told_by"], set(call["checked_by"].split(","))) == ("record", {"text", "bedrock_log"}), order
        assert (call["check_note"], call["cost_usd"]) == ("confirmed", ONE)


def test_what_the_ledger_learns_later_is_kept_beside_the_check(lake: Lake, tmp_path: Path) -> None:
    """A request still open when Bedrock's log confirmed it: its end adds the version, the check stays."""
    opened = payload([(T0, start(rid(1))), (T0 + 5, own())])
    collect(lake, write(tmp_path / "a.jsonl", opened))
    collect(lake, write(tmp_path / "b.jsonl", bedrock("req-1", message="msg_1")), name="bedrock")
    collect(lake, write(tmp_path / "c.jsonl", service(own())), name="again")

    (call,) = rows(lake, "calls")
    assert (call["function_version"], call["checked_by"], call["other_id"]) == ("12", "bedrock_log", "req-1")


def test_a_price_is_preferred_to_none(lake: Lake, tmp_path: Path) -> None:
    """Bedrock's log without bodies does not say for how long was written; a line with a default TTL does."""
    line = json.loads(bedrock("req-1", owner=rid(1)))
    line["input"]["cacheWriteInputTokenCount"] = 500
    told = service(cost(write=500, dollars="0.000001"))
    collect(lake, write(tmp_path / "a.jsonl", told))
    source = files_source(write(tmp_path / "b.jsonl", line), name="bedrock")
    collector(source, lake, defaults=LineDefaults(provider="bedrock")).run_pass()

    (call,) = rows(lake, "calls")
    assert (call["told_by"], call["price_status"], call["cache_write_1h_tokens"]) == ("text", "priced", 500)
    assert (call["checked_by"], call["call_id"]) == ("bedrock_log", "req-1")


def test_metrics_and_a_cost_line_of_one_call_are_one(lake: Lake, tmp_path: Path) -> None:
    """A service that prints the line and lets Powertools count the same call makes one call."""
    metrics = [{"Name": name} for name in ("InputTokens", "OutputTokens", "CacheReadTokens", "CacheWriteTokens")]
    emf = {"_aws": {"Timestamp": T0 + 20, "CloudWatchMetrics": [{"Metrics": metrics}]}, "engine": "sales",
           "InputTokens": [10.0], "OutputTokens": [200.0], "CacheReadTokens": [3000.0],
           "CacheWriteTokens": [0.0]}  # fmt: skip

    collect(lake, write(tmp_path / "a.jsonl", service(cost(), json.dumps(emf))))

    (call,) = rows(lake, "calls")
    assert (call["told_by"], call["checked_by"], call["cost_usd"], call["engine"]) == ("emf", "text", ONE, "sales")


@pytest.mark.parametrize("told", [[cost()], [own(), cost()]], ids=["lines", "records with their lines"])
def test_one_service_s_own_log_is_never_searched(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: list[str]
) -> None:
    """While a service's lines and records are all there is, the ledger reads no stored row."""
    monkeypatch.setattr(Ledger, "_candidates", lambda *args: pytest.fail("searched"))
    for number in range(3):
        path = write(tmp_path / f"{number}.jsonl", service(*told, number=number))
        collect(lake, path, name=str(number))

    assert rows(lake, "calls")


def test_a_line_told_again_without_its_record_is_known(lake: Lake, tmp_path: Path) -> None:
    """A window that begins between a record and its line reads the line alone: it is not a second call."""
    whole = service(own(), cost())
    collect(lake, write(tmp_path / "a.jsonl", whole))
    line = {**whole, "logEvents": [event for event in whole["logEvents"] if "llm_usage" not in event["message"]]}
    collect(lake, write(tmp_path / "b.jsonl", line), name="again")

    assert [call["told_by"] for call in rows(lake, "calls")] == ["record"]


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_order_of_tellings_gives_the_same_calls(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Several calls, each told by some of its tellers, in files of any order and number: one row each, same dollars."""
    folder = tmp_path_factory.mktemp("any")
    told: list[object] = []
    expected = 0
    for number in range(1, 5):
        who = data.draw(st.sets(st.sampled_from(["record", "bedrock", "bare bedrock"]), min_size=1))
        who -= {"bare bedrock"} if "bedrock" in who else set()
        expected += 1
        if "record" in who:
            told.append(service(own(f"msg_{number}", api_request_id=f"req-{number}"), number=number))
        if "bedrock" in who:
            told.append(bedrock(f"req-{number}", message=f"msg_{number}", owner=rid(number)))
        if "bare bedrock" in who:
            told.append(bedrock(f"req-{number}", owner=rid(number)))
    shuffled = data.draw(st.permutations(told + told))
    size = data.draw(st.integers(1, 4))
    lake = Lake(folder / "tables")
    for place in range(0, len(shuffled), size):
        path = write(folder / f"{place}.jsonl", *shuffled[place : place + size])
        collect(lake, path, name=f"source {place}")

    calls = rows(lake, "calls")
    assert len(calls) == expected
    assert {call["cost_usd"] for call in calls} == {ONE}
    assert not [call for call in calls if call["check_note"] not in (None, "confirmed")]


def span(message: str, *, output: int = 200) -> str:
    """Return an OpenTelemetry span of the call, which does not tell for how long its writes live."""
    usage = {"input_tokens": 3010, "output_tokens": output, "cache_read.input_tokens": 3000}
    told = {"gen_ai.operation.name": "chat", "gen_ai.request.model": MODEL, "gen_ai.response.id": message}
    return json.dumps({
        "traceId": "0" * 32, "spanId": "1" * 16, "startTimeUnixNano": str(T0 * 10**6),
        "attributes": told | {f"gen_ai.usage.{name}": count for name, count in usage.items()},
    })  # fmt: skip


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["log first", "span first"])
@pytest.mark.parametrize("passes", [1, 2])
def test_one_source_that_holds_two_formats_loses_neither(
    lake: Lake, tmp_path: Path, order: tuple[int, int], passes: int
) -> None:
    """Both tell one message id, in one pass or one after the other: the fuller is the ledger, the other checks it."""
    told = [bedrock("req-1", message="msg_1"), span("msg_1", output=180)]
    held = collector(files_source(tmp_path), lake)
    for place in order:
        write(tmp_path / f"{place}.jsonl", told[place])
        if passes == 2:
            held.run_pass()
    held.run_pass()
    again = held.run_pass()

    (call,) = rows(lake, "calls")
    assert (call["told_by"], call["checked_by"]) == ("bedrock_log", "otel")
    assert call["check_note"] == "differs: output_tokens 200 in bedrock_log, 180 in otel"
    assert (again.new_calls, again.replaced) == (0, 0)


def test_an_answer_logged_before_its_record_does_not_hide_it(lake: Lake, tmp_path: Path) -> None:
    """A service that prints the raw answer too: the record, which names the engine, is the call, and it is one."""
    answer = json.dumps({"id": "msg_1", "type": "message", "role": "assistant", "model": MODEL, "usage": USAGE})
    collect(lake, write(tmp_path / "a.jsonl", service(answer, own(), answer)))

    (call,), (request,) = rows(lake, "calls"), rows(lake, "invocations")
    assert (call["told_by"], call["engine"], call["cost_usd"], request["calls"]) == ("record", "sales", ONE, 1)


def test_an_answer_broken_off_for_the_caller_is_the_call_that_bedrock_finished(lake: Lake, tmp_path: Path) -> None:
    """The service saw the beginning of the output, the provider's log all of it: one call, with what was billed."""
    broken = own(complete=False, usage={**USAGE, "output_tokens": 3})
    collect(lake, write(tmp_path / "a.jsonl", service(broken)))
    collect(lake, write(tmp_path / "b.jsonl", bedrock("req-1", owner=rid(1))), name="bedrock")

    (call,) = rows(lake, "calls")
    assert (call["told_by"], call["checked_by"], call["check_note"]) == ("bedrock_log", "record", "confirmed")
    assert (call["output_tokens"], call["cost_usd"], call["engine"]) == (200, ONE, "sales")
