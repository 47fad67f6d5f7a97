"""The `usage.iterations` list of the beta API: which sampling steps a call took, and which of them are billed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from core.errors import BadInput
from core.usage.counts import count, mapping, plain, shown, split_writes, text
from core.usage.model import Iteration

SAMPLING = ("message", "fallback_message")
"""Kinds that the top-level counts are made of; the others (compaction, advisor) come on top of them."""


def read_iterations(value: Any, *, split_1h: int | None) -> tuple[Iteration, ...]:
    """Read the list. Where no sampling step tells its own TTL split, the call's 1h writes are shared out in order."""
    entries = plain(value)
    if not entries:
        return ()
    if not isinstance(entries, list):
        raise BadInput(f"iterations = {shown(entries)} is not a list.", code="USG-002", mend="Accepted: a list.")
    tables = [mapping(entry, f"iterations[{index}]") for index, entry in enumerate(entries)]
    steps = [_iteration(table, f"iterations[{index}].") for index, table in enumerate(tables)]
    told = any(table.get("cache_creation") for table in tables if _kind(table) in SAMPLING)
    return mark_declined(steps if told else _share_out(steps, split_1h or 0))


def as_messages_iteration(step: Iteration) -> dict[str, Any]:
    """Write a step as the API does."""
    split = {
        "ephemeral_5m_input_tokens": step.cache_write_5m_tokens,
        "ephemeral_1h_input_tokens": step.cache_write_1h_tokens,
    }
    written = {
        "type": step.kind,
        "input_tokens": step.input_tokens,
        "cache_read_input_tokens": step.cache_read_tokens,
        "cache_creation_input_tokens": step.cache_write_5m_tokens + step.cache_write_1h_tokens,
        "cache_creation": split,
        "output_tokens": step.output_tokens,
    }
    return written | ({"model": step.model} if step.model is not None else {})


def steps_text(steps: Sequence[Iteration]) -> str | None:
    """Return the steps as one line of JSON, for a table that keeps what a call is billed by; None: it has none."""
    return json.dumps([as_messages_iteration(step) for step in steps], separators=(",", ":")) if steps else None


def read_steps_text(written: str) -> tuple[Iteration, ...]:
    """Read what `steps_text` wrote."""
    return read_iterations(json.loads(written), split_1h=None)


def mark_declined(steps: Sequence[Iteration]) -> tuple[Iteration, ...]:
    """Mark the attempts of a server-side fallback that were declined before any output: they are free."""
    served_at = max((i for i, step in enumerate(steps) if step.kind == "fallback_message"), default=-1)
    return tuple(
        replace(step, declined=True) if i < served_at and step.kind in SAMPLING and not step.output_tokens else step
        for i, step in enumerate(steps)
    )


def split_told(value: Any) -> bool:
    """Say whether every sampling step that wrote to the cache tells for how long."""
    tables = [mapping(entry, "iterations[]") for entry in plain(value) or ()]
    wrote = [table for table in tables if _kind(table) in SAMPLING and table.get("cache_creation_input_tokens")]
    return bool(wrote) and all(table.get("cache_creation") for table in wrote)


def with_write_ttl(steps: Sequence[Iteration], ttl: str) -> tuple[Iteration, ...]:
    """Book the writes of the sampling steps, whose lifetime nobody told, under one TTL."""
    return tuple(
        replace(
            step,
            cache_write_5m_tokens=0 if ttl == "1h" else step.cache_write_5m_tokens + step.cache_write_1h_tokens,
            cache_write_1h_tokens=step.cache_write_5m_tokens + step.cache_write_1h_tokens if ttl == "1h" else 0,
        )
        if step.kind in SAMPLING
        else step
        for step in steps
    )


def summed_split(steps: Sequence[Iteration], creation: int | None) -> tuple[int, int] | None:
    """Return the (5m, 1h) writes of the sampling steps when they account for all of the call's writes."""
    serving = [step for step in steps if step.kind in SAMPLING and not step.declined]
    write_5m = sum(step.cache_write_5m_tokens for step in serving)
    write_1h = sum(step.cache_write_1h_tokens for step in serving)
    return (write_5m, write_1h) if serving and write_5m + write_1h == (creation or 0) else None


def _kind(table: Mapping[str, Any]) -> str:
    return text(table.get("type")) or "message"


def _share_out(steps: Sequence[Iteration], left_1h: int) -> list[Iteration]:
    shared = []
    for step in steps:
        write_1h = min(left_1h, step.cache_write_5m_tokens) if step.kind in SAMPLING else 0
        left_1h -= write_1h
        write_5m = step.cache_write_5m_tokens - write_1h
        shared.append(
            replace(step, cache_write_5m_tokens=write_5m, cache_write_1h_tokens=write_1h + step.cache_write_1h_tokens)
        )
    return shared


def _iteration(table: Mapping[str, Any], within: str) -> Iteration:
    split = mapping(table.get("cache_creation"), f"{within}cache_creation")
    write_5m, write_1h, _ = split_writes(
        count(table, "cache_creation_input_tokens", within=within),
        count(split, "ephemeral_5m_input_tokens", within=f"{within}cache_creation."),
        count(split, "ephemeral_1h_input_tokens", within=f"{within}cache_creation."),
    )
    return Iteration(
        kind=_kind(table),
        model=text(table.get("model")),
        input_tokens=count(table, "input_tokens", within=within) or 0,
        cache_read_tokens=count(table, "cache_read_input_tokens", within=within) or 0,
        cache_write_5m_tokens=write_5m,
        cache_write_1h_tokens=write_1h,
        output_tokens=count(table, "output_tokens", within=within) or 0,
    )
