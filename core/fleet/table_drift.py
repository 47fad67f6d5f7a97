"""Does a warm environment still hold another prompt than the prompt table holds now?

The table's texts are fingerprinted in memory as the service's client fingerprints its system block, and dropped: what
is kept are keyed hashes and the items' versions. A fingerprint that never matches proves nothing by itself: another
FINGERPRINT_KEY, or a text that the service puts around the prompt, looks the same as an older prompt. So "behind" is
said only of a function one of whose calls did match.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

import ibis.expr.types as ir

from core import aws
from core.caching.fingerprint import block_fingerprint, fingerprint_key
from core.caching.policy import CachePolicy
from core.caching.prompt_table import PromptTable
from core.caching.request import StaticContext, build_request
from core.errors import CachewiseError
from core.fleet.access import explained
from core.fleet.holdings import ACTIVE, LOOKBACK, clears_in, last_clear
from core.fleet.preview import clear_settings
from core.metrics.scope import Scope, asked
from core.settings import ClearSettings, SourceSettings
from core.store.query import Reader

_TIMEOUT_S = 2.0
_ATTEMPTS = 2
_MOST_ENGINES = 50  # engine names come out of logs: a strange log must not make a click read for minutes
_NO_ITEM = "SVC-404"

State = Literal["current", "behind", "not_comparable", "cleared", "no_item", "unknown"]
Lane = tuple[str, str | None]
"""An engine of a function: the function's name makes the fingerprint's key where none is set."""


@dataclass(frozen=True, slots=True)
class Present:
    """What the table held at `read_at`: fingerprints and versions, never a text."""

    source: str
    read_at: datetime
    fingerprints: Mapping[Lane, tuple[str, ...]]  # alone, and with the service's context; none where the key is unknown
    versions: Mapping[str, str | None]  # of each engine that has an item
    absent: frozenset[str]  # engines without an item


@dataclass(frozen=True, slots=True)
class Compared:
    """One warm environment's latest call of an engine, beside the table. Since when they differ is not known."""

    source: str
    log_stream: str
    function_name: str | None
    function_version: str | None
    engine: str
    state: State
    holds: str | None  # fingerprint of its system block; None: no record told one
    table_holds: str | None
    table_version: str | None
    last_seen: datetime
    known_by: Literal["fingerprint"] | None  # None: it could not be compared

    def to_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Comparison:
    """Every warm environment and engine, those that are behind first."""

    read_at: datetime
    environments: tuple[Compared, ...]

    def of(self, state: State) -> list[Compared]:
        """Return those in this state."""
        return [item for item in self.environments if item.state == state]


def read_table(
    reader: Reader,
    source: SourceSettings,
    *,
    now: datetime,
    environ: Mapping[str, str],
    active: timedelta = ACTIVE,
    client: Any = None,
) -> Present:
    """Read the items of the engines that warm environments serve, with the process's own rights.

    Raises FLT-401 where no table is configured, SVC-421 for a bad FINGERPRINT_KEY, FLT-406 where it cannot be read.
    """
    clear = clear_settings(source, "epoch")
    rows = _latest(_served(reader, source.name, now))
    rows = [row for row in rows if row["last"] >= now - active]
    lanes = dict.fromkeys((row["engine"], row["function_name"]) for row in rows)
    engines = list(dict.fromkeys(engine for engine, _ in lanes))[:_MOST_ENGINES]
    keys = {function: _key(function, source, clear, environ) for _, function in lanes}
    fingerprints: dict[Lane, tuple[str, ...]] = {}
    versions: dict[str, str | None] = {}
    try:
        if client is None and engines:
            client = aws.client("dynamodb", timeout_s=_TIMEOUT_S, attempts=_ATTEMPTS, region=clear.region)
        table = PromptTable(str(clear.prompt_table), key=clear.key_name, client=client)
        for engine in engines:
            try:
                prompt = table.fetch(engine)
            except CachewiseError as error:
                if error.code != _NO_ITEM:
                    raise
                continue
            versions[engine] = prompt.version
            for lane in (lane for lane in lanes if lane[0] == engine):
                key = keys[lane[1]]
                fingerprints[lane] = () if key is None else _as_sent(prompt.text, clear, key)
    except Exception as error:
        told = _unreadable(error, clear)
        if told is None:
            raise
        raise told from error
    return Present(source.name, now, fingerprints, versions, frozenset(engines) - set(versions))


def compare(
    reader: Reader, source: SourceSettings, present: Present, *, now: datetime, active: timedelta = ACTIVE
) -> Comparison:
    """Compare what warm environments served last with what the table held; reads the tables of logs only."""
    served = _served(reader, source.name, now)
    clears = clears_in(reader, _scope(source.name, now))
    waits = timedelta(seconds=source.clear.epoch_seconds if source.clear is not None else 0)
    # one match of a function proves its key and its template, for all its engines
    proven = {row["function_name"] for row in served if _match(row, present)}
    found = [
        _compared(row, present, last_clear(clears, row["log_stream"], row["engine"]), waits, proven)
        for row in _latest(served)
        if row["last"] >= now - active
    ]
    found.sort(key=lambda item: (item.state != "behind", -item.last_seen.timestamp(), item.log_stream))
    return Comparison(present.read_at, tuple(found))


def _compared(
    row: Mapping[str, Any], present: Present, cleared: datetime | None, waits: timedelta, proven: set[str | None]
) -> Compared:
    engine = row["engine"]
    state = _state(row, present, cleared, waits, proven)
    own = _system(row)
    table = present.fingerprints.get((engine, row["function_name"]), ())
    same = _match(row, present)
    return Compared(
        source=row["source"],
        log_stream=row["log_stream"],
        function_name=row["function_name"],
        function_version=row["function_version"],
        engine=engine,
        state=state,
        holds=same or (own[0] if own else None),
        table_holds=same or (table[-1] if table else None),
        table_version=present.versions.get(engine),
        last_seen=row["last"],
        known_by="fingerprint" if state in ("current", "behind") else None,
    )


def _state(
    row: Mapping[str, Any], present: Present, cleared: datetime | None, waits: timedelta, proven: set[str | None]
) -> State:
    if row["engine"] in present.absent:
        return "no_item"
    if not _system(row) or not present.fingerprints.get((row["engine"], row["function_name"])):
        return "unknown"
    if _match(row, present):
        return "current"
    if cleared is not None and row["last"] <= cleared + waits:
        return "cleared"  # its next request reads the table
    if row["first"] > present.read_at:
        return "unknown"  # it fetched its prompt after the table was read: that may be a newer one
    return "behind" if row["function_name"] in proven else "not_comparable"


def _as_sent(text: str, clear: ClearSettings, key: bytes) -> tuple[str, ...]:
    """Fingerprint the system block as the client sends it: the prompt alone, and with the configured context."""
    contexts = [{}, dict(clear.prompt_context)] if clear.prompt_context else [{}]
    blocks = [
        build_request(text, "", policy=CachePolicy(), static=StaticContext(context)).system[0] for context in contexts
    ]
    return tuple(block_fingerprint(block, key) for block in blocks)


def _key(
    function: str | None, source: SourceSettings, clear: ClearSettings, environ: Mapping[str, str]
) -> bytes | None:
    """Return the service's key: the one set here too, else what it derives from its name and region, where known."""
    if environ.get("FINGERPRINT_KEY"):
        return fingerprint_key(environ)
    name = function or clear.function_name
    regions = (source.region, clear.region, environ.get("AWS_REGION"), environ.get("AWS_DEFAULT_REGION"))
    region = next(filter(None, regions), None)
    if name is None or region is None:
        return None
    return fingerprint_key({"AWS_LAMBDA_FUNCTION_NAME": name, "AWS_REGION": region})


def _unreadable(error: Exception, clear: ClearSettings) -> CachewiseError | None:
    """Return what an operator can do about an error of AWS; None: it is not AWS's, and stays what it is."""
    from botocore.exceptions import BotoCoreError, ClientError

    cause = error.__cause__ if isinstance(error, CachewiseError) else error
    if not isinstance(cause, BotoCoreError | ClientError):
        return None
    return explained(
        cause,
        doing=f"reading prompt table {clear.prompt_table}",
        code="FLT-406",
        permission="dynamodb:GetItem on the prompt table to the dashboard's own role (docs/policies/compare.json)",
        check="Check prompt_table, key_name and region of [sources.clear].",
    )


def _match(row: Mapping[str, Any], present: Present) -> str | None:
    """Return the fingerprint that both have."""
    table = present.fingerprints.get((row["engine"], row["function_name"]), ())
    return next((name for name in _system(row) if name in table), None)


def _system(row: Mapping[str, Any]) -> list[str]:
    """Return the fingerprints of the system blocks that a call told."""
    parts = (row["prefix_blocks"] or "").split()
    return [part.removeprefix("system:") for part in parts if part.startswith("system:")]


def _latest(served: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return each environment's latest row of each engine, the latest called first."""
    ordered = sorted(served, key=lambda row: (row["last"], row["log_stream"]), reverse=True)
    latest: dict[tuple[str, str], dict[str, Any]] = {}
    for row in ordered:
        latest.setdefault((row["log_stream"], row["engine"]), row)
    return list(latest.values())


def _served(reader: Reader, source: str, now: datetime) -> list[dict[str, Any]]:
    return asked(reader, "calls", _scope(source, now), shape="system blocks served", build=_blocks)


def _scope(source: str, now: datetime) -> Scope:
    return Scope(start=now - LOOKBACK, end=now, sources=(source,))


def _blocks(rows: ir.Table) -> ir.Table:
    rows = rows.filter(rows.log_stream.notnull() & rows.engine.notnull())
    keys = ("source", "function_name", "function_version", "log_stream", "engine", "prefix_blocks")
    return rows.group_by([rows[name] for name in keys]).aggregate(first=rows.ts.min(), last=rows.ts.max())
