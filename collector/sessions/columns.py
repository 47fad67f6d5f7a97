"""Calls of session files to rows of the calls table: the values that collector/rows.py gives, column by column."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from collector.event import Origin
from collector.parsers.claude_code import project_name
from collector.parsers.clock import AHEAD_MS
from collector.rank import message_ranks
from collector.sessions.found import SessionRows
from collector.sessions.told import UNTOLD
from collector.sessions.usage import as_counts, read_usage
from core.caching.cacheable import is_cacheable
from core.settings import LineDefaults

Function = Callable[[Origin], tuple[str | None, str | None]]
Minimum = Callable[[str, str], int | None]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


def session_columns(
    found: SessionRows, source: str, defaults: LineDefaults, minimum: Minimum, function: Function, now_ms: int
) -> dict[str, Any]:
    """Return columns of the calls, unpriced, in the order in which their messages were met.

    What calls have in common is worked out once for each shape, and then laid out for all of them.
    """
    shapes, shape = found.shapes, found["shape"]
    model, _, stop_reason, tier, speed, geo, complete, split_told, ttl, provider = zip(*shapes, strict=True)
    models = [name if name is not None else defaults.model for name in model]
    split = np.array(split_told, dtype=np.bool_)[shape]
    given, read, write_5m, write_1h = found["input"], found["read"], found["write_5m"], found["write_1h"]
    steps: dict[int, str | None] = dict(found.steps)
    if defaults.cache_ttl in ("5m", "1h"):
        write_5m, write_1h = _booked(write_5m, write_1h, split, defaults.cache_ttl)
        steps |= {row: _steps(usage, defaults.cache_ttl) for row, usage in found.unsplit.items()}
        split = np.ones(len(found), dtype=np.bool_)
    written = write_5m + write_1h
    prompt = given + read + written
    cached = read + written > 0
    enabled = pc.if_else(pa.array(cached), True, pa.scalar(defaults.caching_enabled, pa.bool_()))
    unsaid = pa.array(~split & (written > 0))
    nothing = pa.scalar(None, pa.int64())
    at = pa.array(shape)
    ahead = found["ms"] > now_ms + AHEAD_MS  # no time at all: by then the line cannot have been read

    def told(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
        return pa.array(values, kind).take(at)

    return {
        "call_id": found.ids,
        "id_kind": pc.if_else(pc.starts_with(found.ids, "msg_"), "message", "request"),
        "ts": pa.array(np.where(ahead, now_ms, found["ms"]) * 1000).cast(pa.timestamp("us", tz="UTC")),
        "ts_kind": pc.if_else(pa.array(ahead), "file", "logged"),
        "source": _same(source, found),
        **_whence(found, function),
        "other_id": found.requests,
        "told_by": _same("claude_code", found),
        "attribution": _same("none", found),
        "suspected_redelivery": _same(False, found),
        "engine": _projects(found),
        "provider": told(provider, pa.string()),
        "model": told(models, pa.string()),
        "model_known_by": told(_known_by(model, defaults.model), pa.string()),
        "status": _same("ok", found),
        "complete": told(complete, pa.bool_()),
        "stop_reason": told(stop_reason, pa.string()),
        "service_tier": told(tier, pa.string()),
        "speed": told(speed, pa.string()),
        "inference_geo": told(geo, pa.string()),
        "caching_enabled": enabled,
        "cache_ttl": told([one if one is not None else defaults.cache_ttl for one in ttl], pa.string()),
        "ttl_known_by": told(_known_by(ttl, defaults.cache_ttl), pa.string()),
        "cacheable": _cacheable(cached, defaults.caching_enabled, prompt, shape, models, provider, minimum),
        "input_tokens": given,
        "cache_read_tokens": read,
        "cache_write_5m_tokens": pc.if_else(unsaid, nothing, pa.array(write_5m)),
        "cache_write_1h_tokens": pc.if_else(unsaid, nothing, pa.array(write_1h)),
        "output_tokens": found["output"],
        "thinking_tokens": pa.array(found["thinking"], mask=found["thinking"] == UNTOLD),
        "prompt_tokens": prompt,
        "web_search_requests": found["searches"],
        "billed_steps": _few(steps, len(found), pa.string()),
        "reported_cost_usd": _few(found.costs, len(found), pa.decimal128(18, 12)),
        "row_rank": message_ranks(np.array([reason is not None for reason in stop_reason])[shape], found["output"]),
    }


def _booked(write_5m: Ints, write_1h: Ints, split: Bools, ttl: str) -> tuple[Ints, Ints]:
    """Book writes of unknown lifetime under the TTL that settings name."""
    total, none = write_5m + write_1h, np.zeros_like(write_5m)
    short, long = (none, total) if ttl == "1h" else (total, none)
    return np.where(split, write_5m, short), np.where(split, write_1h, long)


def _steps(usage: bytes, ttl: str) -> str | None:
    return as_counts(read_usage(orjson.loads(usage)), ttl)[12]


def _whence(found: SessionRows, function: Function) -> dict[str, pa.Array]:
    at = pa.array(found.place)
    origins = [one.origin for one in found.places]
    functions = [function(origin) for origin in origins]

    def told(values: list[str | None]) -> pa.Array:
        return pa.array(values, pa.string()).take(at)

    files = pa.array([one.file_id for one in found.places], pa.string()).take(at)
    return {
        "account": told([origin.account for origin in origins]),
        "region": told([origin.region for origin in origins]),
        "log_group": told([origin.log_group for origin in origins]),
        "log_stream": told([origin.log_stream for origin in origins]),
        "event_id": pc.binary_join_element_wise(files, pa.array(found["offset"]).cast(pa.string()), "@"),
        "function_name": told([name for name, _ in functions]),
        "function_version": told([version for _, version in functions]),
    }


def _projects(found: SessionRows) -> pa.Array:
    """Name the project of each file and folder that stand together."""
    pairs, which = np.unique(found.place * len(found.shapes) + found["shape"], return_inverse=True)
    named = [
        project_name(
            found.shapes[pair % len(found.shapes)][1], found.places[pair // len(found.shapes)].origin.log_stream
        )
        for pair in pairs.tolist()
    ]
    return pa.array(named, pa.string()).take(pa.array(which))


def _cacheable(
    cached: Bools,
    enabled: bool | None,
    prompt: Ints,
    shape: Ints,
    models: Sequence[str | None],
    providers: Sequence[str],
    minimum: Minimum,
) -> pa.Array:
    """Say of each call whether it could have used the cache; of those that did, which are most, there is no asking."""
    told: list[bool | None] = [True] * len(cached)
    for row in np.flatnonzero(~cached).tolist():
        model, provider = models[shape[row]], providers[shape[row]]
        told[row] = is_cacheable(
            caching_enabled=enabled,
            cached_tokens=0,
            prompt_tokens=int(prompt[row]),
            minimum_tokens=minimum(model, provider) if model else None,
        )
    return pa.array(told, pa.bool_())


def _known_by(told: Sequence[str | None], default: str | None) -> list[str | None]:
    otherwise = "defaults" if default is not None else None
    return ["record" if value is not None else otherwise for value in told]


def _few(told: Mapping[int, Any], count: int, kind: pa.DataType) -> pa.Array:
    """Lay out what few rows tell."""
    if not told:
        return pa.nulls(count, kind)
    values: list[Any] = [None] * count
    for row, value in told.items():
        values[row] = value
    return pa.array(values, kind)


def _same(value: Any, rows: SessionRows) -> pa.Array:
    return pa.repeat(pa.scalar(value), len(rows))
