"""The permanent prompt store of one warm environment: engine prompts in memory, read from the table on a miss only.

This module holds the only module-level state of the Lambda part, because keeping it is its job. What clears it: the end
of the environment, `clear_prompt_cache()`, and a changed epoch in the prompt table (see prompt_table).
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from core import telemetry
from core.errors import BadInput, FixSettings

DEFAULT_EPOCH_SECONDS = 30.0
LONGEST_ENGINE_NAME = 128
Epochs = Mapping[str | None, int]


@dataclass(frozen=True, slots=True)
class FetchedPrompt:
    """What the table answered: the text and the version someone gave it."""

    text: str
    version: str | None = None


@dataclass(frozen=True, slots=True)
class Prompt:
    """One engine's prompt as it is kept; equal `content_hash` (short SHA-256) = equal text in two environments."""

    engine: str
    text: str = field(repr=False)  # never in a traceback or a log
    version: str | None
    content_hash: str
    size_bytes: int

    @classmethod
    def from_fetched(cls, engine: str, fetched: FetchedPrompt) -> Prompt:
        """Measure and hash what was fetched."""
        encoded = fetched.text.encode()
        return cls(engine, fetched.text, fetched.version, hashlib.sha256(encoded).hexdigest()[:16], len(encoded))


Fetch = Callable[[str], FetchedPrompt]
ReadEpochs = Callable[[], Epochs]
Say = Callable[[str], object]


@dataclass(slots=True)
class _Entry:
    prompt: Prompt
    epoch: tuple[int, int] | None  # None: fetched while the epoch could not be read
    stored_at: float
    fetch_ms: float
    hits: int = 0


@dataclass(slots=True)
class _Flight:
    """One read on its way; everyone who misses the same engine meanwhile waits for it."""

    epoch: tuple[int, int] | None
    landed: threading.Event = field(default_factory=threading.Event)
    prompt: Prompt | None = None
    error: BaseException | None = None


@dataclass(slots=True)
class _Counts:
    hits: int = 0
    misses: int = 0
    last_cleared_at: float | None = None


class PromptStore:
    """Prompts of one environment, for many threads: concurrent misses of an engine make one read.

    `say` receives the text lines, `clock` gives Unix seconds (wall time: it goes on while Lambda freezes the process).
    """

    def __init__(
        self,
        *,
        fetch: Fetch | None = None,
        read_epochs: ReadEpochs | None = None,
        epoch_seconds: float = DEFAULT_EPOCH_SECONDS,
        say: Say = print,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._lock = threading.Lock()
        self._entries: dict[str, _Entry] = {}
        self._flights: dict[str, _Flight] = {}
        self._counts: dict[str, _Counts] = {}
        self._hits = self._misses = self._clears = self._epoch_errors = 0
        self._last_cleared_at: float | None = None
        self._epochs: Epochs | None = None
        self._epoch_tried_at: float | None = None
        self._epoch_failing = False
        self.configure(fetch=fetch, read_epochs=read_epochs, epoch_seconds=epoch_seconds, say=say, clock=clock)

    def configure(
        self,
        *,
        fetch: Fetch | None,
        read_epochs: ReadEpochs | None = None,
        epoch_seconds: float = DEFAULT_EPOCH_SECONDS,
        say: Say = print,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Say where prompts and epochs come from; what is already kept stays."""
        self._fetch, self._read_epochs, self._epoch_seconds = fetch, read_epochs, epoch_seconds
        self._say, self._clock = say, clock

    def get(self, engine: str) -> Prompt:
        """Return the engine's prompt, from memory if it is there; writes the HIT, MISS and stored lines."""
        _check_engine(engine)
        self._follow_epochs()
        with self._lock:
            entry = self._entries.get(engine)
            flight = self._flights.get(engine)
            if entry is None and flight is None:
                ours = self._flights[engine] = _Flight(self._epoch_of(engine))
                self._misses += 1
            elif entry is not None:
                self._count_hit(entry)
        if entry is not None:
            self._say(telemetry.prompt_store_hit_line(engine))
            return entry.prompt
        return self._fly(engine, ours) if flight is None else self._wait(engine, flight)

    def clear(self, engine: str | None = None) -> int:
        """Forget one engine's prompt, or all; return how many were kept. A read on its way is not kept either."""
        with self._lock:
            engines = set(self._entries) | set(self._flights) if engine is None else {engine}
            return self._forget(engines)

    def size_bytes(self) -> int:
        """Return what the texts of all prompts held take, in UTF-8 bytes."""
        with self._lock:
            return self._size_bytes()

    def stats(self) -> dict[str, Any]:
        """Return what this environment's prompt store holds and did: totals, and the same per engine."""
        with self._lock:
            now = self._clock()
            engines = {name: self._engine_stats(name, now) for name in sorted(set(self._entries) | set(self._counts))}
            return {
                "hits": self._hits,
                "misses": self._misses,
                "entries": len(self._entries),
                "bytes": self._size_bytes(),
                "age_seconds": max((now - entry.stored_at for entry in self._entries.values()), default=None),
                "clears": self._clears,
                "last_cleared_at": _iso(self._last_cleared_at),
                "epoch": None if self._epochs is None else self._epochs.get(None, 0),
                "epoch_read_at": _iso(self._epoch_tried_at),
                "epoch_errors": self._epoch_errors,
                "engines": engines,
            }

    def _fly(self, engine: str, flight: _Flight) -> Prompt:
        self._say(telemetry.prompt_store_miss_line(engine))
        if self._fetch is None:
            self._land(engine, flight)
            raise FixSettings(
                "The prompt store does not know where prompts come from.",
                code="SVC-402",
                mend="Call configure_prompt_store(fetch=…) at start.",
            )
        started = self._clock()
        try:
            flight.prompt = Prompt.from_fetched(engine, self._fetch(engine))
        except BaseException as error:
            flight.error = error
            raise
        finally:
            kept = self._land(engine, flight, fetch_ms=(self._clock() - started) * 1000)
        if kept:
            self._say(telemetry.prompt_stored_line(engine))
        return flight.prompt

    def _land(self, engine: str, flight: _Flight, *, fetch_ms: float = 0.0) -> bool:
        """Keep the prompt unless a clear overtook the read, and wake those who waited."""
        with self._lock:
            current = self._flights.get(engine) is flight
            if current:
                del self._flights[engine]
            kept = current and flight.prompt is not None
            if kept and flight.prompt is not None:
                self._entries[engine] = _Entry(flight.prompt, flight.epoch, self._clock(), fetch_ms)
                # Counted per engine only once it exists: made-up names must not fill the memory.
                self._counts.setdefault(engine, _Counts()).misses += 1
        flight.landed.set()
        return kept

    def _wait(self, engine: str, flight: _Flight) -> Prompt:
        flight.landed.wait()
        if flight.prompt is None:
            if isinstance(flight.error, Exception):
                raise flight.error
            return self.get(engine)  # the reader was stopped, not refused: read ourselves
        with self._lock:
            self._hits += 1
            self._counts.setdefault(engine, _Counts()).hits += 1
        self._say(telemetry.prompt_store_hit_line(engine))
        return flight.prompt

    def _count_hit(self, entry: _Entry) -> None:
        entry.hits += 1
        self._hits += 1
        self._counts.setdefault(entry.prompt.engine, _Counts()).hits += 1

    def _forget(self, engines: set[str]) -> int:
        now = self._clock()
        forgotten = 0
        for engine in engines:
            forgotten += self._entries.pop(engine, None) is not None
            self._flights.pop(engine, None)
            if engine in self._counts:
                self._counts[engine].last_cleared_at = now
        self._clears += 1
        self._last_cleared_at = now
        return forgotten

    def _follow_epochs(self) -> None:
        """Re-read the epoch when it is due; whatever goes wrong here, the request goes on with what is kept."""
        with self._lock:
            now, last = self._clock(), self._epoch_tried_at
            due = last is None or now < last or now - last >= self._epoch_seconds
            if self._read_epochs is None or not due:
                return
            self._epoch_tried_at = now
        try:
            epochs = self._read_epochs()
        except Exception as error:  # noqa: BLE001 — reading the epoch must never break a request
            self._note_epoch_failure(error)
            return
        with self._lock:
            self._epoch_failing = False
            self._epochs = dict(epochs)
            stale = {name for name, kept in self._kept_epochs() if self._is_older(name, kept)}
            if stale:
                self._forget(stale)

    def _note_epoch_failure(self, error: Exception) -> None:
        with self._lock:
            self._epoch_errors += 1
            first, self._epoch_failing = not self._epoch_failing, True
        if first:
            self._say(f"⚠️ Prompt store epoch not read ({type(error).__name__}) - keeping cached prompts")

    def _kept_epochs(self) -> list[tuple[str, tuple[int, int] | None]]:
        entries = [(name, entry.epoch) for name, entry in self._entries.items()]
        return entries + [(name, flight.epoch) for name, flight in self._flights.items()]

    def _is_older(self, engine: str, kept: tuple[int, int] | None) -> bool:
        # A prompt fetched while the epoch was unknown may be older than any clear there ever was.
        return (kept or (0, 0)) != self._epoch_of(engine)

    def _epoch_of(self, engine: str) -> tuple[int, int] | None:
        if self._epochs is None:
            return None
        return self._epochs.get(None, 0), self._epochs.get(engine, 0)

    def _size_bytes(self) -> int:
        return sum(entry.prompt.size_bytes for entry in self._entries.values())

    def _engine_stats(self, engine: str, now: float) -> dict[str, Any]:
        counts = self._counts.get(engine, _Counts())
        stats: dict[str, Any] = {"hits": counts.hits, "misses": counts.misses, "entries": 0, "bytes": 0}
        stats["last_cleared_at"] = _iso(counts.last_cleared_at)
        if (entry := self._entries.get(engine)) is not None:
            stats |= {
                "entries": 1,
                "bytes": entry.prompt.size_bytes,
                "age_seconds": now - entry.stored_at,
                "hits_since_stored": entry.hits,
                "fetch_ms": entry.fetch_ms,
                "version": entry.prompt.version,
                "content_hash": entry.prompt.content_hash,
            }
        return stats


def _check_engine(engine: str) -> None:
    # The name goes into log lines that are parsed: a line break or bracket in it would forge one.
    clean = engine.isprintable() and not set(engine) & set("[]") and engine == engine.strip()
    if not engine or not clean or engine.startswith("__") or len(engine) > LONGEST_ENGINE_NAME:
        raise BadInput(
            f"Engine name {engine[:40]!r} is not accepted.",
            code="SVC-403",
            mend=f"Use 1 to {LONGEST_ENGINE_NAME} printable characters without brackets, not starting with __.",
        )


def _iso(moment: float | None) -> str | None:
    return None if moment is None else datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds")


def epoch_seconds_from(environ: Mapping[str, str]) -> float:
    """Read PROMPT_EPOCH_SECONDS: how old the known epoch may get; 0 reads it for every request."""
    value = environ.get("PROMPT_EPOCH_SECONDS", "").strip()
    try:
        seconds = float(value) if value else DEFAULT_EPOCH_SECONDS
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise FixSettings(
            f"PROMPT_EPOCH_SECONDS = {value!r} is no time.", code="SVC-401", mend="Accepted: 0 or more seconds."
        )
    return seconds


_STORE = PromptStore()


def configure_prompt_store(
    *,
    fetch: Fetch,
    read_epochs: ReadEpochs | None = None,
    epoch_seconds: float = DEFAULT_EPOCH_SECONDS,
    say: Say = print,
) -> None:
    """Say once, at start, where this environment's prompts come from (usually a PromptTable's two methods)."""
    _STORE.configure(fetch=fetch, read_epochs=read_epochs, epoch_seconds=epoch_seconds, say=say)


def get_prompt(engine: str) -> Prompt:
    """Return the engine's prompt from this environment's store."""
    return _STORE.get(engine)


def clear_prompt_cache(engine: str | None = None) -> int:
    """Clear this environment's prompt store, one engine or all; return how many prompts were forgotten."""
    return _STORE.clear(engine)


def stored_bytes() -> int | None:
    """Return what the prompts in this environment's store take, in UTF-8 bytes; None while it holds none."""
    return _STORE.size_bytes() or None


def get_cache_stats() -> dict[str, Any]:
    """Return the statistics of this environment's prompt store (never of the Claude cache)."""
    return _STORE.stats()
