"""Asks what pages ask before anybody opens them, the first screen first: at the start, and now and then later.

What is asked is kept in dashboard.data as if a viewer had asked, so the first visitor of the day waits no longer
than the others. A question whose answer is still good costs nothing.
"""

from __future__ import annotations

import logging
import threading
from datetime import UTC, datetime

from core.errors import CachewiseError
from dashboard import data, filters

log = logging.getLogger("cachewise.dashboard")

EVERY_S = 300.0
KOREAN = "Asia/Seoul"
_MOST_ZONES = 4
_FIRST_WAIT_S = 5.0
_zones: list[str] = [KOREAN]
_guard = threading.Lock()


def note_zone(zone: str) -> None:
    """Remember the zone of a viewer: days begin at its midnight, so it has a first screen of its own."""
    with _guard:
        if zone in _zones:
            _zones.remove(zone)
        _zones.insert(0, zone)
        del _zones[_MOST_ZONES:]


def start(stop: threading.Event) -> None:
    """Keep first screens warm in a thread of its own; return once the first is, or after a few seconds without it."""
    once = threading.Event()
    threading.Thread(target=keep, args=(stop, once), name="warm", daemon=True).start()
    once.wait(_FIRST_WAIT_S)


def keep(stop: threading.Event, once: threading.Event | None = None) -> None:
    """Keep the first screens warm until told to stop; say when they are for the first time."""
    while True:
        with _guard:
            zones = list(_zones)
        for zone in zones:
            try:
                first_screen(zone)
            except CachewiseError as error:
                log.warning("%s: the first screen could not be prepared: %s", error.code, error.message)
            if once is not None:
                once.set()
            if stop.is_set():
                return
        for zone in zones:
            try:
                other_pages(zone)
            except CachewiseError as error:
                log.warning("%s: the other pages could not be prepared: %s", error.code, error.message)
            if stop.is_set():
                return
        if stop.wait(EVERY_S):
            return


def first_screen(zone: str, *, now: datetime | None = None) -> None:
    """Ask for everything that the first screen shows without a filter, the slowest first."""
    view = _unfiltered(zone, now)
    if view is None:
        return
    scope, earlier = view.scope(), view.compared()
    data.findings(scope)
    data.miss_causes(scope)
    data.actions(scope, zone=view.zone)
    for asked in (scope, earlier.scope() if earlier else None):
        if asked is not None:
            data.summary(asked)
            data.series(asked, bucket=view.bucket, zone=view.zone)
    data.latency_series(scope, bucket=view.bucket, zone=view.zone)
    data.markers(scope)
    data.breakdown(scope, "engine")
    data.freshness()
    data.open_alerts()
    data.pulse(zone)


def other_pages(zone: str, *, now: datetime | None = None) -> None:
    """Ask for what the pages that take longest show beyond it: a change of page then waits for the browser alone."""
    view = _unfiltered(zone, now)
    if view is None:
        return
    scope, earlier = view.scope(), view.compared()
    over_time = {"bucket": view.bucket, "zone": view.zone}
    data.series(scope, by="engine", **over_time)
    data.latency(scope)
    data.latency(scope, by="engine")
    data.memory_use(scope)
    data.cold_starts(scope)
    for asked in (scope, earlier.scope() if earlier else None):
        if asked is not None:
            data.latency_series(asked, **over_time)
            data.store_series(asked, **over_time)
    data.miss_groups(scope, "cause", "engine")
    data.miss_series(scope, **over_time)
    data.miss_engines(scope)
    data.policy_mix(scope)
    data.policies(scope)
    data.bursts(scope, zone=view.zone)
    for source in data.sources()[:1]:  # the one that the Caches page opens with
        data.environments(source)
        data.drifted_prompts(source)
        data.claude_prefixes(source)
        data.past_clears(source)
    data.recorded_actions()
    data.told_alerts()
    advice = sorted(data.policy_advice(scope), key=lambda row: row["prefix_first"])
    if advice:
        data.gaps(scope, advice[0]["engine"])
        data.crossover(scope, advice[0]["engine"])


def _unfiltered(zone: str, now: datetime | None) -> filters.View | None:
    """Return what somebody in this zone looks at who has chosen nothing; None where there is nothing to see."""
    first = data.options().get("first_ts")
    if first is None:
        return None
    return filters.build({}, now=now or datetime.now(UTC), zone=zone, first_ts=first)
