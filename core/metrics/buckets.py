"""Buckets of time in the viewer's zone, right across changes to and from summer time.

Tables hold UTC. A bucket is grouped by one whole number per row, computed from the zone's offsets as zoneinfo
knows them, so any engine can do it without a zone database of its own; starts are worked out afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Literal, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import ibis
import ibis.expr.types as ir

from core.errors import FixSettings

Bucket = Literal["5m", "hour", "day"]
BUCKETS: tuple[str, ...] = get_args(Bucket)
_SIZE_US = {"5m": 300_000_000, "hour": 3_600_000_000, "day": 86_400_000_000}
_EPOCH_DAY = date(1970, 1, 1)


def zone_of(name: str) -> ZoneInfo:
    """Return the time zone of that name, such as Asia/Seoul."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise FixSettings(
            f'"{name}" is not a time zone.',
            code="MET-002",
            mend="Accepted: IANA names such as UTC or Asia/Seoul.",
            about=(name,),
        ) from None


def check_bucket(bucket: str) -> None:
    """Refuse a bucket that does not exist."""
    if bucket not in BUCKETS:
        raise FixSettings(
            f'"{bucket}" is not a bucket.', code="MET-003", mend=f"Accepted: {', '.join(BUCKETS)}.", about=(bucket,)
        )


@ibis.udf.scalar.builtin(signature=(("timestamp('UTC', 6)",), "int64"))  # type: ignore[untyped-decorator]
def epoch_us(ts: ir.TimestampColumn) -> ir.IntegerColumn:
    """Return microseconds since 1970: DuckDB's own, as the portable spelling converts zones row by row."""


def midnights(begin: datetime, end: datetime, zone: ZoneInfo) -> list[datetime]:
    """Return the starts of days in the zone that lie between two moments, in UTC."""
    first, last = begin.astimezone(zone).date(), end.astimezone(zone).date()
    days = (first + timedelta(days=n) for n in range(1, (last - first).days + 1))
    found = (datetime.combine(day, time(), tzinfo=zone).astimezone(UTC) for day in days)
    return [moment for moment in found if begin < moment < end]


def key(rows: ir.Table, bucket: str, zone: ZoneInfo, span: tuple[datetime, datetime]) -> ir.IntegerColumn:
    """Return each row's bucket as a whole number: the local day's number, else the start in UTC microseconds.

    `span` bounds the rows in time; only the zone's changes inside it matter.
    """
    size = _SIZE_US[bucket]
    moment = epoch_us(rows.ts)
    local = moment + _offset(moment, changes(zone, *span))
    if bucket == "day":
        return ((local - local % size) / size).cast("int64")
    return moment - local % size


def start_of(number: int, bucket: str, zone: ZoneInfo) -> datetime:
    """Return the start of a bucket in UTC."""
    if bucket == "day":
        return datetime.combine(day_of(number), datetime.min.time(), tzinfo=zone).astimezone(UTC)
    return datetime.fromtimestamp(number // 1_000_000, UTC)


def day_of(number: int) -> date:
    """Return the date of a day bucket."""
    return _EPOCH_DAY + timedelta(days=number)


def _offset(moment: ir.IntegerColumn, changes: Sequence[tuple[int, int]]) -> ir.IntegerValue:
    """Return each moment's offset from UTC in microseconds."""
    offset: ir.IntegerValue = ibis.literal(changes[-1][1] * 1_000_000, type="int64")
    branches = [
        (moment < until * 1_000_000, ibis.literal(earlier * 1_000_000, type="int64"))
        for (_, earlier), (until, _) in pairwise(changes)
    ]
    return ibis.cases(*branches, else_=offset) if branches else offset


def changes(zone: ZoneInfo, start: datetime, end: datetime) -> tuple[tuple[int, int], ...]:
    """Return (from, offset) in UTC seconds for each offset in force between start and end; the first is from 0."""
    moment = int(start.timestamp())
    found = [(0, _offset_at(zone, moment))]
    while moment < end.timestamp():
        following = moment + 86400
        if _offset_at(zone, following) != found[-1][1]:
            found.append((_change_between(zone, moment, following), _offset_at(zone, following)))
        moment = following
    return tuple(found)


def _change_between(zone: ZoneInfo, before: int, after: int) -> int:
    """Return the first second after `before` with the offset of `after`."""
    target = _offset_at(zone, after)
    while after - before > 1:
        middle = (before + after) // 2
        before, after = (before, middle) if _offset_at(zone, middle) == target else (middle, after)
    return after


def _offset_at(zone: ZoneInfo, seconds: int) -> int:
    offset = datetime.fromtimestamp(seconds, zone).utcoffset()
    assert offset is not None
    return int(offset.total_seconds())
