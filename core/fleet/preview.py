"""What a clear will do, before anyone confirms it: environments, misses, reads, cold starts, dollars, warnings."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from core.errors import FixSettings
from core.fleet.clear_variable import FunctionState
from core.fleet.holdings import ACTIVE, Environment, environments
from core.fleet.prefixes import ClaudePrefix, claude_prefixes, rewrite_total
from core.metrics.scope import Scope, rows_of
from core.pricing import PriceBook
from core.settings import ClearMethod, ClearSettings, SourceSettings
from core.store.query import Reader


class Note(str):
    """A sentence of the preview that knows its name and what it is about, so that a page can say it in Korean."""

    name: str
    about: Mapping[str, str]

    def __new__(cls, name: str, sentence: str, **about: str) -> Note:
        """Make a note; as a text it is the sentence."""
        note = super().__new__(cls, sentence)
        note.name, note.about = name, about
        return note


@dataclass(frozen=True, slots=True)
class Preview:
    """What a clear of the prompt store is expected to do."""

    source: str
    engine: str | None  # None: all engines
    method: ClearMethod
    environments: tuple[Environment, ...]  # all that were seen, the active ones first
    active: int
    engines: tuple[str, ...]  # engines that active environments hold and would lose
    expected_misses: int  # each active environment reads each of them once more
    dynamodb_reads: int
    cold_starts: int  # the variable way starts every environment anew
    extra_ms: float | None  # what the first request after it waits longer: the median read, and start, seen so far
    within_s: float | None  # how long an environment may go on serving the old prompt; None: until the switch is done
    prefixes: tuple[ClaudePrefix, ...]
    rewrite_usd: Decimal | None  # only if the prompt's text changed: writing the live prefixes once more
    rewrite_unpriced: int
    warnings: tuple[Note, ...]
    blocked: tuple[Note, ...]  # why the clear would be refused

    def facts(self) -> dict[str, Any]:
        """Return the figures of the preview: for the audit log, for JSON."""
        return {
            "source": self.source,
            "engine": self.engine,
            "method": self.method,
            "environments": len(self.environments),
            "active_environments": self.active,
            "engines": list(self.engines),
            "expected_misses": self.expected_misses,
            "dynamodb_reads": self.dynamodb_reads,
            "cold_starts": self.cold_starts,
            "extra_ms": self.extra_ms,
            "within_s": self.within_s,
            "claude_prefixes_live": sum(prefix.live is not False for prefix in self.prefixes),
            "rewrite_usd": None if self.rewrite_usd is None else f"{self.rewrite_usd:f}",
            "rewrite_unpriced": self.rewrite_unpriced,
            "warnings": list(self.warnings),
            "blocked": list(self.blocked),
        }


def clear_settings(source: SourceSettings, method: ClearMethod | None = None) -> ClearSettings:
    """Return how the source is cleared by this method (None: its own), or say which setting is missing."""
    clear = source.clear
    if clear is None:
        raise FixSettings(
            f'Source "{source.name}" does not say how its prompt store is cleared.',
            code="FLT-401",
            mend='Add [sources.clear] with prompt_table = "…" below it, see docs/clearing.md.',
            about=(source.name,),
        )
    way = method or clear.method
    needed = "prompt_table" if way == "epoch" else "function_name"
    if getattr(clear, needed) is None:
        raise FixSettings(
            f'Source "{source.name}" cannot be cleared by {way}: {needed} is not set.',
            code="FLT-401",
            mend=f'Add {needed} = "…" to its [sources.clear].',
            about=(source.name, needed),
        )
    return clear


def preview(
    reader: Reader,
    book: PriceBook,
    source: SourceSettings,
    *,
    now: datetime,
    engine: str | None = None,
    method: ClearMethod | None = None,
    active: timedelta = ACTIVE,
    function: FunctionState | None = None,
) -> Preview:
    """Foretell a clear from the tables; `function` is what `look_at` read, for the variable way. Changes nothing."""
    clear = clear_settings(source, method)
    way: ClearMethod = method or clear.method
    found = environments(reader, source=source.name, now=now, active=active)
    warm = [environment for environment in found if environment.active]
    # New environments of the variable way are empty altogether, whichever engine was meant.
    lost = [item for environment in warm for item in environment.holds(engine if way == "epoch" else None)]
    prefixes = claude_prefixes(reader, book, source=source.name, now=now, engine=engine)
    dollars, unpriced = rewrite_total(prefixes)
    return Preview(
        source=source.name,
        engine=engine,
        method=way,
        environments=tuple(found),
        active=len(warm),
        engines=tuple(sorted({item.engine for item in lost})),
        expected_misses=len(lost),
        dynamodb_reads=len(lost),
        cold_starts=len(warm) if way == "variable" else 0,
        extra_ms=_extra_ms(reader, source.name, found, now, cold=way == "variable"),
        within_s=clear.epoch_seconds if way == "epoch" else None,
        prefixes=tuple(prefixes),
        rewrite_usd=dollars,
        rewrite_unpriced=unpriced,
        warnings=tuple(_warnings(found, warm, engine, way, function)),
        blocked=tuple(_blocked(function)),
    )


def _extra_ms(reader: Reader, source: str, found: Iterable[Environment], now: datetime, *, cold: bool) -> float | None:
    reads = [item.fetch_ms for environment in found for item in environment.holdings if item.fetch_ms is not None]
    read = statistics.median(reads) if reads else None
    if not cold or read is None:
        return read
    rows = rows_of(reader, "invocations", Scope(start=now - timedelta(days=7), end=now, sources=(source,)))
    rows = rows.filter(rows.cold.fill_null(False))
    starts = [row["ms"] for row in reader.rows(rows.select(ms=rows.init_ms.coalesce(rows.restore_ms))) if row["ms"]]
    return read + statistics.median(starts) if starts else read


def _warnings(
    found: list[Environment],
    warm: list[Environment],
    engine: str | None,
    way: ClearMethod,
    function: FunctionState | None,
) -> Iterable[Note]:
    known = sorted({item.engine for environment in found for item in environment.holdings})
    if engine is not None and engine not in known:
        seen = ", ".join(known) or "none"
        told = f'No environment was seen holding engine "{engine}". Seen: {seen}.'
        yield Note("unknown_engine", told, engine=engine, seen=seen)
    if not warm:
        yield Note(
            "nothing_warm", "No environment was seen lately: nothing may be warm, or the logs are not collected."
        )
    if way == "variable":
        yield from _variable_warnings(engine, function)


def _variable_warnings(engine: str | None, function: FunctionState | None) -> Iterable[Note]:
    yield Note("start_anew", "Every environment starts anew; requests under way end in the old ones.")
    if engine is not None:
        told = f'A variable cannot name an engine: all engines are cleared, not only "{engine}".'
        yield Note("all_engines", told, engine=engine)
    if function is not None and function.busy:
        yield Note("busy", "An update of the function is under way: the clear waits for it.")
    if function is not None and function.released_too:
        parts = ", ".join(function.released_too)
        yield Note("released_too", f"Publishing releases what waits in $LATEST too: {parts}.", parts=parts)


def _blocked(function: FunctionState | None) -> Iterable[Note]:
    if function is None:
        return
    if not function.readable:
        yield Note("unreadable", "Lambda cannot read the function's variables for us: a write would drop them.")
    if function.other_code:
        yield Note("other_code", "The alias runs other code than $LATEST: publishing would release it.")
    if function.split_with:
        versions = ", ".join(function.split_with)
        yield Note("split", f"The alias sends part of its traffic to version {versions}.", versions=versions)
