"""The catalogue of metrics and its page in the docs say the same."""

from __future__ import annotations

import re
from pathlib import Path

from core.metrics import catalog
from core.metrics.catalog import METRICS, formula

PAGE = Path(__file__).parents[3] / "docs" / "metrics.md"


def test_the_docs_list_every_metric_with_its_unit_and_formula() -> None:
    """In the same words, so that the page cannot rot."""
    catalogue, _, _ = PAGE.read_text(encoding="utf-8").partition("\n## Prometheus\n")  # whose samples are not metrics
    rows = re.findall(r"^\| `(\w+)` \| ([^|]+) \| ([^|]+) \|", catalogue, re.MULTILINE)

    assert {name: (unit, formula) for name, unit, formula in rows} == {
        name: (metric.unit, metric.formula) for name, metric in METRICS.items()
    }


def test_the_name_says_which_cache() -> None:
    """No metric of the prompt store is taken for one of the Claude cache, or the other way round."""
    for name, metric in METRICS.items():
        if name.startswith("prompt_store"):
            assert metric.cache == "prompt_store"
        if metric.cache == "prompt_store":
            assert name.startswith("prompt_store") or name == "db_time_saved_ms"
        assert not name.startswith("cache_hit")


def test_formulas_are_told_in_korean_too() -> None:
    """Each metric's, under the same names in the same order; the symbols stay those of the English ones."""
    korean = {name: formula(name, "ko") for name in METRICS}

    assert list(catalog._in_korean()) == list(METRICS)
    assert [name for name, text in korean.items() if not re.search("[가-힣]", text) and "HIT" not in text] == []
    for name, text in korean.items():
        told = METRICS[name].formula
        assert ("Σ" in text, " / " in text, " × " in text) == ("Σ" in told, " / " in told, " × " in told), name
