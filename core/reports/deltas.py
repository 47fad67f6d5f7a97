"""How a period compares with the one before: each figure with what it was, and what ratios are made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from core.metrics.catalog import METRICS

PARTS: dict[str, tuple[str, str] | None] = {
    "cost_usd": None,
    "net_savings_usd": None,
    "calls": None,
    "token_hit_rate": ("cache_read_tokens", "prompt_tokens"),
    "request_hit_rate": ("claude_cache_read_calls", "cacheable_calls"),
    "cost_per_request_usd": ("cost_usd", "priced_calls"),
    "price_coverage": ("priced_calls", "calls"),
}
"""The figures of a summary, in order, and of a ratio its numerator and denominator."""


@dataclass(frozen=True, slots=True)
class Delta:
    """One figure of two periods. None is unknown: then the difference and the change are unknown too."""

    name: str
    unit: str
    now: Any
    before: Any
    now_parts: tuple[Any, Any] | None = None
    before_parts: tuple[Any, Any] | None = None

    @property
    def difference(self) -> Any:
        """Return now − before; of ratios, in parts of one."""
        return None if self.now is None or self.before is None else self.now - self.before

    @property
    def change(self) -> float | None:
        """Return (now − before) / |before|; None where there is nothing to compare with."""
        if self.difference is None or not self.before:
            return None
        return float(Decimal(str(self.difference)) / abs(Decimal(str(self.before))))

    def to_json(self) -> dict[str, Any]:
        """Return it as plain values: dollars are decimal strings."""
        told: dict[str, Any] = {
            "metric": self.name,
            "unit": self.unit,
            "now": plain(self.now),
            "before": plain(self.before),
            "difference": plain(self.difference),
            "change": self.change,
        }
        if self.now_parts is not None and self.before_parts is not None:
            told["parts"] = [plain(part) for part in self.now_parts]
            told["parts_before"] = [plain(part) for part in self.before_parts]
        return told


def deltas(now: Mapping[str, Any], before: Mapping[str, Any]) -> list[Delta]:
    """Return every figure of a summary against the same figure of the period before."""
    return [
        Delta(
            name=name,
            unit=METRICS[name].unit,
            now=now[name],
            before=before[name],
            now_parts=None if parts is None else (now[parts[0]], now[parts[1]]),
            before_parts=None if parts is None else (before[parts[0]], before[parts[1]]),
        )
        for name, parts in PARTS.items()
    ]


def plain(value: Any) -> Any:
    """Return a value as JSON knows it: dollars as decimal strings."""
    return format(value, "f") if isinstance(value, Decimal) else value
