"""What cost lines tell to the columns of the calls table, and where lines stand, whatever they tell."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collector.lane.arrays import same, zeros
from collector.lane.record_columns import Columns, Minimum
from collector.lane.requests import Costs, Ints, Place
from core.caching.cacheable import is_cacheable
from core.settings import LineDefaults

_KEY = 16  # bytes


def cost_columns(costs: Costs, defaults: LineDefaults, minimum: Minimum) -> Columns:
    """Return the columns that text lines of calls themselves tell: what `rows.py` makes of each, one by one."""
    given, read, write, number = costs.given, costs.read, costs.write, np.arange(len(costs.given))
    prompt = pc.add(pc.add(given, read), write)
    ttl, model, provider = defaults.cache_ttl, defaults.model, defaults.provider
    known = {"5m": (write, zeros(write)), "1h": (zeros(write), write)}
    unknown = pc.if_else(pc.equal(write, 0), 0, pa.scalar(None, pa.int64()))
    write_5m, write_1h = known.get(ttl or "", (unknown, unknown))
    return {
        "id_kind": same("event", number),
        "told_by": same("text", number),
        "provider": same(provider, number),
        "model": same(model, number),
        "model_known_by": same("defaults" if model is not None else None, number),
        "status": same("ok", number),
        "complete": same(True, number),
        "caching_enabled": same(defaults.caching_enabled, number),
        "cache_ttl": same(ttl, number),
        "ttl_known_by": same("defaults" if ttl is not None else None, number),
        "cacheable": _cacheable(
            defaults.caching_enabled, pc.add(read, write), prompt, minimum(model, provider) if model else None
        ),
        "input_tokens": given,
        "cache_read_tokens": read,
        "cache_write_5m_tokens": write_5m,
        "cache_write_1h_tokens": write_1h,
        "output_tokens": costs.output,
        "prompt_tokens": prompt,
        "web_search_requests": same(0, number),
        "reported_cost_usd": costs.usd,
    }


def origins_of(places: Sequence[Place], place: pa.Array) -> Columns:
    """Return whose logs these are."""
    names = ("account", "region", "log_group", "log_stream")
    return {name: pa.array([getattr(one.origin, name) for one in places], pa.string()).take(place) for name in names}


def lines_shown(places: Sequence[Place], place: pa.Array, offsets: Ints) -> pa.Array:
    """Return what a person finds lines of files by (LogEvent.shown_id)."""
    files = pa.array([one.file_id for one in places], pa.string()).take(place)
    return pc.binary_join_element_wise(files, pa.array(offsets).cast(pa.string()), "@")


def keys_of(shown: pa.Array) -> pa.Array:
    """Return the keys of lines (LogEvent.event_key)."""
    told, digests = shown.cast(pa.binary()).to_pylist(), []
    new = blake2b(digest_size=_KEY).copy  # a quarter quicker than beginning anew with each
    for one in told:
        key = new()
        key.update(one)
        digests.append(key.digest())
    letters = b"".join(digests).hex().encode()
    ends = np.arange(0, 2 * _KEY * (len(told) + 1), 2 * _KEY, dtype=np.int32)
    return pa.Array.from_buffers(pa.string(), len(told), [None, pa.py_buffer(ends), pa.py_buffer(letters)])


def _cacheable(enabled: bool | None, cached: pa.Array, prompt: pa.Array, minimum: int | None) -> pa.Array:
    """Ask `is_cacheable` once for each of the four kinds of calls there are."""
    least = minimum or 0
    answers = [
        is_cacheable(
            caching_enabled=enabled, cached_tokens=some, prompt_tokens=least - short, minimum_tokens=minimum
        )
        for some in (0, 1)
        for short in (0, 1)
    ]  # fmt: skip
    kind = 2 * (cached.to_numpy() > 0) + (prompt.to_numpy() < least)
    return pa.array(answers, pa.bool_()).take(pa.array(kind))
