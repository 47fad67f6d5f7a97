"""Records read many at once: each value as the parser of one record tells it."""

from __future__ import annotations

import json
from random import Random
from typing import Any

from collector.lane.records import decoded, read_records
from collector.parsers.plain_record import FIELDS, plain_row
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
