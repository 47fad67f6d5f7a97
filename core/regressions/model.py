"""What a regression is: a metric of one engine and model that left its own baseline, since when, why, and its cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

Metric = Literal["read_share", "miss_share", "cost_per_request", "latency"]
METRICS: tuple[Metric, ...] = ("read_share", "miss_share", "cost_per_request", "latency")
CauseKind = Literal["deploy", "clear", "price_book", "switch", "unknown"]
Confidence = Literal["measured", "inferred", "unknown"]
"""measured: the change itself is seen in the calls; inferred: an event fits in time; unknown: nothing does."""

CLEARED = "prompt store cleared: "
"""How the label of a clear begins; the engine follows, or "all engines"."""

UNITS: dict[Metric, str] = {
    "read_share": "ratio",
    "miss_share": "ratio",
    "cost_per_request": "usd",
    "latency": "ms",
}


@dataclass(frozen=True, slots=True)
class Event:
    """Something that was changed: a deploy, a clear of the prompt store, a price book, a switch."""

    at: datetime
    kind: CauseKind
    label: str  # "bodo-ws 17", "caching_enabled: true → false"
    source: str | None = None
    engine: str | None = None  # None: concerns every engine of the source
    version: str | None = None  # of a deploy
    column: str | None = None  # of a switch: the column whose value changed


@dataclass(frozen=True, slots=True)
class Cause:
    """What most likely did it."""

    kind: CauseKind
    label: str
    at: datetime | None = None
    mechanism: str | None = None  # a key of core.regressions.causes.MECHANISMS; None: not seen in the calls

    def to_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {"kind": self.kind, "label": self.label, "at": self.at, "mechanism": self.mechanism}


@dataclass(frozen=True, slots=True)
class Change:
    """One metric's part in a regression."""

    metric: Metric
    started_at: datetime  # the first call that is no longer like the baseline
    found_at: datetime  # the call with which the evidence was enough
    ended_at: datetime | None
    before: float  # what the baseline expects of the same calls
    after: float
    calls: int  # since it started
    strength: float  # log likelihood ratio in nats; an alarm needs core.regressions.changes.ALARM


@dataclass(frozen=True, slots=True)
class Regression:
    """One fault of one engine and model; `metric` is the most telling of `changes`."""

    source: str
    engine: str | None
    model: str | None
    function_version: str | None  # that served when it started
    metric: Metric
    started_at: datetime
    found_at: datetime
    ended_at: datetime | None  # None: it goes on
    before: float
    after: float
    calls: int
    lost_usd: Decimal | None  # cost since it started less what the baseline would have cost; None: unpriced
    likely_cause: Cause
    confidence: Confidence
    evidence: Mapping[str, Any] = field(default_factory=dict)
    changes: tuple[Change, ...] = ()

    @property
    def open(self) -> bool:
        """Say whether it goes on."""
        return self.ended_at is None

    @property
    def key(self) -> str:
        """Return what names it from one evaluation to the next."""
        place = "/".join(str(part or "-") for part in (self.source, self.engine, self.model))
        return f"{place}/{self.started_at:%Y-%m-%dT%H:%M}"

    @property
    def lost_usd_per_day(self) -> Decimal | None:
        """Return what it costs a day, at the pace since it started."""
        until = self.ended_at or self.evidence.get("until")
        if self.lost_usd is None or until is None or until <= self.started_at:
            return None
        days = Decimal(str((until - self.started_at).total_seconds())) / 86_400
        return (self.lost_usd / max(days, Decimal("0.04"))).quantize(Decimal("0.000001"))

    def sentence(self) -> str:
        """Say it in one English line, for terminals, logs and messages."""
        change = f"{shown(self.metric, self.before)} → {shown(self.metric, self.after)}"
        state = "" if self.open else f", over since {self.ended_at:%Y-%m-%d %H:%M} UTC"
        lost = f", ${self.lost_usd:,.2f} lost so far" if self.lost_usd is not None and self.lost_usd > 0 else ""
        known, seen = self.likely_cause.kind != "unknown", self.likely_cause.mechanism is not None
        why = f"; likely cause: {self.likely_cause.label}" if known else "; cause unknown"
        why += f" ({self.likely_cause.label})" if seen and not known else ""
        what = self.metric.replace("_", " ")
        return (
            f"{self.engine or self.source} ({self.model or 'unknown model'}): {what} {change} "
            f"since {self.started_at:%Y-%m-%d %H:%M} UTC{state}{lost}{why}"
        )

    def to_json(self) -> dict[str, Any]:
        """Return it as plain values (dollars and times as they are, for the caller's own form)."""
        names = (
            "source", "engine", "model", "function_version", "metric", "started_at", "found_at", "ended_at",
            "before", "after", "calls", "lost_usd", "confidence",
        )  # fmt: skip
        changes = [{name: getattr(change, name) for name in Change.__slots__} for change in self.changes]
        return {
            "key": self.key,
            **{name: getattr(self, name) for name in names},
            "open": self.open,
            "unit": UNITS[self.metric],
            "lost_usd_per_day": self.lost_usd_per_day,
            "likely_cause": self.likely_cause.to_json(),
            "evidence": dict(self.evidence),
            "changes": changes,
            "sentence": self.sentence(),
        }


def shown(metric: Metric, value: float) -> str:
    """Return a value in the unit of its metric, for reading."""
    match UNITS[metric]:
        case "ratio":
            return f"{value:.1%}"
        case "usd":
            return f"${value:.6f}"
        case _:
            return f"{value:,.0f} ms"
