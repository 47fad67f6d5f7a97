"""The same call told in two places is one row: one telling is the ledger, the others are checks of it.

A call is the same by an id both tell (message id, provider's request id), else by the Lambda invocation both name and
equal tokens. A service's own record and text line are joined by the correlator, which sees them side by side; here
such a line is only known again. See docs/decisions/033-ledger-and-check.md.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from collector.rank import JOINED
from core.store.check_notes import Difference, written
from core.store.faults import explained
from core.store.growth import filled
from core.store.hashes import Hashes, any_within, sorted_hashes
from core.store.kept_hashes import KeptHashes
from core.store.lake import Lake
from core.store.schema import CALLS

ORDER = (
    "record", "anthropic_response", "batch_result", "claude_code", "bedrock_log", "otel", "litellm", "emf", "text",
)  # fmt: skip
"""Who is believed first about a call that can be priced either way: it knows the most of what decides a price."""

_ONE_LOG = {"record", "text"}
_DAY = timedelta(days=1)
_IDS = ("call_id", "other_id")
_PROMPT = ("input_tokens", "cache_read_tokens", "prompt_tokens")
_COUNTS = (*_PROMPT, "output_tokens")
_SEEN = (
    *_IDS, "id_kind", "invocation_id", "told_by", "checked_by", "check_keys", "row_rank", "ts", "status", "complete",
    *_COUNTS,
)  # fmt: skip
_LENT = (
    "other_id", "invocation_id", "function_name", "function_version", "engine", "tenant", "caching_enabled",
    "cache_ttl", "ttl_known_by", "cacheable", "prefix_tokens", "prefix_fingerprint", "stop_reason", "latency_ms",
    "ttft_ms", "reported_cost_usd", "price_check",
)  # fmt: skip
"""What a ledger that does not know it takes from a check. Nothing of it decides the price."""

_WHOLE = [name for name in CALLS.names if name != "date"]

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Joined:
    """What to commit: rows, the stored keys they stand for now, and how many rows said nothing new."""

    rows: pa.Table
    gone: frozenset[str]
    duplicates: int = 0


class Ledger:
    """Finds, for rows about to be committed, the calls that are stored already or told twice among them."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._tellers: dict[str, frozenset[str]] = {}  # by file; files never change
        self._ids, self._owners = KeptHashes(), KeptHashes()

    def join(self, rows: pa.Table, gone: Collection[str] = ()) -> Joined:
        """Return what to commit. `gone` are keys that the commit would remove in any case."""
        if not rows.num_rows:
            return Joined(rows, frozenset(gone))
        files = self._files_near(rows)
        told = set(pc.unique(rows["told_by"]).to_pylist())
        stored = set[str]().union(*(self._tellers_in(file) for file in files))
        line_left = "text" in told and "record" in stored  # it may be a record's, told again without it
        if len(told | stored) < 2 or (told | stored <= _ONE_LOG and not line_left):
            return Joined(rows, frozenset(gone))
        near = self._candidates(rows, files)
        if not near and told | stored <= _ONE_LOG:
            return Joined(rows, frozenset(gone))  # within a batch, the correlator has joined them
        found = _Found(rows.select(_SEEN), near, gone)
        return self._written(rows, found, files)

    def _files_near(self, rows: pa.Table) -> list[str]:
        """Return the files that can hold the same calls: those of the rows' dates and the days beside them."""
        span = pc.min_max(rows["ts"]).as_py()
        files = self._lake.snapshot("calls", span["min"] - _DAY, span["max"] + 2 * _DAY)
        here = set(files)
        self._tellers = {file: known for file, known in self._tellers.items() if file in here}
        self._ids.keep(here)
        self._owners.keep(here)
        return files

    def _tellers_in(self, file: str) -> frozenset[str]:
        if file not in self._tellers:
            stored = _read(file, ("told_by", "checked_by"))
            checks = pc.unique(stored["checked_by"].drop_null()).to_pylist()
            ledgers = pc.unique(stored["told_by"]).to_pylist()
            self._tellers[file] = frozenset([*ledgers, *(name for told in checks for name in told.split(","))])
        return self._tellers[file]

    def _candidates(self, rows: pa.Table, files: Iterable[str]) -> list[Row]:
        """Return the stored rows that share an id or an invocation with one of these."""
        ids = pa.concat_arrays([rows[name].combine_chunks().cast(pa.string()) for name in _IDS]).drop_null()
        owners = rows["invocation_id"].combine_chunks().drop_null()
        found: list[Row] = []
        ids_wanted, owners_wanted = sorted_hashes(ids), sorted_hashes(owners)
        for file in files:
            if not self._may_hold(file, ids_wanted, owners_wanted):
                continue
            stored = _read(file, _SEEN)
            near = pc.is_in(stored["invocation_id"], value_set=owners)
            for name in _IDS:
                near = pc.or_(near, pc.is_in(stored[name], value_set=ids))
            found.extend(stored.filter(near).to_pylist())
        return found

    def _may_hold(self, file: str, ids: Hashes, owners: Hashes) -> bool:
        if file not in self._ids:
            stored = _read(file, (*_IDS, "invocation_id"))
            told = pa.chunked_array([chunk for name in _IDS for chunk in stored[name].chunks], pa.string())
            self._ids[file] = sorted_hashes(told)
            self._owners[file] = sorted_hashes(stored["invocation_id"])
        return any_within(ids, self._ids[file]) or any_within(owners, self._owners[file])

    def _written(self, rows: pa.Table, found: _Found, files: list[str]) -> Joined:
        """Lay every pair out as one row, read whole from the batch or from the tables."""
        keys = pa.array([key for key, _, is_stored in found.pairs if is_stored], pa.string())
        stored: dict[str, Row] = {}
        for file in files if len(keys) else ():
            rows_there = _read(file, _WHOLE)
            for row in rows_there.filter(pc.is_in(rows_there["call_id"], value_set=keys)).to_pylist():
                stored[row["call_id"]] = row
        merged: dict[str, Row] = dict(stored)
        batch = rows.take(pa.array(found.partners, pa.int64())).to_pylist()
        by_place = dict(zip(found.partners, batch, strict=True))
        for key, place, is_stored in found.pairs:
            base = merged.get(key) if is_stored or key in merged else by_place[found.place_of[key]]
            assert base is not None, "a pair is made of rows that are there"
            merged[key] = join_rows(base, by_place[place], gone=found.gone)
        told = [merged[key] for key in dict.fromkeys(key for key, _, _ in found.pairs)]
        renamed = {key for key in stored if key in merged and merged[key]["call_id"] != key}
        kept = rows.take(pa.array(found.alone, pa.int64()))
        table = pa.concat_tables([kept, pa.Table.from_pylist(told, schema=rows.schema)]) if told else kept
        return Joined(table, found.gone | renamed, rows.num_rows - table.num_rows)


def _read(file: str, columns: Sequence[str]) -> pa.Table:
    """Read columns of a stored file in the table's own types: a merge leaves others."""
    with explained(file, "reading"):
        return filled(pq.ParquetFile(file).read(list(columns)), pa.schema([CALLS.field(name) for name in columns]))


class _Found:
    """Which rows of a batch belong together, or to a stored row: pairs of (key of the call, place, is it stored)."""

    def __init__(self, rows: pa.Table, stored: list[Row], gone: Collection[str]) -> None:
        self.gone = frozenset(gone)
        self.alone: list[int] = []
        self.pairs: list[tuple[str, int, bool]] = []
        self.place_of: dict[str, int] = {}
        self._by_id: dict[str, Row] = {}
        self._by_owner: dict[str, list[Row]] = {}
        for row in stored:
            self._know({**row, "stored": True})
        told = rows.to_pylist()
        for place in sorted(range(len(told)), key=lambda at: (ORDER.index(told[at]["told_by"]), told[at]["ts"])):
            self._take(told[place], place)
        paired = {self.place_of[key] for key, _, is_stored in self.pairs if not is_stored}
        self.partners = sorted({place for _, place, _ in self.pairs} | paired)
        self.alone = sorted(set(self.alone) - paired)

    def _take(self, row: Row, place: int) -> None:
        same = self._same(row)
        if same is None:
            self.alone.append(place)
            self.place_of[row["call_id"]] = place
            self._know({**row, "stored": False})
            return
        if row["call_id"] in _keys(same):
            return
        again = same["told_by"] == row["told_by"]
        if again and same["call_id"] == row["call_id"] and same["row_rank"] < JOINED and not same.get("paired"):
            self.alone.append(place)  # an ordinary re-telling: the commit knows what to do
        elif again and row["row_rank"] <= same["row_rank"] % JOINED:
            return
        elif again or row["told_by"] not in _checks(same):
            self.pairs.append((same["call_id"], place, same["stored"]))
            if not again:
                same["checked_by"] = ",".join([*_checks(same), row["told_by"]])
            same["paired"] = True
            self._know(same)
            for name in _IDS:
                if row[name] is not None:
                    self._by_id.setdefault(row[name], same)

    def _same(self, row: Row) -> Row | None:
        for name in _IDS:
            if row[name] in self._by_id:
                return self._by_id[row[name]]
        if row["invocation_id"] is None or row["status"] != "ok":
            return None
        known = self._by_owner.get(row["invocation_id"], ())
        for other in known:
            if row["call_id"] in _keys(other):
                return other
        fitting = [other for other in known if _may_be_same(row, other)]
        return min(fitting, key=lambda other: _distance(row, other)) if fitting else None

    def _know(self, row: Row) -> None:
        for name in _IDS:
            if row[name] is not None:
                self._by_id.setdefault(row[name], row)
        if row["invocation_id"] is not None and not any(
            other is row for other in self._by_owner.get(row["invocation_id"], ())
        ):
            self._by_owner.setdefault(row["invocation_id"], []).append(row)


def join_rows(first: Row, second: Row, *, gone: Collection[str] = ()) -> Row:
    """Return the one row of a call told twice, under the key it is stored by already."""
    again = first["told_by"] == second["told_by"]  # the ledger itself, told with more in sight
    ledger, check = (second, first) if again or _believed(second) < _believed(first) else (first, second)
    row = dict(ledger)
    if again:
        row |= {name: first[name] for name in ("call_id", "id_kind", "other_id", "check_keys")}
    row |= {name: check[name] for name in _LENT if row[name] is None}
    if not again:
        if row["attribution"] == "none" and row["invocation_id"] is not None:
            row["attribution"] = check["attribution"]
        row |= _named(first, second, gone)
    row["checked_by"] = ",".join(dict.fromkeys(_tellers_beside(ledger, first, second))) or None
    row["check_note"] = first["check_note"] if again else _note(ledger, check)
    row["row_rank"] = ledger["row_rank"] % JOINED + (first["row_rank"] // JOINED + (not again)) * JOINED
    return row


def _believed(row: Row) -> tuple[bool, bool, int]:
    """Return what decides who is the ledger: a price, then the whole output, then who knows the most."""
    return row["price_status"] != "priced", row["complete"] is False, ORDER.index(row["told_by"])


def _tellers_beside(ledger: Row, *rows: Row) -> Iterator[str]:
    for row in rows:
        for teller in (row["told_by"], *_checks(row)):
            if teller != ledger["told_by"]:
                yield teller


def _keys(row: Row) -> list[str]:
    return row["check_keys"].split(",") if row["check_keys"] else []


def _checks(row: Row) -> list[str]:
    return row["checked_by"].split(",") if row["checked_by"] else []


def _named(first: Row, second: Row, gone: Collection[str]) -> Row:
    """Return key and other ids of a joined row.

    It stays under the key it is stored by, unless that is only a place in a log and the other telling has an id.
    Whatever names a telling is kept, so that it is known when it is told again.
    """
    moves = first["call_id"] in gone or (first["id_kind"] == "event" and second["id_kind"] != "event")
    holder, other = (second, first) if moves else (first, second)
    keys = [*_keys(first), *_keys(second), *([other["call_id"]] if other["id_kind"] == "event" else [])]
    ids = (holder["other_id"], other["other_id"], other["call_id"] if other["id_kind"] != "event" else None)
    named = {
        "call_id": holder["call_id"],
        "id_kind": holder["id_kind"],
        "other_id": next((value for value in ids if value is not None and value != holder["call_id"]), None),
    }
    return {**named, "check_keys": ",".join(dict.fromkeys(keys)) or None}


def _note(ledger: Row, check: Row) -> str:
    """Say whether the check confirms the ledger, or every count in which they differ."""
    differing = [
        Difference(name, mine, ledger["told_by"], theirs, check["told_by"])
        for name, mine, theirs in _compared(ledger, check)
        if mine != theirs
    ]
    return written((ledger["check_note"], check["check_note"]), differing) or "confirmed"


def _compared(ledger: Row, check: Row) -> Iterator[tuple[str, Any, Any]]:
    yield "status", ledger["status"], check["status"]
    if ledger["status"] != "ok" or check["status"] != "ok":
        return
    for name in _COUNTS:
        if name != "output_tokens" or _both_whole(ledger, check):
            yield name, ledger[name], check[name]
    if ledger["model_id"] and check["model_id"] and check["model_known_by"] == ledger["model_known_by"] == "record":
        yield "model", ledger["model_id"], check["model_id"]


def _may_be_same(row: Row, other: Row) -> bool:
    """Say whether two tellers mean one call of an invocation: equal counts, and no id that says otherwise."""
    if row["told_by"] == other["told_by"] or row["told_by"] in _checks(other):
        return False
    if {row["told_by"], other["told_by"]} <= _ONE_LOG:
        return False  # theirs is the correlator's business
    names = _COUNTS if _both_whole(row, other) else _PROMPT
    if any(row[name] != other[name] for name in names) or other["status"] != "ok":
        return False
    return not _id_kinds(row) & _id_kinds(other)  # ids of one kind that were equal would have been found by id


def _both_whole(row: Row, other: Row) -> bool:
    """Say whether neither stream broke off for its teller: the output of one that did is only its beginning."""
    return row["complete"] is not False and other["complete"] is not False


def _distance(row: Row, other: Row) -> tuple[bool, timedelta]:
    return row["output_tokens"] != other["output_tokens"], abs(other["ts"] - row["ts"])


def _id_kinds(row: Row) -> set[str]:
    told = [row["other_id"], row["call_id"] if row["id_kind"] in ("message", "request") else None]
    return {"message" if value.startswith("msg_") else "request" for value in told if value is not None}
