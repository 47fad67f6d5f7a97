"""Finds regressions: watches every lane, joins what began together, and lays cause, size and dollars beside it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

import numpy as np

from core.metrics.buckets import zone_of
from core.metrics.scope import Scope
from core.regressions.baseline import DAYS, Calendar
from core.regressions.causes import Verdict, figures_of, judge
from core.regressions.changes import Found, changes
from core.regressions.channels import CHANNELS
from core.regressions.events import Versions, clears, deploys, switched_off_by, switches
from core.regressions.lane import GAP_CLASSES, Bools, Floats, Ints, Lane, added, moment, summed
from core.regressions.model import METRICS, Change, Event, Metric, Regression
from core.regressions.observe import Lanes, observe
from core.store.query import Reader

_TOGETHER_US = 3 * 3_600_000_000
_US_PER_DAY = 86_400_000_000
_AT_ONCE_US = 600_000_000
_LATER_US = 3_600_000_000
_SHARES = ("read_share", "miss_share")


def find(reader: Reader, scope: Scope, *, now: datetime | None = None, zone: str = "UTC") -> list[Regression]:
    """Return the regressions that were going on in the scope, the latest first.

    Data of four weeks before the range is read as baseline. Data at or after `now` is not looked at.
    """
    present = now or datetime.now(UTC)
    until = min(scope.end, present) if scope.end else present
    since = scope.start - timedelta(days=DAYS) if scope.start else None
    wide = replace(scope, start=since, end=until, providers=(), function_versions=())
    with observe(reader, wide) as lanes:
        found = detect(lanes, clears(reader, wide), zone=zone_of(zone))
    return [
        item
        for item in found
        if (scope.start is None or item.ended_at is None or item.ended_at > scope.start)
        and (not scope.function_versions or item.function_version in scope.function_versions)
    ]


def detect(lanes: Lanes, events: Iterable[Event] = (), *, zone: ZoneInfo) -> list[Regression]:
    """Return the regressions of these lanes; pure, and blind to anything but the rows given."""
    fleet = [*deploys(lanes.versions), *events]
    found: list[Regression] = []
    for lane in lanes:
        nearby = [event for event in fleet if event.source in (None, lane.source)]
        own = _of_lane(lane, [*nearby, *switches(lane)], zone)
        found += [_by_its_deploy(item, fleet, lanes.versions) for item in own]
    return sorted(found, key=lambda item: (item.started_at, item.key), reverse=True)


def _by_its_deploy(item: Regression, fleet: Sequence[Event], versions: Versions) -> Regression:
    """Blame the deploy that switched caching off, where another came before the engine's next call."""
    cause = item.likely_cause
    if cause.kind != "deploy" or cause.mechanism != "caching_off":
        return item
    label, _, along = cause.label.partition("; ")
    blamed = next(event for event in fleet if (event.source, event.label, event.at) == (item.source, label, cause.at))
    guilty = switched_off_by(blamed, fleet, versions)
    if guilty is blamed:
        return item
    return replace(
        item, likely_cause=replace(cause, label="; ".join(filter(None, (guilty.label, along))), at=guilty.at)
    )


@dataclass(frozen=True, slots=True)
class _Group:
    """Changes of one lane that are one fault."""

    members: tuple[Found, ...]

    @property
    def first(self) -> Found:
        """The change that dates it: of the most telling ones, the earliest found."""
        return min(self.telling, key=lambda item: (item.found, -item.strength))

    @property
    def telling(self) -> tuple[Found, ...]:
        """The changes of the cache's own shares, if there are any; else of prices, whose moment is exact; else all."""
        shares = tuple(item for item in self.members if item.channel.metric in _SHARES)
        return shares or tuple(item for item in self.members if item.channel.name == "unit_price") or self.members

    @property
    def start(self) -> int:
        """The row at which it starts."""
        return self.first.start

    @property
    def metric(self) -> Metric:
        """The most telling metric; misses are told as what they take from the read share."""
        found = min((item.channel.metric for item in self.members), key=METRICS.index)
        return "read_share" if found == "miss_share" else found


def _of_lane(lane: Lane, events: Sequence[Event], zone: ZoneInfo) -> list[Regression]:
    calendar = Calendar.of(lane.first_us, zone)
    found = [item for channel in CHANNELS for item in changes(channel, lane, calendar)]
    spoiled = np.zeros(len(lane), dtype=bool)
    for item in found:
        spoiled[item.start : item.end] = True
    kept = [item for item in found if _matters(item, lane, calendar, spoiled)]
    groups = _groups(kept, lane, events)
    return [_regression(group, lane, calendar, events, spoiled) for group in groups]


def _matters(item: Found, lane: Lane, calendar: Calendar, spoiled: Bools) -> bool:
    """Say whether the change is large enough over its whole length."""
    if item.channel.name == "unit_price":
        return True
    sizes = _sizes(item.channel.metric, lane, _before(item.start, calendar, spoiled), _during(item, lane))
    if sizes is None:
        return False
    before, after = sizes
    least = item.channel.levels[0] / 2
    if item.channel.metric in _SHARES:
        return item.channel.worse * (after - before) >= least
    return before > 0 and after / before - 1 >= least


def _groups(found: Sequence[Found], lane: Lane, events: Sequence[Event]) -> list[_Group]:
    """Join changes that start together, or while an earlier one goes on and without an event of their own."""
    groups: list[_Group] = []
    for item in sorted(found, key=lambda f: (f.start, METRICS.index(f.channel.metric))):
        home = next((n for n, group in enumerate(groups) if _belongs(item, group, lane, events)), None)
        if home is None:
            groups.append(_Group((item,)))
        else:
            groups[home] = _Group((*groups[home].members, item))
    return groups


def _belongs(item: Found, group: _Group, lane: Lane, events: Sequence[Event]) -> bool:
    start, begun = int(lane.first_us[item.start]), int(lane.first_us[group.start])
    prices = {member.channel.name == "unit_price" for member in (item, *group.members) if _speaks_alone(member)}
    if abs(start - begun) <= (_TOGETHER_US if len(prices) < 2 else _AT_ONCE_US):
        return True
    end = _end_us(group, lane)
    if start < begun or (end is not None and start >= end):
        return False
    turned = [int(event.at.timestamp() * 1_000_000) for event in events]
    if len(prices) > 1:
        return False
    return not any(at > begun + _LATER_US and abs(at - start) <= _LATER_US for at in turned)


def _speaks_alone(item: Found) -> bool:
    """Say whether it is no mere consequence: reads do not make tokens dearer, nor dearer tokens reads fewer."""
    return item.channel.name == "unit_price" or item.channel.metric in _SHARES


def _end_us(group: _Group, lane: Lane) -> int | None:
    ends = [item.end for item in group.telling]
    return None if None in ends else max(int(lane.first_us[end]) for end in ends if end is not None)


def _regression(group: _Group, lane: Lane, calendar: Calendar, events: Sequence[Event], spoiled: Bools) -> Regression:
    first, metric = group.first, group.metric
    before = _before(first.start, calendar, spoiled)
    end_us = _end_us(group, lane)
    during = np.arange(len(lane)) >= first.start
    if end_us is not None:
        during &= lane.first_us < end_us
    figures = figures_of(lane, before, during)
    metrics = [item.channel.metric for item in group.members]
    verdict = judge(lane, events, start=first.start, found=first.found, figures=figures, metrics=metrics)
    started_us = _started_us(lane, verdict, first)
    only_price = not {"read_share", "miss_share", "cost"} & {item.channel.name for item in group.members}
    sizes = _sizes(metric, lane, before, during) or (float("nan"), float("nan"))
    lost = _lost(lane, before, during, only_price=only_price)
    if metric == "cost_per_request" and only_price and lost is not None:
        sizes = (sizes[1] - float(lost) / int(lane.priced[during].sum()), sizes[1])  # the same tokens, as before
    return Regression(
        source=lane.source,
        engine=lane.engine,
        model=lane.model,
        function_version=lane.version.word(
            max(verdict.row, first.start) if verdict.row <= first.found else first.start
        ),
        metric=metric,
        started_at=moment(started_us),
        found_at=moment(int(min(lane.last_us[item.found] for item in group.members))),
        ended_at=None if end_us is None else moment(end_us),
        before=sizes[0],
        after=sizes[1],
        calls=int(lane.calls[during].sum()),
        lost_usd=lost,
        likely_cause=verdict.cause,
        confidence=verdict.confidence,
        evidence={**figures, "latency_of": lane.latency_of, "until": moment(int(lane.last_us[-1]))},
        changes=tuple(_change(item, lane, calendar, spoiled) for item in group.members),
    )


def _started_us(lane: Lane, verdict: Verdict, first: Found) -> int:
    """Date it to the first call after its event, where one fits, else to where the evidence begins."""
    return int(lane.first_us[verdict.row if verdict.cause.at is not None else first.start])


def _change(item: Found, lane: Lane, calendar: Calendar, spoiled: Bools) -> Change:
    during = _during(item, lane)
    sizes = _sizes(item.channel.metric, lane, _before(item.start, calendar, spoiled), during)
    before, after = sizes or (float("nan"), float("nan"))
    return Change(
        metric=item.channel.metric,
        started_at=moment(int(lane.first_us[item.start])),
        found_at=moment(int(lane.last_us[item.found])),
        ended_at=None if item.end is None else moment(int(lane.first_us[item.end])),
        before=before,
        after=after,
        calls=int(lane.calls[during].sum()),
        strength=round(item.strength, 2),
    )


def _during(item: Found, lane: Lane) -> Bools:
    rows = np.arange(len(lane))
    return (rows >= item.start) & (rows < (len(lane) if item.end is None else item.end))


def _before(start: int, calendar: Calendar, spoiled: Bools) -> Bools:
    """Mark the rows of the four weeks before, without those of any regression."""
    rows = np.arange(len(spoiled))
    return (rows < start) & (calendar.day >= calendar.day[start] - DAYS) & ~spoiled


def _sizes(metric: Metric, lane: Lane, before: Bools, during: Bools) -> tuple[float, float] | None:
    """Return what the baseline would show for the same calls (gap for gap), and what they showed."""
    pairs: dict[Metric, tuple[Ints | Floats, Ints]] = {
        "read_share": (lane.read, lane.prompt),
        "miss_share": (lane.misses, lane.calls),
        "cost_per_request": (lane.cost / 1e12, lane.priced),
        "latency": (lane.ms, lane.timed),
    }
    part, whole = pairs[metric]
    if not whole[during].sum() or not whole[before].sum():
        return None
    usual = _by_gap(part, whole, lane.gap, before)
    weights = summed(lane.gap[during], whole[during], GAP_CLASSES)
    expected = float((usual * weights).sum() / weights.sum())
    return expected, float(part[during].sum() / whole[during].sum())


def _by_gap(part: Ints | Floats, whole: Ints, gap: Ints, rows: Bools) -> Floats:
    """Return part over whole by gap class; the whole lane's where a class is unknown."""
    parts = summed(gap[rows], part[rows], GAP_CLASSES)
    wholes = summed(gap[rows], whole[rows], GAP_CLASSES)
    overall = parts.sum() / wholes.sum()
    return np.where(wholes > 0, parts / np.maximum(wholes, 1), overall)


def _lost(lane: Lane, before: Bools, during: Bools, *, only_price: bool) -> Decimal | None:
    """Return the dollars spent less what the baseline would have spent on the same calls (tokens, if only prices rose).

    Sums of whole picodollars and fractions throughout: an estimate, but no float holds it.
    """
    if not lane.priced[before].sum() or not lane.priced[during].sum():
        return None
    spent = added(lane.cost[during])
    usual = _usual_by_tokens(lane, before, during) if only_price else _usual_by_calls(lane, before, during)
    whole = round(Fraction(spent) - usual)
    return Decimal(whole).scaleb(-12).quantize(Decimal("0.000001"))


def _usual_by_calls(lane: Lane, before: Bools, during: Bools) -> Fraction:
    overall = Fraction(added(lane.cost[before]), int(lane.priced[before].sum()))
    usual = Fraction(0)
    for gap in range(GAP_CLASSES):
        then, now = before & (lane.gap == gap), during & (lane.gap == gap)
        calls = int(lane.priced[then].sum())
        each = Fraction(added(lane.cost[then]), calls) if calls else overall
        usual += int(lane.priced[now].sum()) * each
    return usual


def _usual_by_tokens(lane: Lane, before: Bools, during: Bools) -> Fraction:
    usual = Fraction(0)
    for kind, tokens in lane.tokens.items():
        known = int(tokens[before].sum())
        if known:
            usual += int(tokens[during].sum()) * Fraction(added(lane.costs[kind][before]), known)
        else:
            usual += added(lane.costs[kind][during])
    return usual


def ranked(found: Iterable[Regression]) -> list[Regression]:
    """Return open regressions before closed ones, each the most expensive first: the order of a page."""
    return sorted(found, key=lambda item: (not item.open, -(item.lost_usd or Decimal(0)), item.key))
