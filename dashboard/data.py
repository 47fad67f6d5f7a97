"""The dashboard's read door: a cached façade over core.metrics, and the only place of st.cache_*.

Entries are keyed by the tables' versions, so new rows are seen at the next run and nothing has to be invalidated.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import streamlit as st

from collector import checkup
from core import advice, alerts, drift, fleet, metrics, misses, notebook, probe, promises, reconcile, settings, ttl
from core import regressions as worsening
from core.metrics.scope import Scope
from core.pricing import PriceBook, load_book
from core.pricing.provenance import newest_check
from core.probe.planning import target_of
from core.reports import schedule
from core.reports.request import Desk, Request
from core.store import room
from core.store.lake import Lake
from core.store.query import Reader
from core.traffic import Bounds, load_bounded
from dashboard import call_choice
from dashboard.probe_desk import ProbeDesk
from dashboard.studies import Studies, Study

Versions = tuple[tuple[str, int | None], ...]
Rows = list[dict[str, Any]]
Judged = tuple[pa.Table, ttl.Lab, Bounds, pa.Array]
"""Lines of the miss ledger, the TTL Lab, what of the range they are of, and the calls that no line is about."""
MOST_ROWS = 500
"""Members of one dimension that a page tells apart: as many as there are choices in a filter."""
MOST_IN_CHART = 8
_ENTRIES = 256
_SAME_MOMENT_S = 5
_SLOW_S = 600
_JUDGED_S = 60
_RENEWED_S = 900
_LATELY = timedelta(hours=2)
_RECENT = timedelta(minutes=1)
_CLOCKS_APART = timedelta(days=2)
_REGRESSIONS = timedelta(days=30)
_LOGGED = ("calls", "invocations", "prompt_store_events")
_READS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(
        ("summary", "breakdown", "series", "store_series", "latency", "latency_series", "markers", "options",
         "price_rows", "chargeback", "tellings", "disagreements"),
        _LOGGED,
    ),
    **dict.fromkeys(("freshness", "ingest_series"), ("ingest_passes",)),
}  # fmt: skip
"""Which tables a function of core.metrics reads, so that rows of other tables do not make it ask again; else: all."""


@st.cache_resource(show_spinner=False)
def configuration() -> settings.Settings:
    """Read the settings once per process. Raises FixSettings."""
    return settings.load()


def too_little_room() -> int | None:
    """Return the bytes left on the disk of the tables where they are too few to store calls, else None."""
    return room.too_little_room(configuration().lake_path)


@st.cache_resource(show_spinner=False)
def _lake() -> Lake:
    return Lake(configuration().lake_path)


@st.cache_resource(show_spinner=False, on_release=lambda reader: reader.close())
def _reader() -> Reader:
    return Reader(_lake())


@st.cache_resource(show_spinner=False)
def book() -> PriceBook:
    """Return the price book, with the rows and discounts of the settings."""
    return load_book(configuration().price_files)


@st.cache_data(ttl=2, show_spinner=False, max_entries=1)
def versions() -> Versions:
    """Return the version of every table; looked up at most every two seconds however many viewers there are."""
    return tuple(sorted(_lake().versions().items()))


@st.cache_data(show_spinner=False, max_entries=_ENTRIES)
def _ask(name: str, at: Versions, scope: Scope | None, more: tuple[tuple[str, Any], ...]) -> Any:
    """Run one function of core.metrics; `at` is part of the key only."""
    function = getattr(metrics, name)
    arguments = {key: list(value) if isinstance(value, tuple) else value for key, value in more}
    return function(_reader(), **arguments) if scope is None else function(_reader(), scope, **arguments)


def _cached(name: str, scope: Scope | None = None, **more: Any) -> Any:
    tables = _READS.get(name)
    if scope is not None and tables == _LOGGED:
        scope = _settled(scope)
    return _ask(name, _versions_of(tables), scope, tuple(sorted(more.items())))


def _versions_of(tables: tuple[str, ...] | None) -> Versions:
    return versions() if tables is None else tuple(told for told in versions() if told[0] in tables)


def _settled(scope: Scope) -> Scope:
    """Return a scope that asks the same and does not change with the clock: its end goes where nothing is after it."""
    last = options().get("last_ts")
    return replace(scope, end=None) if scope.end is not None and (last is None or last < scope.end) else scope


def summary(scope: Scope) -> dict[str, Any]:
    """Return every total of a scope."""
    return _cached("summary", scope) | {"to": scope.end}


def breakdown(scope: Scope, *by: str) -> Rows:
    """Return the totals of a scope by one or more dimensions; of a crowded one the dearest, and all others as one."""
    return _cached("breakdown", scope, by=tuple(by), **({"most": MOST_ROWS} if _crowded(*by) else {}))


def every_row(scope: Scope, by: str) -> Rows:
    """Return the totals of a scope by a dimension however many members it has: for files; nothing of it is kept."""
    return metrics.breakdown(_reader(), scope, [by])


def _crowded(*by: str) -> bool:
    """Say whether a dimension has so many members that they cannot all be shown."""
    return len(by) == 1 and len(options().get(f"{by[0]}s") or ()) >= MOST_ROWS


def report_rows(request: Request, *, chargeback: bool) -> Rows:
    """Return the rows of a report's main table: the groups, or what each is charged.

    Of a crowded dimension they are for looking at: the dearest, and all others as one.
    """
    if not request.by:
        return [summary(request.scope)]
    if chargeback:
        return _cached("chargeback", request.scope, by=request.by, rule=request.allocate)
    if _crowded(*request.by):
        return breakdown(request.scope, *request.by)
    return _cached("breakdown", request.scope, by=request.by, zone=request.zone)


def report_desk() -> Desk:
    """Return what reports are made from; a download may use it outside the page's run."""
    return Desk(_reader(), book())


def series(scope: Scope, *, bucket: str, zone: str, by: str | None = None) -> pa.Table:
    """Return call totals over time; of a crowded dimension the dearest members, and all others as one."""
    more = {"most": MOST_IN_CHART} if by is not None and _crowded(by) else {}
    return _cached("series", scope, bucket=bucket, zone=zone, by=by, **more)


def every_point(scope: Scope, *, bucket: str, zone: str, by: str) -> Iterator[Mapping[str, Any]]:
    """Yield the same for every member, however many there are, a day at a time: for files; nothing of it is kept."""
    if not _crowded(by):
        yield from series(scope, bucket=bucket, zone=zone, by=by).to_pylist()
        return
    for day in metrics.days(_reader(), scope, zone=zone):
        yield from metrics.series(_reader(), day, bucket, zone=zone, by=by).to_pylist()


def store_series(scope: Scope, *, bucket: str, zone: str, by: str | None = None) -> pa.Table:
    """Return prompt-store hits and misses over time."""
    return _cached("store_series", scope, bucket=bucket, zone=zone, by=by)


def latency(scope: Scope, *, by: str | None = None) -> Rows:
    """Return response-time, first-token and prompt-store-miss figures."""
    return _cached("latency", scope, by=by)


def latency_series(scope: Scope, *, bucket: str, zone: str) -> pa.Table:
    """Return response-time percentiles over time."""
    return _cached("latency_series", scope, bucket=bucket, zone=zone)


def markers(scope: Scope) -> Rows:
    """Return deploys, prompt-store clears and notes to be marked on charts over time."""
    return sorted([*_cached("markers", scope), *notebook.markers(notes(), scope)], key=lambda mark: mark["ts"])


@st.cache_data(show_spinner=False, max_entries=8)
def _noted(name: str, at: Versions) -> Any:
    """Read notes or views; `at` is part of the key only."""
    return getattr(notebook, name)(_reader())


def notes() -> list[notebook.Note]:
    """Return the notes, those about the latest moments first."""
    return _noted("notes", versions())


def saved_views() -> list[notebook.SavedView]:
    """Return the views that are kept for everybody, by name."""
    return _noted("views", versions())


def freshness() -> Rows:
    """Return, for each source, how far its data reaches and what its last pass said."""
    return _cached("freshness")


def ingest_series(scope: Scope, *, bucket: str, zone: str) -> Rows:
    """Return lines by outcome, late events and lag over time."""
    return _cached("ingest_series", scope, bucket=bucket, zone=zone)


def calls(scope: Scope, which: metrics.Which, *, limit: int, order: str = "ts desc") -> Rows:
    """Return single calls of a scope."""
    return _cached("calls_page", scope, limit=limit, order=order, which=which).to_pylist()


def calls_total(scope: Scope, which: metrics.Which) -> dict[str, Any]:
    """Return what single calls of a scope add up to."""
    return _cached("calls_total", scope, which=which)


def latest_calls(scope: Scope, limit: int) -> Rows:
    """Return the newest calls that match the scope's filters; few days are read, however long the history is."""
    newest = _newest()
    return [] if newest is None else _cached("latest_calls", scope, limit=limit, newest=newest).to_pylist()


@st.cache_data(ttl=_JUDGED_S, show_spinner=False, max_entries=1)
def recent_causes() -> dict[str, dict[str, Any]]:
    """Return what the miss ledger says of each call of the last two hours, by call id; at most a minute old."""
    since = recent_since()
    if since is None:
        return {}
    traffic, _ = load_bounded(_reader(), Scope(start=since), book())
    return misses.by_call(traffic, misses.of_traffic(traffic))


def recent_since() -> datetime | None:
    """Return from when on `recent_causes` judges calls."""
    newest = _newest()
    return None if newest is None else newest - _LATELY


def _newest() -> datetime | None:
    """Return the newest moment of the data, or now where a call claims to be of a far future."""
    last, now = options().get("last_ts"), _moment()
    return now if last is not None and last - now > _CLOCKS_APART else last


def pulse(zone: str) -> dict[str, Any]:
    """Return calls a minute as far as the data is known, and dollars since the viewer's midnight."""
    now, rows = _moment(), freshness()
    known = [row["complete_until"] for row in rows if row.get("complete_until")]
    until = min([now, *known]) if known else options().get("last_ts") or now
    minute = now.replace(second=59, microsecond=999_999)  # whoever asks within it shares the answer, and the day
    return _pulse(_versions_of(("calls",)), minute, until, zone)


@st.cache_data(show_spinner=False, max_entries=8)
def _pulse(at: Versions, now: datetime, until: datetime, zone: str) -> dict[str, Any]:
    return metrics.pulse(_reader(), now, until, zone)


def price_rows(scope: Scope) -> Rows:
    """Return what each price row priced."""
    return _cached("price_rows", scope)


def tellings(scope: Scope) -> Rows:
    """Return who told the calls, and what their lines left to the settings."""
    return _cached("tellings", scope)


def disagreements(scope: Scope) -> Rows:
    """Return the latest calls that two formats tell differently."""
    return _cached("disagreements", scope)


def tables() -> Rows:
    """Return size, files and rows of every table."""
    return _cached("tables")


@st.cache_data(show_spinner=False, max_entries=4)
def _alerts(name: str, at: Versions) -> Any:
    """Ask for alerts or for how many are open; `at` is part of the key only."""
    return getattr(alerts, name)(_reader())


def open_alerts() -> int:
    """Return how many alerts are open now."""
    return _alerts("open_count", _versions_of(("alerts",)))


def told_alerts() -> list[alerts.Alert]:
    """Return the alerts in their last state, open ones first, then the newest."""
    return _alerts("alerts", _versions_of(("alerts",)))


def price_check_day() -> date:
    """Return when a published price was last held against its source."""
    return newest_check()


def latest_checkup() -> tuple[datetime, Rows] | None:
    """Return when everything was last looked at, and what was found."""
    return checkup.latest(configuration())


def run_checkup() -> None:
    """Look at everything now, with the collector's rights; the demo's logs are looked at by `cachewise doctor`."""
    settings_now = configuration()
    sources = () if settings_now.demo else settings_now.sources
    checkup.remember(settings_now, list(checkup.examine(settings_now, sources)))


def options() -> Mapping[str, Any]:
    """Return the values filters can take, and the first and last time seen."""
    return _cached("options")


def sources() -> list[str]:
    """Return the names of all sources: those of the settings, then those that only the tables know."""
    seen = [str(name) for name in options()["sources"] if name is not None]
    return list(dict.fromkeys([*(item.name for item in configuration().sources), *seen]))


@st.cache_resource(show_spinner=False)
def _studies() -> Studies[Scope, Judged]:
    """Return the studies that all viewers share, which nobody may change."""

    def make(scope: Scope) -> Judged:
        traffic, bounds = load_bounded(_reader(), scope, book())
        verdict = misses.judge(traffic)
        lines, lab = misses.of_traffic(traffic, verdict), ttl.of_traffic(traffic, verdict)
        return lines, lab, bounds, misses.read_whole(traffic)

    return Studies(make)


def judged(scope: Scope) -> Bounds:
    """Return from when on the miss ledger and the TTL Lab judge the calls of a scope: all, or the newest."""
    return _study(scope).made[2]


def _study(scope: Scope) -> Study[Judged]:
    return _studies().get(_settled(scope), _versions_of(_LOGGED))


def _learn(name: str, scope: Scope, **more: Any) -> Any:
    study = _study(scope)
    return _learnt(name, study.number, study.made, **more)


@st.cache_data(show_spinner=False, max_entries=_ENTRIES)
def _learnt(name: str, number: int, _made: Judged, **more: Any) -> Any:
    """Run one function over a study; its number is the key."""
    lines, lab, *_ = _made
    module, _, function = name.partition(".")
    about = {"misses": (misses, (lines,)), "ttl": (ttl, (lab,)), "advice": (advice, (lines, lab))}
    owner, given = about[module]
    return getattr(owner, function)(*given, **more)


def studied_at(scope: Scope, *, now: datetime | None = None) -> datetime | None:
    """Return as of when the ledger and the lab are shown where newer rows have come since; a minute is no matter."""
    study = _study(scope)
    old = study.at != _versions_of(_LOGGED) and (now or datetime.now(UTC)) - study.as_of > _RECENT
    return study.as_of if old else None


def findings(scope: Scope) -> dict[str, Any]:
    """Return what was missed, what of it can be had back, and where most of that lies."""
    return _learn("advice.findings", scope)


def actions(scope: Scope, *, zone: str) -> Rows:
    """Return what can be done, judged on the week up to the end of the scope, the most dollars a month first."""
    return _learn("advice.actions", advice.recent(scope, zone=zone))


def miss_causes(scope: Scope) -> Rows:
    """Return the miss ledger by cause, dearest first, with what can be had back."""
    return _learn("advice.by_cause", scope)


def miss_groups(scope: Scope, *by: str) -> Rows:
    """Return the miss ledger by one or more of its columns, dearest first."""
    return _learn("misses.groups", scope, by=by)


def miss_engines(scope: Scope) -> Rows:
    """Return the miss ledger by engine, dearest first, with each engine's dearest causes."""
    return _learn("advice.by_engine", scope)


def miss_series(scope: Scope, *, bucket: str, zone: str) -> pa.Table:
    """Return missed tokens and dollars over time by cause."""
    return _learn("misses.series", scope, bucket=bucket, zone=zone)


def missed_calls(scope: Scope, *, cause: str, engine: str | None, every: bool, limit: int) -> tuple[Rows, int]:
    """Return the newest ledger lines of a cause, of one engine or of every, and how many there are in all."""
    lines, *_ = _study(scope).made
    picked = lines.filter(pc.equal(lines["cause"], cause))
    if not every:
        same = pc.is_null(picked["engine"]) if engine is None else pc.equal(picked["engine"], engine)
        picked = picked.filter(same)
    return picked.slice(max(0, picked.num_rows - limit)).to_pylist()[::-1], picked.num_rows


def calls_of_cause(
    scope: Scope, cause: str, *, start: datetime | None, end: datetime | None, limit: int
) -> tuple[tuple[str, ...], dict[str, Any]]:
    """Return the newest calls under a cause within [start, end) by id, and what all of them missed together.

    The cause may be `call_choice.RECOVERABLE`: all that can be mended.
    """
    lines, lab, *_ = _study(scope).made
    mendable = cause == call_choice.RECOVERABLE
    picked = advice.recoverable_lines(lines, lab) if mendable else lines.filter(pc.equal(lines["cause"], cause))
    if start is not None:
        picked = picked.filter(pc.greater_equal(picked["ts"], pa.scalar(start, lines["ts"].type)))
    if end is not None:
        picked = picked.filter(pc.less(picked["ts"], pa.scalar(end, lines["ts"].type)))
    newest = dict.fromkeys(picked.slice(max(0, picked.num_rows - limit))["call_id"].to_pylist())
    return tuple(newest), misses.total(picked)


def causes_of(scope: Scope, ids: Collection[str]) -> dict[str, str | None]:
    """Return the cause of what the prefix of each call missed, None: nothing; one that is not in it was not judged."""
    lines, _, _, whole = _study(scope).made
    return misses.causes_by_id(ids, lines, whole)


def policies(scope: Scope) -> Rows:
    """Return what each caching policy would have cost each engine a month."""
    return _learn("ttl.compare", scope)


def policy_advice(scope: Scope) -> Rows:
    """Return each engine's cheapest policy, and how well the replay fits what was observed."""
    return _learn("advice.lifetimes", scope)


def policy_mix(scope: Scope) -> dict[str, Any]:
    """Return the month of all engines together: as configured, one policy for all, each on its best."""
    return _learn("ttl.mix", scope)


def gaps(scope: Scope, engine: str | None) -> Rows:
    """Return how long an engine's pauses between calls of one prefix were."""
    return _learn("ttl.gaps", scope, engine=engine)


def crossover(scope: Scope, engine: str | None) -> dict[str, Any]:
    """Return the cost of each policy over the share of medium pauses, and where an engine stands."""
    return _learn("ttl.crossover", scope, engine=engine)


def bursts(scope: Scope, *, zone: str) -> Rows:
    """Return the engines whose calls arrive in bursts, and what pre-warming would save."""
    return _learn("ttl.bursts", scope, zone=zone)


@st.cache_data(ttl=_RENEWED_S, show_spinner=False, max_entries=4)
def regressions(zone: str) -> list[worsening.Regression]:
    """Return what got worse in the last 30 days of data, dearest first; at most a quarter of an hour old.

    `zone` makes the hours and weekends of the season.
    """
    newest = _newest()
    if newest is None:
        return []
    return worsening.ranked(worsening.find(_reader(), Scope(start=newest - _REGRESSIONS), zone=zone))


@st.cache_data(show_spinner=False, max_entries=8)
def _promises(at: Versions) -> list[promises.Promise]:
    """Read the marks; `at` is part of the key only."""
    return promises.promises(_reader())


def promised() -> list[promises.Promise]:
    """Return the actions that are marked done, the latest first."""
    return _promises(versions())


@st.cache_data(ttl=_SLOW_S, show_spinner=False, max_entries=8)
def _realised(marks: tuple[str, ...]) -> dict[str, promises.Realised]:
    """Measure marks on the traffic around each; days of data do not change by the minute."""
    return promises.measure(_reader(), [mark for mark in promised() if mark.action_id in marks], book())


def realised(done: Sequence[promises.Promise]) -> dict[str, promises.Realised]:
    """Return what came of each promise, by the mark's id; at most ten minutes old."""
    return _realised(tuple(promise.action_id for promise in done)) if done else {}


@st.cache_data(show_spinner=False, max_entries=64)
def _fleet(name: str, at: Versions, now: datetime | None, **more: Any) -> Any:
    """Run one function of core.fleet; `at` is part of the key only."""
    if now is not None:
        more |= {"now": now}
    if name == "claude_prefixes":
        return fleet.claude_prefixes(_reader(), book(), **more)
    return getattr(fleet, name)(_reader(), *more.pop("of", ()), **more)


def _moment() -> datetime:
    """Return the time, equal for all who ask within the same few seconds; never before what was just written."""
    now = datetime.now(UTC).replace(microsecond=0)
    return now + timedelta(seconds=_SAME_MOMENT_S - now.second % _SAME_MOMENT_S)


def environments(source: str) -> list[fleet.Environment]:
    """Return the source's environments and what each prompt store holds, as its logs tell."""
    return _fleet("environments", versions(), _moment(), source=source)


@st.cache_data(show_spinner=False, max_entries=64)
def _drift(name: str, at: Versions, scope: Scope | None, now: datetime | None, sources: tuple[str, ...]) -> Any:
    """Run one function of core.drift; `at` is part of the key only."""
    if scope is not None:
        return getattr(drift, name)(_reader(), scope)
    return getattr(drift, name)(_reader(), now=now, sources=sources)


def drifted_prompts(source: str) -> list[drift.Drifted]:
    """Return the source's environments that serve an older prompt than their sisters."""
    return _drift("prompts", _versions_of(_LOGGED), None, _moment(), (source,))


def read_prompt_table(source: settings.SourceSettings) -> fleet.Present:
    """Ask DynamoDB what the prompt table holds now, in fingerprints: for dashboard.acts, at a click only."""
    return fleet.read_table(_reader(), source, now=datetime.now(UTC), environ=os.environ)


def compared_prompts(source: settings.SourceSettings, present: fleet.Present) -> fleet.Comparison:
    """Return how warm environments stand beside what was read of the prompt table; asks nothing of AWS."""
    return _fleet("compare", versions(), _moment(), of=(source, present))


def memory_use(scope: Scope) -> list[drift.MemoryUse]:
    """Return memory used against memory configured, by function version."""
    return _drift("memory", _versions_of(_LOGGED), _settled(scope), None, ())


def cold_starts(scope: Scope) -> list[drift.ColdStarts]:
    """Return how often requests waited for a new environment, and what that cost; nothing where none were seen."""
    return _drift("cold_starts", _versions_of(_LOGGED), _settled(scope), None, ())


def claude_prefixes(source: str) -> list[fleet.ClaudePrefix]:
    """Return the prefixes in the Claude cache, and when each expires."""
    return _fleet("claude_prefixes", versions(), _moment(), source=source)


def past_clears(source: str) -> list[fleet.Clear]:
    """Return the clears of a source that were done, the latest first."""
    return _fleet("past_clears", versions(), None, source=source)


def follow(clear: fleet.Clear) -> fleet.Progress:
    """Return how far a clear is proved by now."""
    return _fleet("follow", versions(), _moment(), of=(clear,))


def recorded_actions() -> list[fleet.Recorded]:
    """Return the audit log, the latest first."""
    return _fleet("recorded_actions", versions(), None)


def foretell(source: settings.SourceSettings, engine: str | None, *, function: Any = None) -> fleet.Preview:
    """Return what a clear would do, as the tables tell; `function` is what Lambda told, for the variable way."""
    return fleet.preview(_reader(), book(), source, now=datetime.now(UTC), engine=engine, function=function)


@st.cache_resource(show_spinner=False)
def probe_desk() -> ProbeDesk:
    """Return the one place of this process where probes run."""
    return ProbeDesk()


def probe_target() -> probe.Target:
    """Return whom a probe would ask, as configured; nothing is sent. Raises FixSettings."""
    return target_of(configuration(), book())


@st.cache_data(show_spinner=False, max_entries=8)
def _probes(name: str, at: Versions) -> Any:
    """Read what was probed; `at` is part of the key only."""
    return getattr(probe, name)(_reader())


def probe_history() -> Rows:
    """Return the newest results of probes first, one row per experiment."""
    return _probes("history", versions())


def latest_probe() -> dict[str, Any] | None:
    """Return the newest run with its results, or None where nobody has probed yet."""
    return _probes("latest_run", versions())


@st.cache_data(show_spinner=False, max_entries=4)
def _bills(name: str, at: Versions, **more: Any) -> Any:
    """Read what was reconciled; `at` is part of the key only."""
    return getattr(reconcile, name)(_reader(), **more)


def reconcilable() -> tuple[reconcile.Provider, ...]:
    """Return the providers whose bill can be asked for, as configured; nothing is sent."""
    chosen = configuration()
    return () if reconcile.demo_problem(chosen) is not None else reconcile.configured(chosen)


def latest_reconciliation(
    provider: reconcile.Provider,
) -> tuple[Mapping[str, Any], reconcile.Reconciliation] | None:
    """Return the newest reconciliation with a provider and what it found, or None where there is none yet."""
    return _bills("latest", versions(), provider=provider)


def reconciliations() -> Rows:
    """Return the reconciliations that were made, the newest first."""
    return _bills("history", versions())


@st.cache_data(show_spinner=False, max_entries=2)
def _deliveries(at: Versions) -> Rows:
    """Read what was delivered; `at` is part of the key only."""
    return schedule.deliveries(_reader())


def report_deliveries() -> Rows:
    """Return the scheduled reports that arrived, the newest first."""
    return _deliveries(versions())


def lake() -> Lake:
    """Return the tables for dashboard.acts, which writes the audit log."""
    return _lake()


def check() -> dict[str, int | None]:
    """Really open the tables and read from them, past every cache. Raises what the store raises."""
    metrics.options(_reader())
    return dict(_lake().versions())


def forget() -> None:
    """Drop the dashboard's own cached query results; neither Claude's cache nor the prompt store is touched."""
    _studies().clear()
    for kept in (
        _ask, _learnt, _fleet, _drift, _probes, _bills, _deliveries, _promises, _noted, _realised, _alerts,
        recent_causes, regressions, _pulse, versions,
    ):  # fmt: skip
        kept.clear()


def reopen() -> None:
    """Forget everything, settings and open tables included."""
    forget()
    for resource in (_studies, _reader, _lake, book, configuration):
        resource.clear()
