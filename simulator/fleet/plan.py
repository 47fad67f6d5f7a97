"""What happens to the fleet and when: deploys, a clear, a switch left off, a fallback. All in Seoul's days.

Every date hangs on one anchor, the Seoul day on which the history was first written, so that a demo that is
continued later keeps its past.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from simulator.fleet.engines import LEGACY, WS, Function

SEOUL = ZoneInfo("Asia/Seoul")


@dataclass(frozen=True, slots=True)
class Version:
    """One published version of a function and what it changed for good or ill."""

    function: str
    number: int
    since_ms: int
    caching_enabled: bool = True
    json_logs: bool = False
    revised: frozenset[str] = frozenset()  # engines whose static prompt text this version changed
    timestamped: frozenset[str] = frozenset()  # engines with the current time in their system prompt
    note: str = ""


@dataclass(frozen=True, slots=True)
class Clear:
    """A clear of the prompt store in every environment, after an engine's prompt was changed in DynamoDB."""

    function: str
    at_ms: int
    engine: str


@dataclass(frozen=True, slots=True)
class Stretch:
    """A while in which something holds."""

    start_ms: int
    end_ms: int

    def holds(self, at_ms: int) -> bool:
        """Say whether `at_ms` lies inside."""
        return self.start_ms <= at_ms < self.end_ms


@dataclass(frozen=True, slots=True)
class Plan:
    """The whole calendar of one demo."""

    anchor: date
    versions: dict[str, tuple[Version, ...]]
    clears: tuple[Clear, ...]
    overload: Stretch  # the Anthropic API answers 529 more often than not
    fallback: Stretch  # Opus 4.5 goes to Bedrock
    _starts: dict[str, list[int]] = field(default_factory=dict, compare=False)

    def version(self, function: str, at_ms: int) -> Version:
        """Return the version that serves `function` at that time."""
        starts = self._starts.get(function)
        if starts is None:
            starts = self._starts[function] = [version.since_ms for version in self.versions[function]]
        return self.versions[function][bisect_right(starts, at_ms) - 1]

    def revision(self, engine: str, function: str, at_ms: int) -> int:
        """Return how often the static prompt of `engine` had been changed by then."""
        deploys = sum(v.since_ms <= at_ms and engine in v.revised for v in self.versions[function])
        return deploys + sum(clear.at_ms <= at_ms and clear.engine == engine for clear in self.clears)

    def last_change(self, engine: str, function: str, at_ms: int) -> Literal["after_deploy", "after_clear"]:
        """Say what last changed the static prompt of `engine`."""
        deploys = [version.since_ms for version in self.versions[function] if engine in version.revised]
        clears = [clear.at_ms for clear in self.clears if clear.engine == engine]
        deploy, clear = (max((ms for ms in moments if ms <= at_ms), default=0) for moments in (deploys, clears))
        return "after_clear" if clear > deploy else "after_deploy"


def plan_for(anchor: date) -> Plan:
    """Build the calendar whose last day is `anchor` (a day in Seoul)."""

    def at(days_before: int, clock: str, workday: Callable[[date], date] = _workday) -> int:
        return to_ms(datetime.combine(workday(anchor - timedelta(days=days_before)), time.fromisoformat(clock), SEOUL))

    ws, legacy = WS.first_version, LEGACY.first_version
    return Plan(
        anchor=anchor,
        versions={
            WS.name: _chain(
                WS,
                Version(WS.name, ws + 1, at(26, "10:30"), revised=frozenset({"sales"}), note="sales prompt revised"),
                Version(WS.name, ws + 2, at(21, "09:40"), json_logs=True, note="log format JSON"),
                Version(WS.name, ws + 3, at(19, "18:05"), note="log format text again"),
                Version(WS.name, ws + 4, at(15, "14:00"), caching_enabled=False, note="ENABLE_PROMPT_CACHING=false"),
                Version(WS.name, ws + 5, at(15, "20:10"), note="caching on again"),
                Version(
                    WS.name,
                    ws + 6,
                    at(5, "10:20", _nearest_workday),
                    timestamped=frozenset({"tutor"}),
                    note="tutor: the time entered the system prompt",
                ),
            ),
            LEGACY.name: _chain(
                LEGACY,
                Version(LEGACY.name, legacy + 1, at(13, "11:15"), revised=frozenset({"notice"}), note="notice revised"),
            ),
        },
        clears=(Clear(WS.name, at(9, "15:00"), "support"),),
        overload=Stretch(at(3, "12:40"), at(3, "13:00")),
        fallback=Stretch(at(3, "13:00"), at(3, "18:00")),
    )


def to_ms(moment: datetime) -> int:
    """Return Unix milliseconds."""
    return int(moment.timestamp() * 1000)


def from_ms(at_ms: int) -> datetime:
    """Return the UTC moment."""
    return datetime.fromtimestamp(at_ms / 1000, UTC)


def seoul_day(at_ms: int) -> date:
    """Return the day it is in Seoul."""
    return from_ms(at_ms).astimezone(SEOUL).date()


def _workday(day: date) -> date:
    """Return `day`, or the Friday before it: nobody deploys at a weekend."""
    return day - timedelta(days=max(0, day.weekday() - 4))


def _nearest_workday(day: date) -> date:
    """Return `day`, or the workday beside its weekend: never more than six days ago, so the last seven show it."""
    return day + timedelta(days=1) if day.weekday() == 6 else _workday(day)


def _chain(function: Function, *later: Version) -> tuple[Version, ...]:
    return (Version(function.name, function.first_version, 0, note="as found"), *later)
