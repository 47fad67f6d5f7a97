"""What a key figure is made of: its metric, its form, its parts and its sparkline; pure, without Streamlit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from core.metrics.catalog import METRICS, formula
from dashboard import format as fmt
from dashboard import ink
from dashboard.answer import caching_in_use
from dashboard.call_choice import asked
from dashboard.i18n import Language, translate

Kind = Literal["money", "ratio", "ms", "tokens", "count", "times"]
Source = Literal["calls", "store", "times"]
Row = Mapping[str, Any]


CALLS_BEHIND: dict[str, Mapping[str, str]] = {
    **dict.fromkeys(
        ("cost_usd", "net_savings_usd", "gross_savings_usd", "write_premium_usd", "cost_per_request_usd"),
        asked(status="ok", priced="yes"),
    ),
    **dict.fromkeys(("token_hit_rate", "request_hit_rate", "write_amortization"), asked(status="ok")),
    **dict.fromkeys(("price_coverage", "unpriced_calls"), asked(status="ok", priced="no")),
}
"""The calls a figure was made of, as the Calls page takes it from its address; of the coverage, those it lacks."""
_NOTHING_LACKS = {"price_coverage": 1, "unpriced_calls": 0}


@dataclass(frozen=True, slots=True)
class Kpi:
    """One key figure. `name` is the metric; `part` picks from a nested figure such as {"p50", "p95", "p99"};
    `over` names what it counts, where the metric has no numerator and denominator of its own; `source` is the
    series its sparkline is a column of."""

    name: str
    kind: Kind
    part: str | None = None
    spark: str | None = None
    over: str | None = None
    source: Source = "calls"


@dataclass(frozen=True, slots=True)
class Card:
    """A key figure ready to be shown."""

    label: str
    value: str | None
    delta: str | None
    better: str | None
    parts: str
    help: str
    spark: list[float] | None
    spark_words: str = ""  # what the sparkline shows
    calls: Mapping[str, str] | None = None  # the address of the calls behind it

    @property
    def flat(self) -> bool:
        """Whether the figure is compared and has not changed: neither better nor worse."""
        return self.delta is not None and self.delta.startswith("0")


def _is_cache_rate(name: str) -> bool:
    metric = METRICS.get(name)
    return bool(metric and metric.cache == "claude_cache" and metric.denominator)


def pick(total: Row, kpi: Kpi) -> Any:
    """Return the figure's value in a row of totals, or None while it is unknown."""
    value = total.get(kpi.name)
    return value.get(kpi.part) if kpi.part and isinstance(value, Mapping) else value


def card(kpi: Kpi, total: Row, before: Row | None, series: Sequence[Row], lang: Language) -> Card:
    """Lay out one key figure."""
    now = pick(total, kpi)
    value = None if now is None else shown(now, kpi.kind, lang)
    if _is_cache_rate(kpi.name) and total.get("calls") and not caching_in_use(total):
        now, value = None, translate(lang, "kpi.not_in_use")  # said so, not shown as 0 %
    label = translate(lang, f"metric.{kpi.name}.label")
    label = f"{label} {kpi.part}" if kpi.part else label
    spark = ink.spark(series, kpi.spark) if kpi.spark and now is not None else None
    spark = spark if spark and any(spark) else None  # a line of nothing but zeros would stand at half its height
    return Card(
        label=label,
        value=value,
        delta=delta(now, pick(before, kpi) if before else None, kpi.kind, lang),
        better=METRICS[kpi.name].better if kpi.name in METRICS else None,
        parts=parts(kpi, total, lang),
        help=formula_help(kpi.name, lang) + (by_defaults_help(total, lang) if _tells_defaults(kpi, total) else ""),
        spark=spark,
        spark_words=_spark_words(label, spark, kpi.kind, lang) if spark else "",
        calls=None if now is None or now == _NOTHING_LACKS.get(kpi.name) else CALLS_BEHIND.get(kpi.name),
    )


def _spark_words(label: str, values: Sequence[float], kind: Kind, lang: Language) -> str:
    low, high, last = (shown(value, kind, lang) for value in (min(values), max(values), values[-1]))
    return translate(lang, "alt.spark", name=label, low=low, high=high, last=last)


def shown(value: Any, kind: Kind, lang: Language) -> str:
    """Return a value in the form of its kind."""
    if kind == "money":
        return fmt.money(value)
    if kind == "ratio":
        return fmt.percent(value)
    if kind == "ms":
        return fmt.duration_ms(value, lang)
    if kind == "tokens":
        return fmt.tokens(value, lang)
    return fmt.times(value) if kind == "times" else fmt.count(value)


def delta(now: Any, before: Any, kind: Kind, lang: Language) -> str | None:
    """Return the change against the period before: points for a ratio, percent otherwise; none has no sign."""
    text = fmt.points(now, before, lang) if kind == "ratio" else fmt.change(now, before)
    if text is None:
        return None
    digits = [ch for ch in text if ch.isdigit()]
    return text if set(digits) != {"0"} else "0" + (translate(lang, "unit.points") if kind == "ratio" else "%")


def parts(kpi: Kpi, total: Row, lang: Language) -> str:
    """Return what the figure was made of: numerator / denominator, or how many it counts."""
    metric = METRICS.get(kpi.name)
    if metric and metric.numerator and metric.denominator:
        top, bottom = (_amount(name, total, lang) for name in (metric.numerator, metric.denominator))
        made = [translate(lang, f"of.{metric.denominator}", top=top, bottom=bottom)]
        if _tells_defaults(kpi, total):
            made.append(translate(lang, "over.by_defaults", n=_amount("calls_by_defaults", total, lang)))
        return " · ".join(made)
    if kpi.over:
        return translate(lang, f"over.{kpi.over}", n=_amount(kpi.over, total, lang))
    return ""


def _tells_defaults(kpi: Kpi, total: Row) -> bool:
    """A price is no better than its model: beside the share of calls with one stands who told theirs."""
    return kpi.name == "price_coverage" and bool(total.get("calls_by_defaults"))


def by_defaults_help(total: Row, lang: Language) -> str:
    """Return what the calls by defaults are, and their dollars, as more Markdown for a tooltip; nothing without any."""
    if not total.get("calls_by_defaults"):
        return ""
    names = ("calls_by_defaults", "cost_by_defaults_usd")
    told = [
        f"**{translate(lang, f'metric.{name}.label')}** {_amount(name, total, lang)}: "
        f"{translate(lang, f'metric.{name}.meaning')}"
        for name in names
    ]
    return "".join(f"\n\n{fmt.dollars_in_markdown(line)}" for line in told)


def _amount(name: str, total: Row, lang: Language) -> str:
    money = name in METRICS and METRICS[name].unit == "usd"
    return fmt.money(total.get(name)) if money else fmt.compact(total.get(name), lang)


def formula_help(name: str, lang: Language) -> str:
    """Return a metric's meaning, formula and name, as Markdown for a tooltip."""
    metric = METRICS.get(name)
    lines = [translate(lang, f"metric.{name}.meaning")]
    if metric:
        lines.append(f"{translate(lang, 'help.formula')} `{formula(name, lang)}`")
        if metric.cache:
            lines.append(translate(lang, f"help.{metric.cache}"))
        lines.append(f"{translate(lang, 'help.metric')} `{name}`")
    return "\n\n".join(lines)
