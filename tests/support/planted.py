"""Fleets with faults planted at random days, and how well the regressions found agree with them."""

from __future__ import annotations

import gc
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from random import Random
from typing import Any, Literal

from cli.demo import demo_root, demo_sources
from collector.pipeline import Collector
from collector.sources.files import FilesSource
from core.metrics.scope import Scope
from core.pricing import default_book
from core.regressions import Regression, find
from core.settings import Settings
from core.store.lake import Lake
from core.store.query import Reader
from simulator.fleet.engines import ENGINES, FUNCTIONS, LEGACY, WS, Engine, Function
from simulator.fleet.folder import FleetFolder, read_truth
from simulator.fleet.plan import SEOUL, Clear, Plan, Stretch, Version, from_ms, to_ms
from simulator.fleet.writer import FleetWriter

Kind = Literal["prefix_broken", "caching_off", "fallback"]
NOW_MS = int(datetime(2026, 11, 23, 15, tzinfo=UTC).timestamp()) * 1000  # midnight in Seoul
ANCHOR = date(2026, 11, 23)
HOUR = timedelta(hours=1)
NEVER = Stretch(0, 0)
EXCUSE = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Fault:
    """One planted fault: what, since when, by which deploy (None: by no deploy), on which engines."""

    kind: Kind
    function: Function
    since_ms: int
    until_ms: int | None
    version: int | None
    engines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Case:
    """One fault on one engine: when its first call was affected, and when enough calls were there to tell."""

    fault: Fault
    engine: str
    began: datetime
    due: datetime  # an hour later; in thin traffic with the fifth affected call


@dataclass(slots=True)
class Score:
    """How a fleet's regressions agree with its faults."""

    seed: int
    cases: list[dict[str, Any]] = field(default_factory=list)
    false_alarms: list[str] = field(default_factory=list)
    repeats: list[str] = field(default_factory=list)
    engine_months: float = 0.0


def plant(seed: int, *, days: int, faulty: bool) -> tuple[Plan, tuple[Fault, ...]]:
    """Draw a calendar: some deploys, revisions and clears that do no harm, and, if asked for, faults."""
    rng = Random(f"planted:{seed}:{faulty}")
    events: dict[str, list[tuple[int, str, Any]]] = {function.name: [] for function in FUNCTIONS}
    for function in FUNCTIONS:
        own = [engine.name for engine in ENGINES if engine.function is function]
        for _ in range(rng.randint(2, 4)):
            events[function.name].append((_moment(rng, days), "harmless", rng.choice([None, *own])))
    clears = tuple(Clear(WS.name, _moment(rng, days), rng.choice(("sales", "support", "tutor"))) for _ in range(2))
    fallback = NEVER
    if faulty:
        events[WS.name].append((_moment(rng, days), "break", rng.choice(("sales", "support", "tutor", "summary"))))
        events[LEGACY.name].append((_moment(rng, days), "break", rng.choice(("notice", "counsel"))))
        off = _moment(rng, days)
        events[WS.name] += [(off, "off", None), (off + rng.randint(3, 7) * 3_600_000, "on", None)]
        start = _moment(rng, days)
        fallback = Stretch(start, start + rng.randint(3, 6) * 3_600_000)
    versions, faults = {}, []
    for function in FUNCTIONS:
        versions[function.name], found = _versions(function, sorted(events[function.name], key=lambda event: event[0]))
        faults += found
    if faulty:
        engines = ("sales", "tutor")
        faults.append(Fault("fallback", WS, fallback.start_ms, fallback.end_ms, None, engines))
    return Plan(ANCHOR, versions, clears, NEVER, fallback), tuple(faults)


def _moment(rng: Random, days: int) -> int:
    """Draw a moment of a working day's working hours, a week or more after the beginning."""
    while True:
        day = ANCHOR - timedelta(days=rng.randint(1, max(1, days - 8)))
        if day.weekday() < 5:
            return to_ms(datetime.combine(day, time(rng.randint(9, 17), rng.randint(0, 59)), SEOUL))


def _versions(function: Function, events: Sequence[tuple[int, str, Any]]) -> tuple[tuple[Version, ...], list[Fault]]:
    last = Version(function.name, function.first_version, 0)
    versions, faults = [last], []
    for at_ms, what, engine in events:
        last = replace(last, number=last.number + 1, since_ms=at_ms, revised=frozenset())
        match what:
            case "harmless":
                last = replace(last, revised=frozenset({engine} if engine else ()))
            case "break":
                last = replace(last, timestamped=last.timestamped | {engine})
                faults.append(Fault("prefix_broken", function, at_ms, None, last.number, (engine,)))
            case "off":
                last = replace(last, caching_enabled=False)
                until = next(at for at, name, _ in events if name == "on")
                engines = tuple(item.name for item in ENGINES if item.function is function)
                faults.append(Fault("caching_off", function, at_ms, until, last.number, engines))
            case "on":
                last = replace(last, caching_enabled=True)
        versions.append(last)
    return tuple(versions), faults


def examine(seed: int, *, faulty: bool, days: int = 30, engines: Sequence[Engine] = ENGINES) -> Score:
    """Live a fleet, read its logs with the collector, find regressions, and hold them to what was planted."""
    plan, faults = plant(seed, days=days, faulty=faulty)
    with tempfile.TemporaryDirectory() as folder:
        lake, truths = _live(Path(folder), plan, seed=seed, days=days, engines=engines)
        gc.collect()
        with Reader(lake, threads=1) as reader:
            found = find(reader, Scope(), now=from_ms(NOW_MS), zone="Asia/Seoul")
    return score(seed, found, _cases(faults, truths), months=len(engines) * days / 30, faults=faults)


def _live(
    folder: Path, plan: Plan, *, seed: int, days: int, engines: Sequence[Engine]
) -> tuple[Lake, list[dict[str, Any]]]:
    settings, book = Settings(store_path=str(folder), demo=True), default_book()
    root = demo_root(settings)
    writer = FleetWriter(FleetFolder(root), book=book, now_ms=NOW_MS, days=days, seed=seed, engines=engines, plan=plan)
    writer.write_history(NOW_MS)
    lake = Lake(settings.lake_path)
    for source in demo_sources(settings):
        result = Collector(FilesSource(source), lake, book, defaults=source.defaults).run_pass()
        assert not result.problems
    return lake, [truth for truth in read_truth(root) if truth["cause"] != "error" and truth["logged"]]


def _cases(faults: Sequence[Fault], truths: Sequence[dict[str, Any]]) -> list[Case]:
    """Return each fault on each engine that it really hurt: it was reading before, and had five calls under it."""
    by_engine: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for truth in truths:
        by_engine[truth["engine"]].append(truth)
    cases = []
    for fault in faults:
        for engine in fault.engines:
            calls = by_engine.get(engine, [])
            before = [truth for truth in calls if truth["ts"] < fault.since_ms][-100:]
            under = [truth for truth in calls if _under(fault, truth)]
            reading = sum(truth["cause"] == "hit" for truth in before) >= 0.3 * max(len(before), 1)
            if len(before) < 50 or len(under) < 5 or not (reading or fault.kind == "fallback"):
                continue
            if fault.kind != "fallback" and any(_hides(other, fault, engine) for other in faults):
                continue  # where nothing is read already, nothing more can be lost
            began, fifth = (from_ms(under[n]["ts"]) for n in (0, 4))
            cases.append(Case(fault, engine, began, max(began + EXCUSE, fifth + timedelta(minutes=10))))
    return cases


def _hides(other: Fault, fault: Fault, engine: str) -> bool:
    until = other.until_ms or NOW_MS
    same = other is not fault and other.kind != "fallback" and engine in other.engines
    return same and other.since_ms <= fault.since_ms < until


def _under(fault: Fault, truth: dict[str, Any]) -> bool:
    """Say whether the call was affected: by its provider, its version, or its time."""
    if fault.kind == "fallback":
        return truth["provider"] == "bedrock"
    if int(truth["function_version"]) < (fault.version or 0):
        return False
    return fault.until_ms is None or truth["ts"] < fault.until_ms


def score(
    seed: int, found: Sequence[Regression], cases: Sequence[Case], *, months: float, faults: Sequence[Fault]
) -> Score:
    """Match regressions to cases: the same engine, begun within six hours of each other."""
    result = Score(seed, engine_months=months)
    matched: set[str] = set()
    for case in cases:
        near = [
            item
            for item in found
            if item.engine == case.engine and item.key not in matched and abs(item.started_at - case.began) <= 6 * HOUR
        ]
        best = min(
            near, key=lambda item: (not _attributed(item, case), abs(item.started_at - case.began)), default=None
        )
        if best is not None:
            matched.add(best.key)
        result.cases.append(
            {
                "kind": case.fault.kind,
                "engine": case.engine,
                "began": case.began,
                "found": best is not None,
                "in_time": best is not None and best.found_at <= case.due,
                "dated": best is not None and abs(best.started_at - case.began) <= HOUR,
                "attributed": best is not None and _attributed(best, case),
                "told": best.sentence() if best else None,
            }
        )
    for item in found:
        if item.key in matched:
            continue
        guilty = [fault for fault in faults if item.engine in fault.engines and _overlaps(item, fault)]
        (result.repeats if guilty else result.false_alarms).append(item.sentence())
    return result


def _attributed(item: Regression, case: Case) -> bool:
    cause = item.likely_cause
    if case.fault.version is None:
        return cause.kind == "switch" and cause.label.startswith("provider")
    label = f"{case.fault.function.name} {case.fault.version}"
    return cause.kind == "deploy" and (cause.label == label or cause.label.startswith(f"{label};"))


def _overlaps(item: Regression, fault: Fault) -> bool:
    until = NOW_MS if fault.until_ms is None else fault.until_ms
    ended = item.ended_at or from_ms(NOW_MS)
    return item.started_at <= from_ms(until) + 3 * HOUR and ended >= from_ms(fault.since_ms)
