"""Calls of session files to rows of the calls table: the values that collector/rows.py gives, column by column."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from collector.event import Origin
from collector.parsers.claude_code import project_name, provider_of
from collector.rank import message_ranks
from collector.sessions.found import Counts, SessionCalls
from collector.sessions.usage import as_counts
from core.caching.cacheable import is_cacheable
from core.settings import LineDefaults
from core.usage import Usage

Function = Callable[[Origin], tuple[str | None, str | None]]
Minimum = Callable[[str, str], int | None]
Ints = NDArray[np.int64]


def session_columns(
    found: SessionCalls, source: str, defaults: LineDefaults, minimum: Minimum, function: Function
) -> dict[str, Any]:
    """Return columns of the calls, unpriced, in the order in which their messages were met."""
    ids = list(found.rows)
    place, offset, ms, model, other_id, cwd, stop_reason, reported, used, _ = zip(*found.rows.values(), strict=True)
    counts = list(zip(*(as_counts(one, defaults.cache_ttl) for one in used), strict=True))
    given, read, write_5m, write_1h, output = (_ints(told) for told in counts[:5])
    thinking, searches, tier, speed, geo, complete, split_told, steps = counts[5:]
    written = write_5m + write_1h
    prompt = given + read + written
    provider = [provider_of(message_id, name) for message_id, name in zip(ids, model, strict=True)]
    models = [name if name is not None else defaults.model for name in model]
    enabled = [True if cached else defaults.caching_enabled for cached in (read + written > 0).tolist()]
    ttl = [_told_ttl(one) for one in used]
    unsaid = pa.array(~np.array(split_told, dtype=np.bool_) & (written > 0))
    nothing = pa.scalar(None, pa.int64())
    return {
        "call_id": pa.array(ids, pa.string()),
        "id_kind": pc.if_else(pc.starts_with(pa.array(ids, pa.string()), "msg_"), "message", "request"),
        "ts": pa.array(_ints(ms) * 1000).cast(pa.timestamp("us", tz="UTC")),
        "ts_kind": _same("logged", ids),
        "source": _same(source, ids),
        **_whence(found, _ints(place), _ints(offset), function),
        "other_id": pa.array(other_id, pa.string()),
        "told_by": _same("claude_code", ids),
        "attribution": _same("none", ids),
        "suspected_redelivery": _same(False, ids),
        "engine": _projects(found, place, cwd),
        "provider": pa.array(provider, pa.string()),
        "model": pa.array(models, pa.string()),
        "model_known_by": _known_by(model, defaults.model),
        "status": _same("ok", ids),
        "complete": pa.array(complete, pa.bool_()),
        "stop_reason": pa.array(stop_reason, pa.string()),
        "service_tier": pa.array(tier, pa.string()),
        "speed": pa.array(speed, pa.string()),
        "inference_geo": pa.array(geo, pa.string()),
        "caching_enabled": pa.array(enabled, pa.bool_()),
        "cache_ttl": pa.array([told if told is not None else defaults.cache_ttl for told in ttl], pa.string()),
        "ttl_known_by": _known_by(ttl, defaults.cache_ttl),
        "cacheable": _cacheable(enabled, read + written, prompt, models, provider, minimum),
        "input_tokens": given,
        "cache_read_tokens": read,
        "cache_write_5m_tokens": pc.if_else(unsaid, nothing, pa.array(write_5m)),
        "cache_write_1h_tokens": pc.if_else(unsaid, nothing, pa.array(write_1h)),
        "output_tokens": output,
        "thinking_tokens": pa.array(thinking, pa.int64()),
        "prompt_tokens": prompt,
        "web_search_requests": pa.array(searches, pa.int64()),
        "billed_steps": pa.array(steps, pa.string()),
        "reported_cost_usd": pa.array(reported, pa.decimal128(18, 12)),
        "row_rank": message_ranks(np.array([reason is not None for reason in stop_reason]), output),
    }


def _told_ttl(used: Counts | Usage) -> str | None:
    """Return the TTL that the call's own writes prove."""
    if isinstance(used, Usage):
        known, write_5m, write_1h = used.ttl_split_known, used.cache_write_5m_tokens, used.cache_write_1h_tokens
    else:
        known, write_5m, write_1h = used[11], used[2], used[3]
    if not known:
        return None
    return "1h" if write_1h else "5m" if write_5m else None


def _whence(found: SessionCalls, place: Ints, offset: Ints, function: Function) -> dict[str, pa.Array]:
    at = pa.array(place)
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
        "event_id": pc.binary_join_element_wise(files, pa.array(offset).cast(pa.string()), "@"),
        "function_name": told([name for name, _ in functions]),
        "function_version": told([version for _, version in functions]),
    }


def _projects(found: SessionCalls, place: Sequence[int], cwd: Sequence[str | None]) -> pa.Array:
    paths = [one.origin.log_stream for one in found.places]
    names: dict[tuple[int, str | None], str | None] = {}
    for pair in set(zip(place, cwd, strict=True)):
        names[pair] = project_name(pair[1], paths[pair[0]])
    return pa.array([names[pair] for pair in zip(place, cwd, strict=True)], pa.string())


def _cacheable(
    enabled: Sequence[bool | None],
    cached: Ints,
    prompt: Ints,
    models: Sequence[str | None],
    providers: Sequence[str],
    minimum: Minimum,
) -> pa.Array:
    return pa.array(
        [
            True
            if some > 0  # most calls: there is nothing to ask
            else is_cacheable(
                caching_enabled=on,
                cached_tokens=0,
                prompt_tokens=size,
                minimum_tokens=minimum(model, provider) if model else None,
            )
            for on, some, size, model, provider in zip(
                enabled, cached.tolist(), prompt.tolist(), models, providers, strict=True
            )
        ],
        pa.bool_(),
    )


def _known_by(told: Sequence[str | None], default: str | None) -> pa.Array:
    otherwise = "defaults" if default is not None else None
    return pa.array(["record" if value is not None else otherwise for value in told], pa.string())


def _ints(values: Sequence[int]) -> Ints:
    return np.array(values, dtype=np.int64)


def _same(value: Any, rows: Sequence[Any]) -> pa.Array:
    return pa.repeat(pa.scalar(value), len(rows))
