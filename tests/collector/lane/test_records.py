"""Records read many at once: each value as the parser of one record tells it."""

from __future__ import annotations

import json
from decimal import Decimal
from random import Random
from typing import Any

import pytest

from collector.lane.records import decoded, read_lines, read_records
from collector.lane.typed import by_type
from collector.parsers.plain_record import FIELDS, plain_row
from core.telemetry import call_record, record_line, with_metrics
from tests.support.log_lines import T0, record, rid

ODD: tuple[Any, ...] = (
    None, "", "text", 7, -1, 3.5, True, [3], {}, {"a": 1}, 10**12, 2**70, "x" * 301, "가" * 300, "5m", "1e3", "-0.5",
    "0.0000000000001", "１", " 1 ", "999999.999999999999", "1000000", 0, 4_102_444_800_000,
)  # fmt: skip
MORE = (
    "service_tier", "speed", "inference_geo", "has_output", "type", "diagnosis", "blocks", "server_tool_use", "tenant",
    "tenant_id", "cost_usd", "api_request_id", "stop_category", "prompt_store_bytes", "workspace", "request_id",
    "latency_ms", "ttft_ms", "v", "status", "complete", "event",
)  # fmt: skip


def odd_bodies(count: int) -> list[Any]:
    """Return records of which most have one member of any kind, or lack one."""
    draw = Random(11)
    bodies: list[Any] = []
    for number in range(count):
        body = json.loads(record(f"msg_{number}", ms=T0 + number, request_id=draw.choice((None, rid(number)))))
        short, long = draw.choice(((0, 0), (0, 12), (12, 0)))
        body["usage"] |= {"cache_creation_input_tokens": short + long}
        body["usage"]["cache_creation"] = {"ephemeral_5m_input_tokens": short, "ephemeral_1h_input_tokens": long}
        body |= {"latency_ms": 3.5, "ttft_ms": 1, "stop_reason": "end_turn", "cost_usd": "0.01", "api_request_id": "r"}
        inner = (body["usage"], body["usage"]["cache_creation"], body["caching"], body["prefix"])
        place = draw.choice((body, body, body, *inner))
        name = draw.choice([*place, *MORE])
        place[name] = draw.choice(ODD)
        if draw.random() < 0.1:
            del place[name]
        bodies.append(decoded(json.dumps(body).encode()))
    return [*bodies, None, [], "text", {}]


def test_records_read_at_once_say_what_each_says_alone() -> None:
    """Of two thousand odd records the same are plain, and every value of those is the same, whatever stands beside."""
    bodies = odd_bodies(2000)
    around = [Random(n).choice((None, "around")) for n in range(len(bodies))]
    alone = [plain_row(body, name) for body, name in zip(bodies, around, strict=True)]

    told, plain = read_records(bodies, around)

    assert plain.tolist() == [row is not None for row in alone]
    assert 300 < plain.sum() < 1700, "some are plain, some are not"
    for row, said in zip(alone, told.to_pylist(), strict=True):
        if row is not None:
            assert said == dict(zip(FIELDS, row, strict=True))


def test_no_records_are_read_too() -> None:
    """A piece of a log without any record has an empty table of them."""
    told, plain = read_records([], [])

    assert told.num_rows == len(plain) == 0


DAMAGED: dict[str, tuple[str, ...]] = {
    '"v":1': (
        '"v":1.0', '"v":true', '"v":1,"v":2', '"v":2,"v":1', '"v":"1","v":1', '"w":NaN,"v":1', '"w":1e999,"v":1',
        '"w":01,"v":1', '"w":' + "9" * 400 + ',"v":1', '"w":' + "[" * 2000 + "]" * 2000 + ',"v":1', '"\\u0076":1',
        '"w":"\\ud800","v":1', '"w":"\x01","v":1', '"v":1,', '"v":1,"":0',
    ),
    '"ResponseTime":': (
        '"ResponseTime":1e999,"x":',
    ),
    '"InputTokens":': (
        '"InputTokens":"a","x":',
    ),
    '"InputTokens":10': (
        '"InputTokens":1e999', '"InputTokens":-Infinity', '"InputTokens":[10]', '"InputTokens":' + "9" * 400,
    ),
    '"input_tokens":10': (
        '"input_tokens":1e1', '"input_tokens":-0', '"input_tokens":10.0', '"input_tokens":18446744073709551616',
        '"input_tokens":10000000001', '"input_tokens":"10"', '"input_tokens":10,"iterations":[]',
    ),
    '"usage":{': (
        '"usage":null,"usage":{', '"usage":{},"usage":{',
    ),
    '"caching":{': (
        '"caching":{"note":1e999,', '"caching":null,"x":{', '"caching":{"more":true,',
    ),
    '"prefix":{': (
        '"prefix":{"blocks":[],', '"prefix":{"blocks":null,',
        '"prefix":{"blocks":[{"part":"system","fingerprint":"abc"}],',
        '"prefix":{"blocks":[{"part":"system","fingerprint":"a b"}],',
        '"prefix":{"blocks":[{"part":"tools","fingerprint":"abc","tokens":3,"ttl":"1h"}],',
        '"prefix":{"blocks":[{"part":"tools"}],',
    ),
    '"Timestamp":': (
        '"Timestamp":0', '"Timestamp":1e999,"T":', '"Time":', '"Timestamp":-',
    ),
    '"Unit":"Count"': (
        '"Unit":1e999', '"Unit":"\\ud800"', '"Unit":"Count",', '"Unit":{"a":[1,null]}',
    ),
    '"_aws":{': (
        '"_aws":{},"_aws":{', '"_aws":1e999,"_aws":{', '"\\u005faws":1e999,"_aws":{',
        '"_aw\\u0073":{"a":"\\ud800"},"_aws":{',
        '"_aws":null,"x":{', '"_aws":[],"x":{', '"_aws":nul,"x":{', '"tenant":"a","_aws":{',
        '"tenant":7,"_aws":{', '"tenant":" a ","_aws":{', '"tenant_id":"a","_aws":{', '"latency_ms":3,"_aws":{',
        '"latency_ms":-0.0,"_aws":{', '"latency_ms":1e10,"_aws":{', '"latency_ms":0.1e1,"_aws":{',
        '"diagnosis":null,"_aws":{', '"error_type":null,"_aws":{', '"complete":false,"_aws":{',
        '"complete":null,"_aws":{', '"complete":1,"_aws":{', '"attempts":2,"fallback":false,"price_row":"x","_aws":{',
        '"attempts":"two","_aws":{', '"workspace":"","_aws":{', '"cost_usd":0.1,"_aws":{',
        '"cost_usd":"1e3","_aws":{',
    ),
    "}": (
        "} ", "}\r", "}x",
    ),
    "{": (
        " {", "\ufeff{",
    ),
    '"ts":': (
        '"ts":-', '"ts":1',
    ),
    "msg_": (
        "\\u00e9\\n",
    ),
}  # fmt: skip
"""What stands in a record, and what may stand there instead."""


def damaged_lines() -> list[bytes]:
    """Return a record as our library writes it, with and without metrics, and each of its damaged forms."""
    bodies = [json.loads(record("msg_1")), with_metrics(json.loads(record("msg_1", latency_ms=3.5)))]
    whole = [json.dumps(body, separators=(",", ":")) for body in bodies]
    lines = [line.encode() for line in whole]
    for line in whole:
        lines += [line.replace(old, new, 1).encode() for old, news in DAMAGED.items() for new in news]
        lines += [
            line.encode().replace(b"anthropic", letters, 1) for letters in (b"\xff", b"\xed\xa0\x80", b"\xc3\xa9")
        ]
        lines += [line[:-1].encode(), line[:-5].encode(), b"", b"null", b"[]", b"{}"]
    return [*lines, lines[1].replace(b"Count", b"\xff", 1), lines[1].replace(b"Bodo", b"\xc3\xa9", 1)]


@pytest.mark.parametrize("first", [False, True])
def test_lines_read_by_type_say_what_the_parser_says(first: bool) -> None:
    """A record in the form of our library, damaged in a hundred ways: the same are plain, and say the same."""
    lines = [*([damaged_lines()[0]] if first else [b""] * 40), *damaged_lines(), *odd_lines(1000)]
    bodies = [decoded(line) for line in lines]
    alone = [plain_row(body, None) for body in bodies]

    told, plain = read_lines(lines, [None] * len(lines))

    wrong = [
        line for line, is_plain, row in zip(lines, plain.tolist(), alone, strict=True) if is_plain != (row is not None)
    ]
    assert not wrong
    for row, said in zip(alone, told.to_pylist(), strict=True):
        if row is not None:
            assert said == dict(zip(FIELDS, row, strict=True))
    assert (len(by_type(lines)[0]) > 200) == first, "where none of the first is a record, none is tried"


def odd_lines(count: int) -> list[bytes]:
    """Return odd records as lines, some with metrics."""
    told = [body for body in odd_bodies(count) if isinstance(body, dict)]
    return [
        json.dumps(with_metrics(body) if at % 2 and is_whole(body) else body).encode() for at, body in enumerate(told)
    ]


def is_whole(body: dict[str, Any]) -> bool:
    """Say whether metrics can be told of a record."""
    try:
        with_metrics(body)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        return False
    return True


def test_a_record_with_a_member_of_an_envelope_is_left() -> None:
    """What stands around lines is opened first, so that a record with such a member is not for this reader to take."""
    line = record("msg_1").encode()
    told, plain = read_lines(
        [line, line.replace(b"{", b'{"log":"x",', 1)], [None, None], unlike=lambda told: b'"log"' in told
    )

    assert plain.tolist() == [True, False]
    assert told.num_rows == 2


def test_what_our_library_writes_fits_the_type() -> None:
    """A record with all that a call which went well can tell is read by its type, with metrics or without."""
    whole = call_record(
        call_id="msg_1", started_ms=T0, provider="anthropic", model="claude-opus-4-5", engine="sales",
        usage={"input_tokens": 1, "output_tokens": 2, "cache_read_input_tokens": 3, "cache_creation_input_tokens": 4,
               "cache_creation": {"ephemeral_5m_input_tokens": 4, "ephemeral_1h_input_tokens": 0},
               "service_tier": "standard", "inference_geo": "us", "speed": "fast", "server_tool_use": None},
        request_id=rid(1), caching_enabled=True, cache_ttl="5m", prefix_tokens=7, prefix_fingerprint="abc",
        prefix_blocks=[{"part": "system", "index": 0, "fingerprint": "abc"}], latency_ms=1.5, ttft_ms=1.0,
        stop_reason="end_turn",
        cost_usd=Decimal("0.01"), api_request_id="req_1", attempts=1, fallback=False, stop_category="x",
        has_output=True, price_row="x", tenant="t", prompt_store_bytes=3, workspace="w",
    )  # fmt: skip
    lines = [record_line(told).encode() for told in (whole, with_metrics(whole))]

    typed, others = by_type(lines)
    told, plain = read_lines(lines, [None, None])

    assert ([place for place, _ in typed], others) == ([0, 1], [])
    assert plain.all()
    assert told.to_pylist() == [dict(zip(FIELDS, plain_row(json.loads(lines[0]), None) or (), strict=True))] * 2
