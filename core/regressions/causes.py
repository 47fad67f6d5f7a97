"""Why a metric changed: what is different in the calls themselves, and which event fits that in time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.regressions.lane import Bools, Lane, added
from core.regressions.model import Cause, Confidence, Event

MECHANISMS: dict[str, str] = {
    "caching_off": "prompt caching is switched off",
    "provider": "calls go to another provider",
    "ttl": "cache entries live shorter",
    "prefix_renewed": "the prefix changes with every call",
    "rewritten": "the prefix is written anew with every call",
    "price": "the same tokens cost more",
    "longer_prompts": "prompts are longer",
    "longer_answers": "answers are longer",
    "slower": "the same calls take longer",
}
_COLUMN_OF = {"caching_off": "caching_enabled", "provider": "provider", "ttl": "cache_ttl"}
_GRACE_CALLS = 4  # calls between an event and the change that may still belong to it
_GRACE_SHARE = 0.25  # or this share of the calls it took to be sure
_GRACE_US = 600_000_000
_FURTHEST_US = 86_400_000_000


@dataclass(frozen=True, slots=True)
class Verdict:
    """The cause, how sure it is, and the row of the lane at which it takes hold."""

    cause: Cause
    confidence: Confidence
    row: int


def judge(
    lane: Lane, events: Sequence[Event], *, start: int, found: int, figures: dict[str, Any], metrics: Sequence[str]
) -> Verdict:
    """Choose the event that fits the change best, and say by what the calls bear it out."""
    mechanism = _mechanism(figures, metrics)
    fitting = [(event, row) for event in events if (row := _fits(lane, event, start, found)) is not None]
    if not fitting:
        return _without_event(mechanism, start)
    event, row = min(fitting, key=lambda pair: _rank(pair[0], pair[1], mechanism, lane, start))
    label = event.label
    if event.kind == "deploy":
        along = [e for e, r in fitting if e.column is not None and abs(r - row) <= 1 and e.column != "price_book"]
        label = "; ".join([label, *(e.label for e in along)])
    confidence: Confidence = "measured" if mechanism not in (None, "slower") else "inferred"
    return Verdict(Cause(event.kind, label, event.at, mechanism), confidence, row)


def _without_event(mechanism: str | None, start: int) -> Verdict:
    if mechanism is None:
        return Verdict(Cause("unknown", "unknown"), "unknown", start)
    return Verdict(Cause("unknown", MECHANISMS[mechanism], mechanism=mechanism), "inferred", start)


def _rank(event: Event, row: int, mechanism: str | None, lane: Lane, start: int) -> tuple[int, int, int]:
    """Order fitting events: the nearest in calls first, and at the same call the one that explains most."""
    apart = int(abs(int(lane.calls[: max(row, 0)].sum()) - int(lane.calls[:start].sum())))
    explains = event.column is not None and event.column == _COLUMN_OF.get(mechanism or "")
    priced = mechanism == "price" and (
        event.kind == "price_book" or event.column in ("provider", "service_tier", "speed")
    )
    order = {"deploy": 1, "switch": 2, "clear": 3, "price_book": 4}.get(event.kind, 5)
    return (0 if priced else 1, apart // (_GRACE_CALLS + 1), 0 if explains and order == 1 else order)


def _fits(lane: Lane, event: Event, start: int, found: int) -> int | None:
    """Return the row at which the event takes hold if that is about where the change starts, else None."""
    if event.engine not in (None, lane.engine):
        return None
    at_us = int(event.at.timestamp() * 1_000_000)
    if event.version is not None:
        own = lane.version.equals(event.version)
        if not own[start : found + 1].any():
            return None
        row = int(np.argmax(own))
    else:
        row = int(np.searchsorted(lane.last_us, at_us))
    if row >= len(lane) or abs(at_us - int(lane.first_us[start])) > _FURTHEST_US:
        return None
    needed = int(lane.calls[start : found + 1].sum())
    allowed = max(_GRACE_CALLS, int(needed * _GRACE_SHARE))
    between = int(lane.calls[row:start].sum() if row < start else lane.calls[start:row].sum())
    near = abs(int(lane.first_us[row]) - int(lane.first_us[start])) <= _GRACE_US
    return row if between <= allowed or near else None


def _mechanism(figures: dict[str, Any], metrics: Sequence[str]) -> str | None:
    """Name what is different in the calls, the most telling first."""
    shares = bool({"read_share", "miss_share"} & set(metrics))
    before, after = figures["before"], figures["after"]
    if shares and _fell(before["caching_on_share"], after["caching_on_share"], 0.5):
        return "caching_off"
    if figures["price_index"] is not None and figures["price_index"] > 1.02 and not shares:
        return "price"
    if figures["provider_before"] != figures["provider_after"]:
        return "provider"
    if shares and _rose(before["short_write_share"], after["short_write_share"], 0.5):
        return "ttl"
    if shares and _rose(before["renewed_share"], after["renewed_share"], 0.3):
        return "prefix_renewed"
    if shares and _rose(before["written_share"], after["written_share"], 0.25):
        return "rewritten"
    if _times(before["prompt_tokens"], after["prompt_tokens"], 1.15) and "cost_per_request" in metrics:
        return "longer_prompts"
    if _times(before["output_tokens"], after["output_tokens"], 1.15):
        return "longer_answers"
    return "slower" if "latency" in metrics else None


def figures_of(lane: Lane, before: Bools, after: Bools) -> dict[str, Any]:
    """Return what describes the calls before and after."""
    return {
        "before": _described(lane, before),
        "after": _described(lane, after),
        "provider_before": _ruling(lane, before),
        "provider_after": _ruling(lane, after),
        "price_index": _price_index(lane, before, after),
    }


def _described(lane: Lane, rows: Bools) -> dict[str, float | None]:
    calls = int(lane.calls[rows].sum())
    told = (lane.words["caching_enabled"].codes >= 0) & rows
    on = lane.words["caching_enabled"].equals("true") & rows
    short, long = (int(lane.tokens[kind][rows].sum()) for kind in ("cache_write_5m", "cache_write_1h"))
    return {
        "calls": calls,
        "caching_on_share": _over(int(lane.calls[on].sum()), int(lane.calls[told].sum())),
        "renewed_share": _over(int(lane.renewed[rows].sum()), int(lane.fingerprints[rows].sum())),
        "written_share": _over(int(lane.written[rows].sum()), calls),
        "short_write_share": _over(short, short + long),
        "prompt_tokens": _over(int(lane.prompt[rows].sum()), calls),
        "output_tokens": _over(int(lane.tokens["output"][rows].sum()), calls),
    }


def _price_index(lane: Lane, before: Bools, after: Bools) -> float | None:
    """Return the cost after over that of the same tokens at the rates before."""
    paid, reference = 0, 0.0
    for kind, tokens in lane.tokens.items():
        known = int(tokens[before].sum())
        if known:
            paid += added(lane.costs[kind][after])
            reference += int(tokens[after].sum()) * (added(lane.costs[kind][before]) / known)
    return paid / reference if reference else None


def _ruling(lane: Lane, rows: Bools) -> str | None:
    words = lane.words["provider"]
    known = rows & (words.codes >= 0)
    counts = np.bincount(words.codes[known], lane.calls[known])
    return words.values[int(np.argmax(counts))] if len(counts) else None


def _over(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _fell(before: float | None, after: float | None, by: float) -> bool:
    return before is not None and after is not None and before - after >= by


def _rose(before: float | None, after: float | None, by: float) -> bool:
    return before is not None and after is not None and after - before >= by


def _times(before: float | None, after: float | None, factor: float) -> bool:
    return bool(before) and after is not None and before is not None and after >= before * factor
