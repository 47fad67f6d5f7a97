"""What `metrics` and `report` share: their time range, filters and groups, and how misuse is told."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from core.metrics.scope import Scope

_RELATIVE = re.compile(r"^([0-9]{1,6})([mhdw])$")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_TIMES = (
    "Accepted: 2026-11-20, 2026-11-20T09:00, 2026-11-20T09:00+09:00 (else of --zone, or UTC), or 7d, 24h, 30m, now."
)


class Misuse(click.ClickException):
    """A wrong argument: one line, exit code 2."""

    exit_code = 2


def parse_time(text: str | None, option: str, *, now: datetime | None = None, zone: tzinfo = UTC) -> datetime | None:
    """Return a moment in UTC from an ISO date or time, on the clocks of `zone` unless it names one, or from an age."""
    if text is None:
        return None
    present = now or datetime.now(UTC)
    if text == "now":
        return present
    relative = _RELATIVE.match(text)
    try:
        if relative:
            return present - timedelta(**{_UNITS[relative[2]]: int(relative[1])})
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Misuse(f'MET-006: {option} "{text}" is not a time. {_TIMES}') from None


def parse_groups(text: str | None) -> list[str]:
    """Return the dimensions of --by, in the order given."""
    from core.metrics.aggregate import GROUPS

    names = [part.strip() for part in text.split(",")] if text else []
    for name in names:
        if name not in GROUPS:
            raise Misuse(f'MET-004: --by "{name}" is not something to group by. Accepted: {", ".join(GROUPS)}.')
    return list(dict.fromkeys(names))


def make_scope(given: dict[str, Any], zone: str = "UTC") -> Scope:
    """Return the scope of the options that `scope_options` added; a date is a midnight of the zone."""
    from core.metrics.scope import Scope

    clock = UTC if zone == "UTC" else _clock(zone)
    start, end = parse_time(given["from_"], "--from", zone=clock), parse_time(given["to"], "--to", zone=clock)
    if start and end and start > end:
        raise Misuse(f"MET-001: --from {start.isoformat()} is after --to {end.isoformat()}. Swap the two.")
    return Scope(
        start=start,
        end=end,
        engines=given["engine"],
        models=given["model"],
        providers=given["provider"],
        function_versions=given["function_version"],
        sources=given["source"],
        tenants=given["tenant"],
    )


def _clock(zone: str) -> tzinfo:
    from core.metrics.buckets import zone_of

    return zone_of(zone)


def scope_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --from, --to and the filters; each filter may be given several times."""
    filters = ("engine", "tenant", "model", "provider", "function-version", "source")
    for name in reversed(filters):
        less = ' "" means calls without one.' if name == "tenant" else ""
        command = click.option(f"--{name}", multiple=True, metavar="NAME", help=f"Only this {name}.{less}")(command)
    command = click.option("--to", metavar="TIME", help="End of the range, not included; everything if left out.")(
        command
    )
    return click.option(
        "--from", "from_", metavar="TIME", help="Start of the range: a date, a time, or an age such as 7d or 24h."
    )(command)
