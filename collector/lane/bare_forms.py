"""Lines of a piece without requests, sorted out all at once: ours in the exact form, ours in another, not ours.

What the exact forms are is said in forms.py and records.py. A line that names a request is in none of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collector.lane.bare import COSTS, RECORDS, STORES
from collector.lane.forms import COST_HEADS, HIT_HEADS, TIME, beginnings, costs_of, hits_of, is_ours, matches
from collector.lane.lines import Bools, Ints, Lines, head_of
from collector.lane.records import read_lines
from collector.lane.requests import UNNAMED
from collector.lane.taken import engine_in
from collector.parsers.clock import STAMP_SPAN, find_iso_ms, plausible
from collector.sources.envelopes import is_envelope
from collector.sources.indented import begins
from core.telemetry import RECORD_EVENT

_BRACE, _BRACKET, _TWO = ord("{"), ord("["), ord("2")
_RECORD = b'{"event":"llm_usage"'
_LONGEST = 256 * 1024
QUIET, ODD = -1, -2


@dataclass(frozen=True, slots=True)
class Sorted:
    """What was found in a piece."""

    kind: Ints  # per line: COSTS, RECORDS, STORES, QUIET, or ODD: to be told the ordinary way
    figures: pa.Table  # what each cost line says
    rows: pa.Table  # what each record tells
    engines: tuple[Ints, Ints, Ints]  # that lines of each kind name
    telling: Bools  # per line: not ours, and looks as if it told a time
    times: Ints  # per line: the time it tells; -1: none
    last: Ints  # per line: the line whose time holds there; -1: one before the piece


def sort_out(lines: Lines, now_ms: int, code_of: Callable[[str], int]) -> Sorted | None:
    """Sort all lines out; None: none is ours in the exact form."""
    heads = lines.heads
    is_hit, is_cost = np.isin(heads, HIT_HEADS), np.isin(heads, COST_HEADS)
    if RECORD_EVENT.encode() not in lines.data and not is_hit.any() and not is_cost.any():
        return None
    is_record = _begin(lines, _RECORD)
    kind = np.full(len(lines), QUIET, dtype=np.int64)
    others = np.flatnonzero(~(is_hit | is_cost | is_record))
    kind[others[is_ours(lines, others)]] = ODD
    objects = others[(lines.firsts[others] == _BRACE) & (kind[others] == QUIET)]
    kind[[number for number in objects.tolist() if is_envelope(lines.line(number))]] = ODD
    opening = np.flatnonzero(lines.open_objects() & (kind == QUIET) & ~(is_hit | is_cost | is_record))
    kind[[number for number in opening.tolist() if begins(lines.line(number))]] = ODD
    maybe = np.flatnonzero((kind == ODD) & (lines.firsts == _BRACE))
    is_record[maybe[matches(lines.whole(maybe), RECORD_EVENT)]] = True
    kind[is_hit | is_cost | is_record] = ODD
    short = lines.ends - lines.starts <= _LONGEST

    hits, costs, records = (np.flatnonzero(found & short) for found in (is_hit, is_cost, is_record))
    named, exact = hits_of(lines, hits, lines.starts[hits])
    codes = _codes(named, code_of)
    exact &= codes != UNNAMED
    kind[hits[exact]], codes = STORES, codes[exact]

    figures, exact = costs_of(lines, costs, lines.starts[costs])
    kind[costs[exact]] = COSTS
    said = pa.Table.from_struct_array(figures.filter(pa.array(exact)))

    rows, plain = _records(lines, records)
    kind[records[plain]] = RECORDS
    if not (kind >= 0).any():
        return None
    telling = (kind == QUIET) & ((lines.firsts == _BRACKET) | (lines.firsts == _TWO))
    times, last = _times(lines, kind >= 0, telling, now_ms)
    nobody = np.full(len(said), UNNAMED, dtype=np.int64)
    return Sorted(kind, said, rows, (nobody, _named(rows["engine"], code_of), codes), telling, times, last)


def _begin(lines: Lines, word: bytes) -> Bools:
    """Say which lines begin with a word of more than eight letters."""
    found = np.flatnonzero(lines.heads == head_of(word))
    for at in (*range(8, len(word) - 8, 8), len(word) - 8):
        found = found[lines.words(lines.starts[found] + at) == head_of(word[at : at + 8])]
    begin = np.zeros(len(lines), dtype=np.bool_)
    begin[found] = True
    return begin


def _records(lines: Lines, which: Ints) -> tuple[pa.Table, Bools]:
    """Return what records tell that are in the plain form, stand in no envelope, and name no request and no time."""
    begin, end = lines.starts[which].tolist(), (lines.ends[which] - 1).tolist()
    said = [lines.data[at:to] for at, to in zip(begin, end, strict=True)]
    rows, plain = read_lines(said, [None] * len(said), unlike=_is_around)
    plain &= ~matches(beginnings(lines, which), TIME)
    plain &= np.asarray(pc.is_null(rows["request_id"]))
    return rows.filter(pa.array(plain)), plain


def _is_around(line: bytes) -> bool:
    """Say whether an object may stand around lines: such a one is opened first."""
    return is_envelope(line) or b'"log"' in line or b'"MESSAGE"' in line


def _codes(names: pa.DictionaryArray, code_of: Callable[[str], int]) -> Ints:
    told = [engine_in(name) for name in names.dictionary.to_pylist()]
    codes = np.array([UNNAMED if name is None else code_of(name) for name in told], dtype=np.int64)
    return codes[names.indices.to_numpy()] if len(codes) else np.zeros(0, dtype=np.int64)


def _named(engines: pa.ChunkedArray, code_of: Callable[[str], int]) -> Ints:
    names = engines.combine_chunks().dictionary_encode()
    codes = np.array([*(code_of(name) for name in names.dictionary.to_pylist()), UNNAMED], dtype=np.int64)
    return codes[pc.fill_null(names.indices, -1).to_numpy()]


def _times(lines: Lines, own: Bools, telling: Bools, now_ms: int) -> tuple[Ints, Ints]:
    """Return the times that other lines tell to ours behind them, and per line the last one that holds there."""
    line = np.flatnonzero(own | telling)
    before_own = line[telling[line] & np.append(own[line[1:]], False)]
    times = np.full(len(lines), -1, dtype=np.int64)
    if len(before_own):
        _, times = lines.stamped(now_ms)
        for number in before_own[times[before_own] < 0].tolist():
            stamp = find_iso_ms(lines.line(number)[:STAMP_SPAN].decode(errors="replace"))
            if stamp is not None and plausible(stamp, now_ms=now_ms):
                times[number] = stamp
    last = np.full(len(lines), -1, dtype=np.int64)
    holds = before_own[times[before_own] >= 0]
    last[holds] = holds
    return times, np.maximum.accumulate(last)
