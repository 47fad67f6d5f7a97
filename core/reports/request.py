"""What a report is asked for: the range and filters, the grouping, whose midnights, whose language."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal, NamedTuple

from core.metrics.aggregate import TIMES, check_groups
from core.metrics.buckets import zone_of
from core.metrics.chargeback import check_rule
from core.metrics.scope import Scope
from core.pricing import PriceBook
from core.store.query import Reader

Language = Literal["en", "ko"]

Progress = Callable[[str, int, int], None]
"""Told (step, done, of) while a report is made; the step is a key of the report's words."""


class Desk(NamedTuple):
    """What reports are made from: the tables and the price book in force."""

    reader: Reader
    book: PriceBook


@dataclass(frozen=True, slots=True)
class Request:
    """One report, whatever its format. Two equal requests over equal tables give equal figures."""

    scope: Scope = field(default_factory=Scope)
    by: tuple[str, ...] = ("day",)
    zone: str = "UTC"
    lang: Language = "en"
    demo: bool = False  # the tables are the demo fleet's: every format that can says so
    allocate: str | None = None  # charge groups by this rule; CSV and Parquet are then the chargeback itself
    billing_account: str | None = None  # of FOCUS: the logs do not tell whose invoice it is
    made_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    def __post_init__(self) -> None:
        check_groups(self.by)
        zone_of(self.zone)
        if self.allocate is not None:
            check_rule(self.allocate)

    @property
    def charged(self) -> tuple[str, ...]:
        """Whom a document's chargeback is about: the groups that are not times, or the engines."""
        return tuple(name for name in self.by if name not in TIMES) or ("engine",)


def silent(step: str, done: int, of: int) -> None:
    """Tell nobody."""
