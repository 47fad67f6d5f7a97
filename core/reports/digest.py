"""The summary of a scheduled report: the sentence, the figures against the period before, and how complete they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from core.metrics import summary
from core.metrics.known_by import KNOWN_BY
from core.metrics.scope import Scope
from core.metrics.sources import complete_until
from core.report_settings import ReportRule
from core.reports import said
from core.reports.deltas import Delta, deltas, plain
from core.reports.periods import Period
from core.reports.request import Language
from core.reports.words import word
from core.store.query import Reader

_MAY_LACK = 0.1  # of the period before, at its beginning; as on the pages


@dataclass(frozen=True, slots=True)
class Digest:
    """What is told about a period, in one language."""

    rule: ReportRule
    period: Period
    total: Mapping[str, Any]
    deltas: tuple[Delta, ...]
    complete_until: datetime | None
    demo: bool
    compared: bool = True  # whether there is data of the whole period before

    @property
    def complete(self) -> bool:
        """Say whether every source has been read past the period's end; not known counts as no."""
        return self.complete_until is not None and self.complete_until >= self.period.end

    @property
    def title(self) -> str:
        """Return the heading: which report, of which days."""
        lang, period = self.rule.lang, self.period
        days = period.first.isoformat() if period.first == period.last else f"{period.first} – {period.last}"
        text = word(lang, f"digest.title.{period.schedule}", days=days, zone=period.zone)
        return word(lang, "digest.demo", text=text) if self.demo else text

    @property
    def sentence(self) -> str:
        """Return the answer in one sentence, as the reports say it."""
        return said.answer(self.total, self.rule.lang)

    def lines(self) -> list[str]:
        """Return the sentence, a line for each figure, and a warning where data is still missing."""
        lang = self.rule.lang
        lines = [self.sentence, *(line_of(delta, self.rule.lang) for delta in self.deltas)]
        if by_defaults := self.total["calls_by_defaults"]:
            usd = _shown(self.total["cost_by_defaults_usd"], "usd")
            lines.append(word(lang, "digest.by_defaults", n=said.count(by_defaults), usd=usd))
        if not self.compared:
            lines.append(word(lang, "digest.young"))
        if not self.complete:
            until = self.complete_until
            shown = said.UNKNOWN if until is None else until.astimezone(UTC).isoformat(timespec="minutes")
            lines.append(word(lang, "digest.incomplete", until=shown))
        return lines

    def to_json(self) -> dict[str, Any]:
        """Return it for machines: exact dollars, periods with their zone, unknown as null."""
        period, before = self.period, self.period.before()
        return {
            "report": self.rule.name,
            "schedule": period.schedule,
            "from": period.start.isoformat(),
            "to": period.end.isoformat(),
            "before_from": before.start.isoformat(),
            "before_to": before.end.isoformat(),
            "zone": period.zone,
            "compared": self.compared,
            "demo": self.demo,
            "complete": self.complete,
            "complete_until": None if self.complete_until is None else self.complete_until.isoformat(),
            "title": self.title,
            "sentence": self.sentence,
            "deltas": [delta.to_json() for delta in self.deltas],
            "known_by": {name: plain(self.total[name]) for name in KNOWN_BY},
        }


def digest(reader: Reader, rule: ReportRule, period: Period, *, demo: bool) -> Digest:
    """Ask the metrics of the period and of the one before; a half-empty one would make every change look enormous."""
    before = period.before()
    total = summary(reader, Scope(start=period.start, end=period.end))
    earlier = summary(reader, Scope(start=before.start, end=before.end))
    compared = _began_by(reader, before.start + (before.end - before.start) * _MAY_LACK)
    told = deltas(total, earlier if compared else dict.fromkeys(earlier))
    return Digest(rule, period, total, tuple(told), complete_until(reader), demo, compared)


def _began_by(reader: Reader, moment: datetime) -> bool:
    """Tell whether any call is older than that."""
    rows = reader.table("calls")
    return bool(reader.rows(rows.filter(rows.ts < moment.astimezone(UTC)).select("ts").limit(1)))


def line_of(delta: Delta, lang: Language) -> str:
    """Return one figure in words: what it is, how it changed, and what it was; unknown stays a dash."""
    return word(
        lang,
        "digest.line",
        label=word(lang, f"metric.{delta.name}"),
        now=_with_parts(_shown(delta.now, delta.unit), delta.now_parts),
        change=_change(delta, lang),
        before=_with_parts(_shown(delta.before, delta.unit), delta.before_parts),
    )


def _shown(value: Any, unit: str) -> str:
    """Return a value as a sentence shows it: cents, and of less than a dollar a hundredth of a cent."""
    if unit == "usd" and value is not None:
        return said.money(value, places=2 if abs(value) >= 1 else 4)
    return said.shown(value, unit)


def _with_parts(value: str, parts: tuple[Any, Any] | None) -> str:
    """Return a ratio with its numerator and denominator behind it."""
    if parts is None:
        return value
    above, below = (_shown(part, "usd" if isinstance(part, Decimal) else "count") for part in parts)
    return f"{value} ({above} / {below})"


def _change(delta: Delta, lang: Language) -> str:
    """Return the change in percent, of a ratio in percentage points."""
    if delta.unit != "ratio":
        return said.UNKNOWN if delta.change is None else f"{delta.change:+.1%}"
    if delta.difference is None:
        return said.UNKNOWN
    return word(lang, "digest.points", n=f"{delta.difference * 100:+.1f}")
