"""The form in which our own library writes a call record, as types: msgspec decodes by them what is asked for.

All members are named, so that nothing is passed over unseen: a record with any other raises, as does one with a value
of another type, and is looked at member by member by `records.py`. The list of metrics alone is kept as it is written;
it is the same for nearly all, but for its time, and is looked at once (docs/decisions/107-records-by-type.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import orjson
from msgspec import MsgspecError, Raw, Struct, field, to_builtins
from msgspec.json import Decoder


class Split(Struct, gc=False, forbid_unknown_fields=True):
    """`usage.cache_creation`."""

    ephemeral_5m_input_tokens: int
    ephemeral_1h_input_tokens: int


class Usage(Struct, gc=False, forbid_unknown_fields=True):
    """`usage`, without tools."""

    input_tokens: int
    output_tokens: int
    cache_read_input_tokens: int = 0
    cache_creation_input_tokens: int = 0
    cache_creation: Split | None = None
    server_tool_use: None = None
    service_tier: str | None = None
    speed: str | None = None
    inference_geo: str | None = None


class Caching(Struct, gc=False, forbid_unknown_fields=True):
    """`caching`."""

    enabled: bool | None = None
    ttl: Literal["5m", "1h"] | None = None


class Block(Struct, gc=False, forbid_unknown_fields=True):
    """A block of the prefix."""

    part: str
    fingerprint: str
    index: int | None = None


class Prefix(Struct, gc=False, forbid_unknown_fields=True):
    """`prefix`."""

    tokens: int | None = None
    fingerprint: str | None = None
    blocks: list[Block] | None = None


class Record(Struct, gc=False, forbid_unknown_fields=True):
    """The record of a call that went well."""

    event: Literal["llm_usage"]
    v: Literal[1]
    status: Literal["ok"]
    id: str
    ts: int
    usage: Usage
    caching: Caching = field(default_factory=Caching)
    prefix: Prefix = field(default_factory=Prefix)
    complete: bool = True
    request_id: str | None = None
    provider: str | None = None
    model: str | None = None
    engine: str | None = None
    tenant: str | None = None
    stop_reason: str | None = None
    stop_category: str | None = None
    latency_ms: float | None = None
    ttft_ms: float | None = None
    cost_usd: str | None = None
    api_request_id: str | None = None
    has_output: bool | None = None
    prompt_store_bytes: int | None = None
    workspace: str | None = None
    attempts: int | None = None
    fallback: bool | None = None
    price_row: str | None = None
    ClaudeCacheHitRate: float | None = None
    ApiCostPerRequest: float | None = None
    ResponseTime: float | None = None
    InputTokens: float | None = None
    CacheReadTokens: float | None = None
    CacheWriteTokens: float | None = None
    OutputTokens: float | None = None
    _aws: Raw = field(default_factory=Raw)


_DECODE = Decoder(Record).decode
_TRIES = 32
_METRICS, _SPELT = b'"_aws"', b"\\u00"
"""A list of metrics told twice would be passed over once, however its name is spelt."""
_TIMESTAMP, _LONGEST_TIME = b'{"Timestamp":', 16
_KNOWN: dict[bytes, bool] = {}
"""Lists of metrics without their time: are they JSON."""
_MOST_KNOWN = 1_000


def by_type(said: Sequence[Any]) -> tuple[list[tuple[int, Record]], list[int]]:
    """Return the lines that are records of this type, with their places, and the places of all others.

    Where none of the first is, the rest is not tried.
    """
    typed: list[tuple[int, Record]] = []
    others: list[int] = []
    for place, line in enumerate(said):
        if type(line) is bytes and (typed or len(others) < _TRIES) and _tells_once(line):
            try:
                typed.append((place, _DECODE(line)))
                continue
            except (MsgspecError, ValueError, RecursionError):
                pass
        others.append(place)
    return typed, others


def _tells_once(line: bytes) -> bool:
    return line.count(_METRICS) < 2 and (b"\\" not in line or _SPELT not in line)


def knows_metrics(told: Raw) -> bool:
    """Say whether a list of metrics, as it is written, is JSON."""
    text = bytes(told)
    if not text:
        return True
    head, comma, rest = text.partition(b",")
    time = head.removeprefix(_TIMESTAMP)
    if len(time) == len(head) or not time.isdigit() or time[:1] == b"0" or len(time) > _LONGEST_TIME:
        return _is_json(text)
    known = _KNOWN.get(rest)
    if known is None:
        if len(_KNOWN) >= _MOST_KNOWN:
            _KNOWN.clear()
        known = _KNOWN[rest] = bool(comma) and _is_json(b'{"Timestamp":1,' + rest)
    return known


def as_told(value: Any) -> Any:
    """Return a member as it is written, objects within as mappings."""
    return to_builtins(value)


def _is_json(text: bytes) -> bool:
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return True
