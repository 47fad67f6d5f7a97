"""What the viewer looks at: time range, engine, model, provider, version, tenant; kept in the URL to be shared.

The widgets are drawn once in the sidebar; pages and fragments read the result with `current()`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import Any, Literal
from zoneinfo import ZoneInfo, available_timezones

import streamlit as st

from core.metrics.scope import NONE, Scope
from core.metrics.sources import MOST_CHOICES
from core.telemetry import tenant_tag
from dashboard import address
from dashboard.i18n import Language, language, t, translate

Bucket = Literal["5m", "hour", "day"]
PRESETS = ("1h", "24h", "7d", "30d", "90d", "all", "custom")
DEFAULT_PRESET = "7d"
COMPARES = ("previous", "last_week", "custom", "none")
DEFAULT_COMPARE = "previous"
DIMENSIONS: dict[str, str] = {
    "engine": "engines",
    "model": "models",
    "provider": "providers",
    "version": "function_versions",
    "tenant": "tenants",
}
"""URL parameter of each filter, and the name of its values in Scope and in the options."""

BUCKET_SIZE: dict[Bucket, timedelta] = {
    "5m": timedelta(minutes=5),
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
}
_MOST_NAMED = 50  # of an address: it is anybody's text
_MAY_LACK = 0.1  # of the period before, at its beginning
_NOT_PRINTABLE = "\u2060"  # no tag has one: so no tag looks to Streamlit like the choice of having none
_DAYS = {"7d": 7, "30d": 30, "90d": 90}
_CLOCKED = (*_DAYS, "custom")  # ranges that begin at a midnight of the viewer's clock


@dataclass(frozen=True, slots=True)
class View:
    """What is looked at: a half-open time range, the viewer's zone, and the chosen values of every dimension."""

    preset: str
    start: datetime | None
    end: datetime
    zone: str
    engines: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    providers: tuple[str, ...] = ()
    function_versions: tuple[str, ...] = ()
    tenants: tuple[str, ...] = ()  # NONE among them: calls that nobody tagged
    first_ts: datetime | None = None
    compare: str = DEFAULT_COMPARE
    other: tuple[datetime, datetime] | None = None  # the range chosen to compare with

    def scope(self) -> Scope:
        """Return the same as core.metrics takes it."""
        return Scope(
            start=self.start,
            end=self.end,
            engines=self.engines,
            models=self.models,
            providers=self.providers,
            function_versions=self.function_versions,
            tenants=self.tenants,
        )

    def previous(self) -> View | None:
        """Return the equally long period before, shifted by whole days; None where data does not cover it.

        Ranges of whole days are shifted on the viewer's clock, so that midnights stay midnights when the clocks change.
        """
        if self.start is None or self.first_ts is None:
            return None
        if self.preset in _CLOCKED:
            days = -(-self._clock_length() // timedelta(days=1))
            start, end = self._earlier(self.start, days), self._earlier(self.end, days)
        else:
            shift = _shift(self.end - self.start)
            start, end = self.start - shift, self.end - shift
        if self.first_ts > start + (end - start) * _MAY_LACK:
            return None  # a change against a half-empty period would mean nothing
        return replace(self, start=start, end=end)

    def compared(self) -> View | None:
        """Return what this view is compared with, as chosen; None: with nothing, or data does not cover it."""
        if self.compare == "previous":
            return self.previous()
        span = self._last_weeks() if self.compare == "last_week" else self.other if self.compare == "custom" else None
        if span is None or self.first_ts is None:
            return None
        start, end = span
        if self.first_ts > start + (end - start) * _MAY_LACK:
            return None
        return replace(self, start=start, end=end)

    def _last_weeks(self) -> tuple[datetime, datetime] | None:
        """Return the same weekdays before: as few weeks back as do not overlap."""
        if self.start is None:
            return None
        days = 7 * max(1, -(-self._clock_length() // timedelta(weeks=1)))
        return self._earlier(self.start, days), self._earlier(self.end, days)

    def _clock_length(self) -> timedelta:
        """Return how far start and end lie apart on the viewer's clock: a day has 24 hours there, whatever it lasts."""
        assert self.start is not None
        return on_clock(self.end, self.zone) - on_clock(self.start, self.zone)

    def _earlier(self, moment: datetime, days: int) -> datetime:
        """Return the same time of the viewer's clock so many days before."""
        return from_clock(on_clock(moment, self.zone) - timedelta(days=days), self.zone)

    @property
    def bucket(self) -> Bucket:
        """Return the width of one point in time, so that a chart holds some tens of them."""
        start = self.start or self.first_ts or self.end - timedelta(days=30)
        length = self.end - start
        if length <= timedelta(hours=3):
            return "5m"
        return "hour" if length <= timedelta(days=3) else "day"

    @property
    def narrowed(self) -> bool:
        """Tell whether any dimension is filtered."""
        return any(getattr(self, field) for field in DIMENSIONS.values())


def whole(view: View) -> View:
    """Return the view of all data up to the same end."""
    return View(preset="all", start=None, end=view.end, zone=view.zone, first_ts=view.first_ts)


def _shift(length: timedelta) -> timedelta:
    """Round a length up to whole days, so that weekday rhythm is kept; short ranges shift by themselves."""
    if length <= timedelta(hours=3):
        return length
    return timedelta(days=-(-length // timedelta(days=1)))


def on_clock(moment: datetime, zone: str) -> datetime:
    """Return what a zone's clocks show at a moment; a day begins at midnight even where they skip it."""
    shown = moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    midnight = datetime.combine(shown.date(), time())
    return midnight if from_clock(midnight, zone) == moment else shown


def from_clock(shown: datetime, zone: str) -> datetime:
    """Return the moment in UTC at which the clocks of a zone show this; the first of two."""
    return shown.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def bucket_end(start: datetime, view: View) -> datetime:
    """Return where a bucket that starts there ends: days end at the viewer's next midnight, whatever the clocks do."""
    if view.bucket == "day":
        return _midnight(start.astimezone(ZoneInfo(view.zone)).date() + timedelta(days=1), view.zone)
    return start + BUCKET_SIZE[view.bucket]


def build(chosen: Mapping[str, Any], *, now: datetime, zone: str, first_ts: datetime | None = None) -> View:
    """Turn the widgets' values into a view. `chosen` holds `range`, `dates` and a list for each dimension."""
    preset = chosen.get("range") or DEFAULT_PRESET
    start, end = time_range(preset, chosen.get("dates") or (), now=now, zone=zone)
    picked = {field: tuple(chosen.get(key) or ()) for key, field in DIMENSIONS.items()}
    compare, dates = chosen.get("compare") or DEFAULT_COMPARE, chosen.get("compare_dates") or ()
    other = None
    if compare == "custom" and dates:
        other = _midnight(min(dates), zone), _midnight(max(dates) + timedelta(days=1), zone)
    return View(
        preset=preset, start=start, end=end, zone=zone, first_ts=first_ts, compare=compare, other=other, **picked
    )  # fmt: skip


def time_range(preset: str, dates: Sequence[date], *, now: datetime, zone: str) -> tuple[datetime | None, datetime]:
    """Return [start, end) in UTC. Day presets begin at the viewer's midnight; the end is the next five minutes."""
    end = _next_five_minutes(now)
    if preset == "all":
        return None, end
    if preset == "1h":
        return end - timedelta(hours=1), end
    if preset == "24h":
        return now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=23), end
    today = now.astimezone(ZoneInfo(zone)).date()
    if preset == "custom" and dates:
        until = _midnight(max(dates) + timedelta(days=1), zone)
        return _midnight(min(dates), zone), min(until, max(end, _midnight(min(dates), zone) + timedelta(days=1)))
    return _midnight(today - timedelta(days=_DAYS.get(preset, 7) - 1), zone), end


def _next_five_minutes(now: datetime) -> datetime:
    floor = now.replace(minute=now.minute - now.minute % 5, second=0, microsecond=0)
    return floor + timedelta(minutes=5)


def _midnight(day: date, zone: str) -> datetime:
    return datetime.combine(day, time(), tzinfo=ZoneInfo(zone)).astimezone(UTC)


@cache
def _known_zones() -> frozenset[str]:
    """Return the names of all zones; to list them reads the whole zone database, a quarter of a page's run."""
    return frozenset(available_timezones())


def viewer_zone(lang: Language, browser: str | None) -> str:
    """Return Asia/Seoul for the Korean screen, else the browser's zone where it is a known one, else UTC."""
    if lang == "ko":
        return "Asia/Seoul"
    return browser if browser and browser in _known_zones() else "UTC"


def draw(options: Mapping[str, Any], *, idle: bool = False) -> None:
    """Draw the filters into the current container; each has its parameter in the URL.

    `idle`: this page shows everything; the choices wait for the next page.
    """
    _range("range", PRESETS, DEFAULT_PRESET, idle=idle, help=None)
    if st.session_state.get("range") == "custom":
        _dates("dates", t("filter.dates"), days_ago=0, idle=idle)
    _range("compare", COMPARES, DEFAULT_COMPARE, idle=idle, help=t("filter.compare.help"))
    if st.session_state.get("compare") == "custom":
        _dates("compare_dates", t("filter.compare_dates"), days_ago=7, idle=idle)
    for key, field in DIMENSIONS.items():
        if key == "tenant":
            continue
        st.multiselect(
            t(f"filter.{key}"),
            _offered(key, [str(value) for value in options.get(field) or () if value is not None]),
            placeholder=t("filter.any"),
            key=key,
            bind="query-params",
            disabled=idle,
        )
    _tenants(options.get(DIMENSIONS["tenant"]) or (), idle=idle)


def _offered(key: str, values: list[str]) -> list[str]:
    """Return the choices of a filter: a list with room for some only also has what is chosen, or in the address."""
    if len(values) < MOST_CHOICES:
        return values
    chosen = [*st.session_state.get(key, ()), *st.query_params.get_all(key)]
    named = [str(value) for value in dict.fromkeys(chosen) if value not in values]
    return [*values, *named[:_MOST_NAMED]]


def is_tenant(value: str) -> bool:
    """Tell whether a choice can be a tenant's tag, or stands for calls without one."""
    return value == NONE or tenant_tag(value) == value


def _range(key: str, options: Sequence[str], default: str, *, idle: bool, help: str | None) -> None:
    """Draw a choice of one range by name."""
    lang = language()
    address.recall(key, options, default)
    st.selectbox(
        t(f"filter.{key}"),
        options,
        format_func=lambda name: translate(lang, f"{key}.{name}"),
        key=key,
        disabled=idle,
        help=t("filter.idle") if idle else help,
    )


def _tenants(offered: Sequence[str], *, idle: bool) -> None:
    """Draw the choice of tenants if there are any; an address may name one that the list has no room for."""
    if not offered:
        st.session_state.pop("tenant", None)
        return
    lang = language()
    address.recall_several("tenant", is_tenant)
    named = [name for name in st.session_state["tenant"] if name not in offered and name != NONE]
    st.multiselect(
        t("filter.tenant"),
        [NONE, *offered, *named],
        format_func=lambda name: name or f"{_NOT_PRINTABLE}{translate(lang, 'untagged')}",
        placeholder=t("filter.any"),
        key="tenant",
        disabled=idle,
    )


def _dates(key: str, label: str, *, days_ago: int, idle: bool) -> None:
    """Draw a choice of whole days; at first the seven that end so many days ago."""
    today = datetime.now(UTC).astimezone(ZoneInfo(zone())).date()
    last = today - timedelta(days=days_ago)
    st.date_input(
        label,
        value=(last - timedelta(days=6), last),
        max_value=today,
        key=key,
        bind="query-params",
        format="YYYY-MM-DD",
        disabled=idle,
    )


def zone() -> str:
    """Return the zone in which this viewer reads times."""
    return viewer_zone(language(), st.context.timezone)


def current(first_ts: datetime | None = None) -> View:
    """Return the view this session's widgets describe, as of now."""
    return build(dict(st.session_state), now=datetime.now(UTC), zone=zone(), first_ts=first_ts)
