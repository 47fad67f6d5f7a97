"""Finds one cause for the part of each prompt that should have been read and was not.

Order of the questions: was it marked at all, was it long enough, did anybody hold it warm (the engine's own lane, as
if its prompt had never changed), was it just being written, and only then: what changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from core.misses import moved
from core.misses.causes import CODE
from core.misses.change import changed_part, grown
from core.misses.lanes import Lanes, lanes
from core.misses.sizes import EVIDENCE as SIZED_BY
from core.misses.sizes import Sized, of_sizes
from core.misses.talks import side_by_side
from core.traffic import Traffic
from core.traffic.arrays import Bools, Coded, Ints, by_lane, combined
from core.traffic.prefix import prefixes

HOUR_MS = 3_600_000
MEASURED, INFERRED, UNKNOWN = 0, 1, 2

EVIDENCE = (
    "usage", "policy", "prefix_tokens", "gap", "no_earlier_call", "response_not_begun", "fingerprint", "version",
    "fetch", "size", "diagnosis", "other_cache", "price_check", "never_cached", "nothing", "likeliest",
)  # fmt: skip
_E = {name: code for code, name in enumerate(EVIDENCE)}
_BY_SIZE = np.array([_E[name] for name in SIZED_BY])


@dataclass(frozen=True, slots=True)
class Verdict:
    """Per call: how many prefix tokens were missed, why, how sure that is, and on what evidence."""

    prefix: Ints  # tokens up to the breakpoint
    prefix_measured: Bools
    cause: Ints
    confidence: Ints
    evidence: Ints
    detail: Coded  # which part changed: tools, system, messages, model, speed
    gap_ms: Ints
    ttl_ms: Ints
    previous: Ints  # row of the engine's last use before
    generation: Ints  # which wording of the engine's prefix it carried, counted in its lane from what was observed


@dataclass(slots=True)
class _Sheet:
    """The verdict while it is being written: later assignments are the stronger reasons."""

    cause: Ints
    confidence: Ints
    evidence: Ints

    def put(self, where: Bools, cause: str, confidence: int | Ints, evidence: str) -> None:
        """Write a cause over the rows marked."""
        self.cause[where] = CODE[cause]
        self.confidence[where] = confidence[where] if isinstance(confidence, np.ndarray) else confidence
        self.evidence[where] = _E[evidence]


def judge(calls: Traffic) -> Verdict:
    """Return the verdict on every call. Calls that read their whole prefix have a cause too; it holds no tokens."""
    n = len(calls)
    wrote, read = calls.write_5m + calls.write_1h > 0, calls.read > 0
    touched = wrote | read
    short = (calls.write_5m > 0) & ((calls.write_1h == 0) | read)  # with both lifetimes, the last part is the 5m one
    own_ttl = np.where(short, 300_000, np.where(calls.write_1h > 0, HOUR_MS, calls.ttl_ms))
    seen = partial(lanes, start_ms=calls.start_ms, begin_ms=calls.begin_ms, wrote=wrote, read=read, own_ttl_ms=own_ttl)
    engine = seen(calls.lane, touched=touched)
    known = calls.fingerprint.codes >= 0
    own_lane = combined(calls.fingerprint.codes, calls.model.codes, calls.place.codes, calls.speed.codes)
    own = seen(own_lane, touched=touched & known, whole=True)
    sheet = _Sheet(*(np.zeros(n, dtype=np.int64) for _ in range(3)))
    sheet.put(np.ones(n, dtype=np.bool_), "unknown", UNKNOWN, "nothing")
    prefix, prefix_measured = prefixes(calls)
    _judge_unmarked(sheet, calls, prefix, touched)
    detail, churns = _judge_changed(sheet, calls, engine, own, wrote & known, wrote & ~known)
    _judge_cold(sheet, calls, engine, own, wrote, known)
    _judge_echoes(sheet, engine, own, churns)
    house = combined(calls.engine.codes, np.where(calls.engine.codes < 0, calls.source.codes, -1))
    anywhere = seen(house, touched=touched)
    _judge_elsewhere(sheet, calls, engine, anywhere, wrote, house)
    _judge_grown(sheet, calls, engine, wrote & read & known)
    diagnosed = sheet.evidence == _E["diagnosis"]
    blind, changed = wrote & ~known, sheet.cause == CODE["prefix_changed"]
    _judge_sized(sheet, of_sizes(calls, blind & read, blind & changed, own_ttl), detail, diagnosed)
    _judge_moved(sheet, moved.of_switches(calls, house, wrote, anywhere), detail, diagnosed)
    _judge_moved(sheet, moved.of_talks(calls, house, wrote, own_ttl), detail, diagnosed)
    return Verdict(
        prefix, prefix_measured, sheet.cause, sheet.confidence, sheet.evidence, detail,
        engine.gap_ms, engine.ttl_ms, engine.previous, _generations(calls, sheet, engine, churns),
    )  # fmt: skip


def _judge_unmarked(sheet: _Sheet, calls: Traffic, prefix: Ints, touched: Bools) -> None:
    """Judge calls that neither read nor wrote: switched off, or below the minimum."""
    idle = ~touched
    recorded = ~calls.by_text & (calls.enabled >= 0)
    told = calls.told_prefix >= 0
    off, on = idle & recorded & (calls.enabled == 0), idle & recorded & (calls.enabled == 1)
    long = (calls.minimum >= 0) & (prefix >= calls.minimum)
    short = (calls.minimum >= 0) & (prefix < calls.minimum) & (prefix >= 0)
    vague = idle & ~recorded
    sheet.put(vague & short, "below_minimum", INFERRED, "never_cached")
    sheet.put(vague & long, "caching_off", INFERRED, "never_cached")
    sheet.put(off, "caching_off", MEASURED, "policy")
    sheet.put(on & short, "below_minimum", INFERRED, "never_cached")
    sheet.put(on & told & short, "below_minimum", MEASURED, "prefix_tokens")


def _judge_cold(sheet: _Sheet, calls: Traffic, engine: Lanes, own: Lanes, wrote: Bools, known: Bools) -> None:
    """Judge writes where no change is needed to explain them: nobody held the prefix warm, or it was being written."""
    sure = calls.start_known & known
    confidence = np.where(sure, MEASURED, INFERRED)
    # As near to a limit as a start is uncertain, "measured" would say too much.
    near = np.abs(engine.gap_ms - engine.ttl_ms) < np.where(calls.start_known, 50, 5_000)
    unexplained = wrote & (sheet.cause == CODE["unknown"]) & _at_the_limit(calls, engine)
    for ttl_ms, cause in ((300_000, "expired_5m"), (HOUR_MS, "expired_1h")):
        sheet.put(unexplained & (engine.ttl_ms == ttl_ms), cause, INFERRED, "gap")
        sheet.put(
            wrote & engine.expired & (engine.ttl_ms == ttl_ms), cause, np.where(near, INFERRED, confidence), "gap"
        )
    horizon = calls.start_ms - (calls.start_ms[0] if len(calls) else 0) < HOUR_MS
    seen = known & ~own.first
    first = wrote & engine.first & (calls.read == 0)
    sheet.put(first, "first_touch", np.where(horizon, INFERRED, confidence), "no_earlier_call")
    for ttl_ms, cause in ((300_000, "expired_5m"), (HOUR_MS, "expired_1h")):
        sheet.put(first & seen & own.expired & (own.ttl_ms == ttl_ms), cause, confidence, "gap")
    part = wrote & (calls.read > 0) & known & own.expired
    for ttl_ms, cause in ((300_000, "expired_5m"), (HOUR_MS, "expired_1h")):
        sheet.put(part & (own.ttl_ms == ttl_ms), cause, confidence, "gap")
    told = calls.start_known & (calls.begin_ms > calls.start_ms)
    sure_pair = np.where(told & known, MEASURED, INFERRED)
    sheet.put(wrote & (engine.concurrent | own.concurrent), "concurrent_first_write", sure_pair, "response_not_begun")


def _at_the_limit(calls: Traffic, engine: Lanes) -> Bools:
    """Say where a gap ends just short of the lifetime, within what lies between a call's start and its arrival.

    A schedule of exactly five minutes finds its entry now alive and now dead; what it then writes had expired.
    """
    left = engine.ttl_ms - engine.gap_ms
    short = (engine.previous >= 0) & (left >= 0) & (left < moved.UNDER_WAY_MS)
    return short & (calls.read == 0) & ~engine.concurrent


def _judge_changed(
    sheet: _Sheet, calls: Traffic, engine: Lanes, own: Lanes, wrote: Bools, wrote_blind: Bools
) -> tuple[Coded, Bools]:
    """Judge writes while the engine's entry was warm: something about the prefix changed, or it was evicted."""
    at = np.maximum(engine.previous, 0)
    has = engine.previous >= 0
    version, before = calls.version.codes, calls.version.codes[at]
    other_version = has & (version != before) & (version >= 0) & (before >= 0)  # an untold one is no other one
    again = wrote & ~own.first & own.expired  # an older prompt came back after its entry had died
    blind = wrote_blind & (engine.ttl_ms > 0) & ~_at_the_limit(calls, engine)
    changed = ((own.first & wrote) | again | blind) & has
    cold = engine.expired | engine.first | engine.concurrent | own.concurrent
    warm = changed & ~cold & (calls.read == 0)
    # Without fingerprints: a write before the changed one had been answered came beside it, not after it.
    beside = warm & blind & warm[at] & (calls.start_ms < calls.begin_ms[at])
    churns = _churns(calls, engine, warm & ~beside)
    beside &= ~churns[at]
    sure = np.where(wrote, MEASURED, INFERRED)
    sheet.put(changed, "prefix_changed", sure, "fingerprint")
    sheet.put(changed & wrote_blind, "prefix_changed", INFERRED, "usage")
    sheet.put(changed & calls.fetched & ~churns, "after_clear", INFERRED, "fetch")
    sheet.put(changed & other_version & ~churns, "after_deploy", sure, "version")
    sheet.put(beside, "concurrent_first_write", INFERRED, "response_not_begun")
    return _diagnosed(sheet, calls, engine, changed), churns


def _churns(calls: Traffic, engine: Lanes, changed: Bools) -> Bools:
    """Say where the prefix changes call after call under one version: a moving part, not a new prompt."""
    beside = np.zeros(len(calls), dtype=np.bool_)
    for neighbour in (engine.previous, engine.following):
        at = np.maximum(neighbour, 0)
        same = (neighbour >= 0) & (calls.version.codes == calls.version.codes[at])
        beside |= same & changed[at]
    return changed & beside


def _diagnosed(sheet: _Sheet, calls: Traffic, engine: Lanes, changed: Bools) -> Coded:
    """Name what changed: by the API's diagnosis, else by the blocks, else by the speed; and overrun look-backs."""
    words = ("tools", "system", "messages", "model", "speed", "lookback")
    detail = changed_part(calls, engine.previous, changed, words)
    for code, word in enumerate(words[:4]):
        told = changed & calls.reason.equals(f"{word}_changed")
        detail[told] = code
        sheet.put(told & (sheet.cause == CODE["unknown"]), "prefix_changed", MEASURED, "diagnosis")
        sheet.evidence[told] = _E["diagnosis"]
    sheet.put(detail == words.index("lookback"), "lookback", MEASURED, "fingerprint")
    return Coded(np.where(detail == words.index("lookback"), -1, detail), words)


def _generations(calls: Traffic, sheet: _Sheet, engine: Lanes, churns: Bools) -> Ints:
    """Count the changes of each lane's prefix: every change found begins a new wording, as does each call of a churn.

    A write between two churning ones carried a wording of its own too, though its entry had expired anyway.
    """
    changes = np.isin(sheet.cause, [CODE[name] for name in ("prefix_changed", "after_deploy", "after_clear")])
    wrote = (calls.write_5m + calls.write_1h > 0) & (calls.read == 0)
    for neighbour in (engine.previous, engine.following):
        changes |= wrote & (neighbour >= 0) & churns[np.maximum(neighbour, 0)]
    order = by_lane(calls.lane, calls.start_ms)
    generation = np.empty(len(calls), dtype=np.int64)
    generation[order] = np.cumsum(changes[order])
    return generation


def _judge_echoes(sheet: _Sheet, engine: Lanes, own: Lanes, churns: Bools) -> None:
    """Two calls that share a moving part (the same second) write side by side only because it moves."""
    cold = engine.expired | engine.first | engine.concurrent
    echo = own.concurrent & ~cold & (own.previous >= 0) & churns[np.maximum(own.previous, 0)]
    sheet.put(echo, "prefix_changed", MEASURED, "fingerprint")


def _judge_elsewhere(sheet: _Sheet, calls: Traffic, engine: Lanes, anywhere: Lanes, wrote: Bools, house: Ints) -> None:
    """Judge first writes of a lane whose engine was warm in another cache: other provider, region or model.

    An engine that uses several models by turns has not left one for the other: each prefix is written once.
    """
    first = wrote & engine.first & (sheet.cause == CODE["first_touch"]) & (calls.engine.codes >= 0)
    at = np.maximum(anywhere.previous, 0)
    warm = first & (anywhere.previous >= 0) & (anywhere.gap_ms <= anywhere.ttl_ms)
    elsewhere = warm & (calls.place.codes != calls.place.codes[at])
    sheet.put(elsewhere, "region_workspace", np.where(calls.start_known, MEASURED, INFERRED), "other_cache")
    by_turns = side_by_side(house, calls.model.codes)
    sheet.put(warm & ~elsewhere & ~by_turns, "prefix_changed", INFERRED, "other_cache")


def _judge_sized(sheet: _Sheet, found: Sized, detail: Coded, diagnosed: Bools) -> None:
    """Write down what the sizes of text lines explain; the API's own diagnosis stands."""
    told = ~diagnosed[found.row]
    row, cause = found.row[told], found.cause[told]
    sheet.cause[row], sheet.evidence[row] = cause, _BY_SIZE[found.evidence[told]]
    sheet.confidence[row] = np.where(cause == CODE["unknown"], UNKNOWN, INFERRED)
    detail.codes[row] = -1


def _judge_moved(sheet: _Sheet, found: list[moved.Found], detail: Coded, diagnosed: Bools) -> None:
    """Write down what the nearest earlier call explains; the API's own diagnosis stands."""
    for one in found:
        if diagnosed[one.row]:
            continue
        sheet.cause[one.row], sheet.evidence[one.row] = CODE[one.cause], _E[one.evidence]
        sheet.confidence[one.row] = UNKNOWN if one.cause == "unknown" else MEASURED if one.sure else INFERRED
        detail.codes[one.row] = detail.values.index(one.part) if one.part else -1


def _judge_grown(sheet: _Sheet, calls: Traffic, engine: Lanes, part: Bools) -> None:
    """Judge the new end of a longer prefix whose beginning, all that there was, has been read."""
    longer = part & grown(calls, engine.previous)
    sheet.put(longer, "first_touch", MEASURED, "size")
