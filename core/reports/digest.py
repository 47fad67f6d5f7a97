"""The summary of a scheduled report: the sentence, the figures against the period before, and how complete they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from core.metrics import summary
from core.metrics.scope import Scope
from core.metrics.sources import complete_until
from core.report_settings import ReportRule
from core.reports import said
from core.reports.deltas import Delta, deltas
from core.reports.periods import Period
from core.reports.words import word
from core.store.query import Reader


@dataclass(frozen=True, slots=True)
class Digest:
    """What is told about a period, in one language."""

    rule: ReportRule
    period: Period
    total: Mapping[str, Any]
    deltas: tuple[Delta, ...]
    complete_until: datetime | None
    demo: bool

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
            "demo": self.demo,
            "complete": self.complete,
            "complete_until": None if self.complete_until is None else self.complete_until.isoformat(),
            "title": self.title,
            "sentence": self.sentence,
            "deltas": [delta.to_json() for delta in self.deltas],
        }


def digest(reader: Reader, rule: ReportRule, period: Period, *, demo: bool) -> Digest:
    """Ask the metrics of the period and of the one before."""
    before = period.before()
    total = summary(reader, Scope(start=period.start, end=period.end))
    earlier = summary(reader, Scope(start=before.start, end=before.end))
    return Digest(rule, period, total, tuple(deltas(total, earlier)), complete_until(reader), demo)


def line_of(delta: Delta, lang: Any) -> str:
    """Return one figure in words: what it is, how it changed, and what it was; unknown stays a dash."""
    return word(
        lang,
        "digest.line",
        label=word(lang, f"metric.{delta.name}"),
        now=_shown(delta.now, delta.unit),
        parts=_parts(delta.now_parts),
        change=_change(delta, lang),
        before=_shown(delta.before, delta.unit),
    )


def _shown(value: Any, unit: str) -> str:
    if unit == "usd" and value is not None:
        return said.money(value, places=2)
    return said.shown(value, unit)


def _parts(parts: tuple[Any, Any] | None) -> str:
    if parts is None:
        return ""
    texts = [
        said.UNKNOWN if part is None else f"{part:,.2f}" if not isinstance(part, int) else f"{part:,}" for part in parts
    ]
    return f" ({texts[0]} / {texts[1]})"


def _change(delta: Delta, lang: Any) -> str:
    """Return the change in percent, of a ratio in percentage points."""
    if delta.unit == "ratio":
        return (
            said.UNKNOWN
            if delta.difference is None
            else word(lang, "digest.points", n=f"{delta.difference * 100:+.1f}")
        )
    return said.UNKNOWN if delta.change is None else f"{delta.change:+.1%}"
