"""The catalogues: the same keys, the same variables, and every key that the code names."""

import re
from pathlib import Path
from string import Formatter
from typing import get_args

import pytest

from core import regressions
from core.metrics.catalog import METRICS
from core.regressions.model import CauseKind
from dashboard.filters import PRESETS
from dashboard.i18n import LANGUAGES, browser_language, catalogue, translate

DASHBOARD = Path(__file__).parents[2] / "dashboard"


def variables(text: str) -> set[str]:
    """The {names} of a text."""
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def test_both_catalogues_have_the_same_keys_in_the_same_order() -> None:
    """A key in one language exists in the other."""
    assert list(catalogue("ko")) == list(catalogue("en"))


def test_both_texts_of_a_key_use_the_same_variables() -> None:
    """A translation drops no number and asks for none that is not given, and none is empty."""
    ko, en = catalogue("ko"), catalogue("en")

    assert [key for key in en if variables(ko[key]) != variables(en[key])] == []
    assert [key for key in en if not ko[key]] == []


def test_every_key_written_in_the_code_exists() -> None:
    """A literal key passed to t(), translate() or word() is in the catalogue."""
    code = "\n".join(path.read_text() for path in DASHBOARD.rglob("*.py"))
    named = set(re.findall(r"\b(?:t|word)\(\s*\"([a-z0-9_.]+)\"", code))
    named |= set(re.findall(r"translate\(\s*\w+(?:\.\w+)?,\s*\"([a-z0-9_.]+)\"", code))
    named |= set(re.findall(r"unknown\(\"([a-z0-9_.]+)\"", code))
    named |= {f"{name}.title" for name in re.findall(r"section\(\"([a-z0-9_.]+)\"", code)}

    assert named - set(catalogue("en")) == set()
    assert len(named) > 60


def test_every_regression_has_its_words() -> None:
    """What can get worse, by what it is known, and what the calls show: named from data, so not found in the code."""
    named = {f"worse.metric.{name}" for name in regressions.METRICS}
    named |= {f"worse.seen.{name}" for name in regressions.MECHANISMS}
    named |= {f"worse.cause.{name}" for name in get_args(CauseKind)}

    assert named - set(catalogue("en")) == set()


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_of_the_catalogue_can_be_explained(name: str) -> None:
    """Each metric has a label and a meaning, so that its tooltip is complete."""
    for lang in LANGUAGES:
        assert catalogue(lang)[f"metric.{name}.label"]
        assert catalogue(lang)[f"metric.{name}.meaning"]


@pytest.mark.parametrize("preset", PRESETS)
def test_every_range_has_its_three_forms(preset: str) -> None:
    """A range is named in the list, in the answer and in the comparison."""
    for form in ("", ".in", ".before"):
        assert f"range.{preset}{form}" in catalogue("ko")


def test_an_unknown_key_shows_as_itself() -> None:
    """A missing text is visible rather than fatal."""
    assert translate("en", "no.such.key") == "no.such.key"


@pytest.mark.parametrize(("locale", "lang"), [("ko-KR", "ko"), ("ko", "ko"), ("en-US", "en"), (None, "en")])
def test_the_browser_chooses_the_first_language(locale: str | None, lang: str) -> None:
    """Korean browsers start in Korean, all others in English."""
    assert browser_language(locale) == lang
