"""Every number on a page: name → unit, formula, cache, direction. The docs and the screen print it from here."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import ModuleType

from core.metrics import coverage, invocations, money, prompt_store, tokens
from core.metrics.measure import Derived, Measure, Metric
from core.metrics.speed import DISTRIBUTIONS

_MODULES: tuple[ModuleType, ...] = (tokens, money, coverage, invocations, prompt_store)
_ALL = [item for module in _MODULES for item in vars(module).values() if isinstance(item, Measure | Derived)]

MEASURES: dict[str, Measure] = {item.metric.name: item for item in _ALL if isinstance(item, Measure)}
DERIVED: dict[str, Derived] = {item.metric.name: item for item in _ALL if isinstance(item, Derived)}
METRICS: dict[str, Metric] = {item.metric.name: item.metric for item in (*_ALL, *DISTRIBUTIONS)}
"""All metrics by name, in the order of the modules that define them."""


def measures_of(table: str) -> dict[str, Measure]:
    """Return the measures that one scan of the table gives."""
    return {name: item for name, item in MEASURES.items() if item.table == table}


def formula(name: str, lang: str = "en") -> str:
    """Return how a metric is computed, in the reader's language: "ko", else English."""
    return _in_korean()[name] if lang == "ko" else METRICS[name].formula


@cache
def _in_korean() -> Mapping[str, str]:
    return tomllib.loads((Path(__file__).parent / "formulas_ko.toml").read_text(encoding="utf-8"))
