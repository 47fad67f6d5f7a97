"""Drafts to Arrow tables: what was told, laid out as the columns of core.store.schema, then priced."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache
from hashlib import blake2b
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from collector.drafts import CallDraft, Invocation, StoreDraft
from collector.event import LogEvent, Origin
from collector.lane.bare_rows import BareRows, Function
from collector.lane.columns import LaneRows, as_table
from collector.lane.record_columns import Columns
from collector.lane.requests import Lot, Requests
from collector.parsers.claude_code import completeness
from collector.parsers.clock import SKEW_MS
from collector.parsers.facts import CallRecord, CostLine
from collector.parsers.values import LATEST_MS
from collector.rank import RECORD_LEDGER, TEXT_LEDGER, draft_rank, invocation_rank
from collector.sessions.columns import session_columns
from collector.sessions.found import SessionCalls
from core.assumed import Minimum, Said, fill
from core.pricing import PriceBook
from core.pricing.ledger import PRICED, price_checks, price_columns
from core.settings import LineDefaults
from core.store.hashes import sorted_hashes
from core.store.schema import CALLS, INVOCATIONS, PROMPT_STORE_EVENTS
from core.usage import Usage
from core.usage.iterations import steps_text

_STREAM = re.compile(r"\d{4}/\d\d/\d\d/([^\[\]]*)\[([^\]]+)\]")
_GROUP = "/aws/lambda/"
_LATER = {"date", "price_check", *PRICED}
_TOLD = [name for name in CALLS.names if name not in _LATER]
_OF_INVOCATIONS = [name for name in INVOCATIONS.names if name != "date"]
_OF_STORES = [name for name in PROMPT_STORE_EVENTS.names if name != "date"]
Draft = TypeVar("Draft", CallDraft, StoreDraft)


@dataclass(frozen=True, slots=True)
class Teller:
    """Whose lines these are: the source's name and what its text lines do not say."""

    source: str
    defaults: LineDefaults
    book: PriceBook


@dataclass(slots=True)
class Settled:
    """What a batch settled: requests put together line by line, and those that the quick lane took whole."""

    one_by_one: list[Invocation]
    found: Requests
    lots: list[Lot]
    context_before_ms: int | None = None  # what was logged before is stored already
    sessions: SessionCalls = field(default_factory=SessionCalls)
    events: Sequence[LogEvent] = ()  # all ordinary ones of the batch, in order
    now_ms: int = LATEST_MS  # when it was read: nothing happened later

    def drafts(self, of: Callable[[Invocation], Sequence[Draft]]) -> tuple[list[tuple[Draft, Invocation]], list[int]]:
        """Return calls or prompt-store events with their requests, and the place of each among all rows."""
        drafts: list[tuple[Draft, Invocation]] = []
        places: list[int] = []
        for lot in self.lots:
            for request, owner in lot.owners.items():
                drafts += ((draft, owner) for draft in of(owner))
                places += [((2 * lot.place) << 32) + request] * len(of(owner))
        before = self.context_before_ms
        for number, owner in enumerate(self.one_by_one):
            told = [draft for draft in of(owner) if before is None or draft.event.ts_ms >= before]
            drafts += ((draft, owner) for draft in told)
            places += [(2 * number + 1) << 32] * len(told)
        return drafts, places


class Laying:
    """Lays what a batch settled out as tables."""

    def __init__(self, settled: Settled, teller: Teller) -> None:
        self._settled, self._teller = settled, teller
        self._drafts, self._places = settled.drafts(_calls_of)
        self.ahead: set[str] = set()  # calls dated ahead of the line that tells them, which have its time now
        self._sessions = settled.sessions.rows()
        if len(self._sessions):
            self._one_of_each()
        name = teller.defaults.function_name
        bare = self._bare_rows(lambda origin: _function(origin, name))
        self._lane = (
            LaneRows(settled.found, settled.lots, teller, lambda origin: _function(origin, name)[0])
            if settled.lots
            else None
        )
        self._lanes = [lane for lane in (self._lane, bare) if lane]

    def _bare_rows(self, function: Function) -> BareRows | None:
        """Return the rows of lines outside requests that are columns; None: there are none."""
        found, lines = self._settled.found, None
        for number, one in enumerate(self._settled.one_by_one):
            for part in one.bare:
                lines = part.lines
                for kind, span in zip(lines.kinds, part.run.spans, strict=True):
                    kind.owner[span] = number
        return None if lines is None else BareRows(found, lines, self._teller, function)

    def _one_of_each(self) -> None:
        """Leave one telling of a message met both in columns and line by line: the fuller, of equal ones the last."""
        rows, left, gone = self._sessions, [], set[int]()
        row_of: dict[str, int] | None = None
        met: dict[int, int] = {}
        for pair, place in zip(self._drafts, self._places, strict=True):
            draft, fact = pair[0], pair[0].fact
            if isinstance(fact, CallRecord) and fact.told_by == "claude_code":
                if row_of is None:
                    row_of = rows.by_id()
                    met = {id(event): number for number, event in enumerate(self._settled.events)}
                row = row_of.get(fact.call_id or "")
                if row is not None:
                    if (completeness(fact), met[id(draft.event)]) < (rows.fullness(row), rows.before[row]):
                        continue
                    gone.add(row_of.pop(str(fact.call_id)))
            left.append((pair, place))
        self._drafts, self._places = [pair for pair, _ in left], [place for _, place in left]
        self._sessions = rows.without(gone)

    def calls(self) -> pa.Table:
        """Return priced rows of the calls table."""
        teller = self._teller
        minimum = lru_cache(maxsize=None)(teller.book.cache_minimum_tokens)
        now_ms = self._settled.now_ms
        told = _table([_call(draft, owner, teller, minimum, now_ms) for draft, owner in self._drafts], _TOLD, CALLS)
        self.ahead = {_id_of(draft) for draft, _ in self._drafts if _is_ahead(draft.fact, draft.event, now_ms)}
        if self._lanes:
            quick = [
                columns for lane in self._lanes for columns in (lane.calls(minimum), lane.records(minimum, now_ms))
            ]
            self.ahead |= {call_id for lane in self._lanes for call_id in lane.ahead}
            told = _among(told, self._places, quick, _TOLD, CALLS)
        if len(self._sessions):
            named = teller.defaults.function_name
            columns = session_columns(
                self._sessions,
                teller.source,
                teller.defaults,
                minimum,
                lambda origin: _function(origin, named),
                now_ms,
            )
            told = pa.concat_tables([told, as_table(columns, _TOLD, CALLS)])
        return _priced(told, teller)

    def gone(self) -> list[str]:
        """Return the keys of lines that one of the calls stands for now."""
        gone = [part_key(line.event, line.part) for draft, _ in self._drafts for line in draft.absorbed]
        return gone + [key for lane in self._lanes for key in lane.gone()]

    def invocations(self) -> pa.Table:
        """Return rows of the invocations table; what has no request id is none."""
        before = self._settled.context_before_ms
        kept = [
            (number, one)
            for number, one in enumerate(self._settled.one_by_one)
            if one.request_id is not None and (before is None or one.last_ms >= before)
        ]
        told = _table([_invocation(one, self._teller) for _, one in kept], _OF_INVOCATIONS, INVOCATIONS)
        if self._lane:
            places = [(2 * number + 1) << 32 for number, _ in kept]
            told = _among(told, places, [self._lane.invocations()], _OF_INVOCATIONS, INVOCATIONS)
        return told

    def stores(self) -> pa.Table:
        """Return rows of the prompt_store_events table."""
        drafts, places = self._settled.drafts(_stores_of)
        told = _table([_store(draft, owner, self._teller) for draft, owner in drafts], _OF_STORES, PROMPT_STORE_EVENTS)
        if self._lanes:
            told = _among(told, places, [lane.stores() for lane in self._lanes], _OF_STORES, PROMPT_STORE_EVENTS)
        return told


def _calls_of(owner: Invocation) -> list[CallDraft]:
    return owner.calls


def _stores_of(owner: Invocation) -> list[StoreDraft]:
    return owner.stores


def _among(
    told: pa.Table,
    places: Sequence[int],
    lane: Sequence[tuple[Columns, NDArray[np.int64]]],
    names: Sequence[str],
    schema: pa.Schema,
) -> pa.Table:
    """Put the rows of the lane among the others, in the order in which the log tells them where one is told twice."""
    tables = [*(as_table(columns, names, schema) for columns, _ in lane), told]
    rows = pa.concat_tables([table for table in tables if table.num_rows] or [told])
    if len(sorted_hashes(rows[names[0]])) == rows.num_rows:
        return rows
    order = np.argsort(np.concatenate([*(place for _, place in lane), np.array(places, dtype=np.int64)]), kind="stable")
    return rows.take(pa.array(order))


def part_key(event: LogEvent, part: int) -> str:
    """Return the identity of one fact of an event: of several in one message, each has its own."""
    return event.event_key if part == 0 else blake2b(f"{event.event_key}#{part}".encode(), digest_size=16).hexdigest()


def _table(rows: list[tuple[Any, ...]], names: Sequence[str], schema: pa.Schema) -> pa.Table:
    if not rows:
        return _empty(tuple(names), schema)
    columns = zip(*rows, strict=True)
    arrays = [pa.array(column, schema.field(name).type) for name, column in zip(names, columns, strict=True)]
    return pa.table(arrays, names=list(names))


@lru_cache
def _empty(names: tuple[str, ...], schema: pa.Schema) -> pa.Table:
    return schema.empty_table().select(names)


@lru_cache(maxsize=20_000)
def _function(origin: Origin, named: str | None) -> tuple[str | None, str | None]:
    """Return (function name, version) as the settings, the log group and the stream's name tell them."""
    stream = _STREAM.match(origin.log_stream or "")
    group = origin.log_group or ""
    from_group = group[len(_GROUP) :] if group.startswith(_GROUP) else None
    name = named or from_group or (stream[1] if stream and stream[1] else None)
    return name, stream[2] if stream else None


def _where(event: LogEvent, source: str) -> tuple[str | None, ...]:
    origin = event.origin
    return source, origin.account, origin.region, origin.log_group, origin.log_stream, event.shown_id


def _call(
    draft: CallDraft, owner: Invocation, teller: Teller, minimum: Minimum, now_ms: int
) -> tuple[Any, ...]:  # in the order of _TOLD
    fact, event, defaults = draft.fact, draft.event, teller.defaults
    reported: Decimal | None
    split: tuple[int, int] | None
    name, version = _function(event.origin, defaults.function_name)
    if type(fact) is CostLine:
        usage = Usage(fact.input_tokens, fact.cache_read, output_tokens=fact.output_tokens)
        record, written, split = _AS_TEXT, fact.cache_write, None
        reported, ledger, told_by = fact.reported_cost_usd, TEXT_LEDGER, "text"
        id_kind = "event"
        checked_by = check_keys = None
    else:
        assert isinstance(fact, CallRecord)
        record, usage = fact, fact.usage or Usage()
        written = usage.cache_write_tokens
        split = (usage.cache_write_5m_tokens, usage.cache_write_1h_tokens) if usage.ttl_split_known else None
        reported = draft.twin.reported_cost_usd if draft.twin else fact.reported_cost_usd
        ledger, told_by = RECORD_LEDGER, fact.told_by
        checked_by = "text" if draft.twin else None
        check_keys = ",".join(part_key(line.event, line.part) for line in draft.absorbed) or None
        id_kind = _id_kind(fact)
    prompt = usage.input_tokens + usage.cache_read_tokens + written
    said = Said(
        record.provider, record.model, record.cache_ttl, record.caching_enabled, written, split,
        usage.cache_read_tokens, prompt, record.prefix_tokens,
    )  # fmt: skip
    known = fill(said, defaults, minimum)
    if usage.iterations and known.cache_ttl in ("5m", "1h"):
        usage = usage.with_write_ttl(known.cache_ttl)  # type: ignore[arg-type]  # just checked
    ts_ms, ts_kind = _moment(record, event, now_ms)
    counts: tuple[int | None, ...] = (
        usage.input_tokens, usage.cache_read_tokens, known.write_5m_tokens, known.write_1h_tokens, usage.output_tokens,
        usage.thinking_tokens, prompt, usage.web_search_requests,
    )  # fmt: skip
    if type(fact) is CallRecord and fact.usage is None:  # a call that failed before any usage: unknown, not zero
        counts = (None,) * len(counts)
    return (
        _id_of(draft), id_kind, ts_ms * 1000, ts_kind, *_where(event, teller.source),
        record.other_id, told_by, checked_by, check_keys, "confirmed" if checked_by else None,
        draft.invocation_id, draft.attribution, draft.redelivery, name, owner.version or version,
        draft.engine, record.tenant, known.provider, known.model, known.model_known_by,
        record.status, record.error_type, record.complete and usage.complete, record.stop_reason, record.stop_category,
        record.has_output, usage.service_tier, usage.speed, usage.inference_geo,
        known.caching_enabled, known.cache_ttl, known.ttl_known_by, known.cacheable,
        record.prefix_tokens, record.prefix_fingerprint, record.prefix_blocks, record.cache_miss_reason,
        record.prompt_store_bytes, record.workspace,
        *counts, steps_text(usage.iterations), record.latency_ms, record.ttft_ms, reported,
        draft_rank(draft, owner, ledger),
    )  # fmt: skip


_AS_TEXT = CallRecord(None, None, None, None, None, None)


def _id_of(draft: CallDraft) -> str:
    told = draft.fact.call_id if isinstance(draft.fact, CallRecord) else None
    return told or part_key(draft.event, draft.part)


def _is_ahead(fact: CallRecord | CostLine, event: LogEvent, now_ms: int) -> bool:
    """Say whether a call is dated after the line that tells it, or after now: by a clock that is wrong."""
    if isinstance(fact, CostLine):
        return False
    told = fact.started_ms if fact.started_ms is not None else fact.logged_ms
    own = event.timed or event.event_id is not None
    return told is not None and told > (event.ts_ms if own else max(event.ts_ms, now_ms)) + SKEW_MS


def _moment(record: CallRecord, event: LogEvent, now_ms: int) -> tuple[int, str]:
    """Return when the call happened: its start where told, else when it was written down."""
    if _is_ahead(record, event, now_ms):
        return event.ts_ms, event.ts_kind
    if record.started_ms is not None:
        return record.started_ms, "start"
    return (event.ts_ms, event.ts_kind) if record.logged_ms is None else (record.logged_ms, "logged")


def _id_kind(fact: CallRecord) -> str:
    if fact.call_id is None:
        return "event"
    if fact.call_id.startswith("msg_"):
        return "message"
    if fact.told_by == "otel":
        return "span"
    return "request" if fact.provider == "bedrock" or fact.told_by != "record" else "message"


def _invocation(one: Invocation, teller: Teller) -> tuple[Any, ...]:
    report, event = one.report, one.first
    name, version = _function(one.origin, teller.defaults.function_name)
    engines = one.engines
    init, restore, response, status = None, None, None, "open"
    if report:
        init, restore = report.init_ms, report.restore_ms
        status = report.status
        if report.duration_ms is not None:
            response = report.duration_ms + (init or 0) + (restore or 0)
    if one.timed_out:
        status = "timeout"
    return (
        one.request_id, one.start_ms * 1000, *_where(event, teller.source), name, one.version or version,
        next(iter(engines)) if len(engines) == 1 else None, status, report.error_type if report else None,
        report.duration_ms if report else None, report.billed_duration_ms if report else None, init, restore,
        (init is not None or restore is not None) if report else None, response,
        report.memory_mb if report else None, report.max_memory_mb if report else None,
        one.call_count, invocation_rank(one),
    )  # fmt: skip


def _store(draft: StoreDraft, owner: Invocation, teller: Teller) -> tuple[Any, ...]:
    event, fact = draft.event, draft.fact
    name, version = _function(event.origin, teller.defaults.function_name)
    return (
        part_key(event, draft.part), (fact.stamp_ms or event.ts_ms) * 1000, *_where(event, teller.source),
        draft.invocation_id, draft.attribution, draft.redelivery, name, owner.version or version, fact.engine,
        fact.kind, draft.fetch_ms, draft_rank(draft, owner, TEXT_LEDGER),
    )  # fmt: skip


def _priced(told: pa.Table, teller: Teller) -> pa.Table:
    """Add the price columns, and the check against the line's own figure."""
    if not told.num_rows:
        return CALLS.empty_table().drop_columns(["date"])
    priced = price_columns(teller.book, told)
    for name in PRICED:
        told = told.append_column(name, priced[name])
    told = told.append_column("price_check", price_checks(teller.book, told, told["cost_usd"]))
    return told.select([name for name in CALLS.names if name != "date"])
