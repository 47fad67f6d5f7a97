"""The two kinds of metric: a measure is summed from the rows of one table, a derived one is worked out from sums.

The first paragraph of each metric's docstring is its formula as printed beside the number on screen.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from typing import Any, Literal

import ibis
import ibis.expr.types as ir

Cache = Literal["claude_cache", "prompt_store"]
Better = Literal["up", "down"]
Sums = Mapping[str, Any]

_TWELVE_PLACES = Decimal("0.000000000001")


@dataclass(frozen=True, slots=True)
class Metric:
    """How a number is shown: its unit, formula, which cache it is about, and which direction is good news."""

    name: str
    unit: str  # count | tokens | usd | ratio | ms | tokens per token | models
    formula: str
    cache: Cache | None = None
    better: Better | None = None
    numerator: str | None = None
    denominator: str | None = None


@dataclass(frozen=True, slots=True)
class Measure:
    """A metric that one aggregate over one table gives; `empty` is its value over no rows at all."""

    metric: Metric
    table: str
    of: Callable[[ir.Table], ir.Scalar]
    empty: int | None


@dataclass(frozen=True, slots=True)
class Derived:
    """A metric worked out from other metrics of the same rows."""

    metric: Metric
    of: Callable[[Sums], Any]


@dataclass(frozen=True, slots=True)
class Distribution:
    """A spread of milliseconds: `of` gives the values and which rows they are of."""

    metric: Metric
    table: str
    of: Callable[[ir.Table], tuple[ir.Column, ir.BooleanValue]]

    def quantiles(self, levels: Sequence[float]) -> Measure:
        """Return the measure of its quantiles, exact, at these levels."""

        def levels_of(rows: ir.Table) -> ir.Scalar:
            values, where = self.of(rows)
            return values.quantile(list(levels), where=where)

        return Measure(self.metric, self.table, levels_of, None)

    def count(self) -> Measure:
        """Return the measure of how many values it has."""

        def count_of(rows: ir.Table) -> ir.Scalar:
            values, where = self.of(rows)
            return values.count(where=where)

        return Measure(replace(self.metric, unit="count"), self.table, count_of, 0)


def measure(
    table: str,
    unit: str,
    *,
    cache: Cache | None = None,
    better: Better | None = None,
) -> Callable[[Callable[[ir.Table], ir.Scalar]], Measure]:
    """Make a measure of a function from rows to one aggregate; counts and tokens of no rows are 0."""

    def make(of: Callable[[ir.Table], ir.Scalar]) -> Measure:
        metric = Metric(of.__name__, unit, _formula(of), cache, better)
        return Measure(metric, table, of, 0 if unit in ("count", "tokens") else None)

    return make


def derived(
    unit: str,
    *,
    cache: Cache | None = None,
    better: Better | None = None,
    numerator: str | None = None,
    denominator: str | None = None,
) -> Callable[[Callable[[Sums], Any]], Derived]:
    """Make a derived metric of a function from sums to a value; None where a part is unknown."""

    def make(of: Callable[[Sums], Any]) -> Derived:
        return Derived(Metric(of.__name__, unit, _formula(of), cache, better, numerator, denominator), of)

    return make


def distribution(
    table: str, *, cache: Cache | None = None
) -> Callable[[Callable[[ir.Table], tuple[ir.Column, ir.BooleanValue]]], Distribution]:
    """Make a distribution in ms of a function from rows to (values, which rows)."""

    def make(of: Callable[[ir.Table], tuple[ir.Column, ir.BooleanValue]]) -> Distribution:
        return Distribution(Metric(of.__name__, "ms", _formula(of), cache, "down"), table, of)

    return make


def total(values: ir.NumericColumn, where: ir.BooleanColumn) -> ir.NumericScalar:
    """Add up the values of the rows that `where` marks; null when there are none.

    CASE inside the sum, as FILTER beside it makes DuckDB four times slower over a million rows.
    """
    return where.ifelse(values, ibis.null(values.type())).sum()


def number(where: ir.BooleanValue) -> ir.IntegerScalar:
    """Count the rows that `where` marks; unknown is not marked."""
    return where.ifelse(1, ibis.null("int8")).count()


def ratio(numerator: int | float | None, denominator: int | float | None) -> float | None:
    """Divide; None when a part is unknown or there is nothing to divide by."""
    if numerator is None or not denominator:
        return None
    return numerator / denominator


def usd_each(dollars: Decimal | None, count: int | None) -> Decimal | None:
    """Divide dollars by a count to twelve places, half to even; None when a part is unknown or the count is 0."""
    if dollars is None or not count:
        return None
    with localcontext(prec=60):
        return (dollars / count).quantize(_TWELVE_PLACES, rounding=ROUND_HALF_EVEN)


def _formula(of: Callable[..., Any]) -> str:
    text = inspect.getdoc(of) or ""
    return " ".join(text.split("\n\n", 1)[0].split()).removesuffix(".")
