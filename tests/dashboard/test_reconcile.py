"""The Reconciliation page: what is needed, a run by an operator against a simulated bill, its result, and refusals."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from core import reconcile
from core.errors import FixSettings
from core.reconcile import Reconciliation
from core.settings import Settings
from core.store.lake import Lake
from dashboard import acts, billing_charts, data
from dashboard.i18n import catalogue
from dashboard.ink import Look
from simulator.admin import ADMIN_KEY, RunningAdmin
from tests.support.billing import NOW, billed, lake_of, truths
from tests.support.screens import LANGUAGES, bound_to, opened, words

both_languages = pytest.mark.parametrize("lang", LANGUAGES)


@pytest.fixture(scope="module")
def admin() -> Iterator[RunningAdmin]:
    """A provider that bills the small fleet, a fifth more, and 12 % off."""
    with billed(truths(), unlogged="0.2", discount="0.12") as running:
        yield running


@pytest.fixture
def keyed(admin: RunningAdmin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The fleet's tables, a key, and the simulated provider's address."""
    monkeypatch.setenv("ANTHROPIC_BASE_URL", admin.url)
    monkeypatch.setenv("ANTHROPIC_ADMIN_KEY", ADMIN_KEY)
    monkeypatch.setenv("CACHEWISE_STORE_PATH", str(tmp_path / "data"))
    lake_of(tmp_path / "data", truths())
    return tmp_path / "data"


def reconciled(folder: Path, url: str) -> Reconciliation:
    """A run of before."""
    settings = Settings(store_path=str(folder), anthropic_base_url=url)
    (found,) = reconcile.run(settings, ["anthropic"], now=NOW, actor="somebody")
    return found


@both_languages
def test_without_a_key_it_says_what_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lang: str) -> None:
    """Variable, setting and policy by name; no button, and nothing pretends to be a figure."""
    monkeypatch.delenv("ANTHROPIC_ADMIN_KEY", raising=False)
    monkeypatch.setenv("CACHEWISE_STORE_PATH", str(tmp_path))
    with bound_to("127.0.0.1"):
        app = opened("reconcile", lang)
    seen = words(app)

    assert not app.exception
    assert app.title[0].value == catalogue(lang)["page.reconcile.title"]
    assert "ANTHROPIC_ADMIN_KEY" in seen
    assert "docs/policies/reconcile.json" in seen
    assert catalogue(lang)["reconcile.never"] in seen
    assert not app.metric
    assert "reconcile_run" not in {button.key for button in app.button}


def test_the_demo_says_that_it_has_no_bill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In place of asking for a key that would not help."""
    monkeypatch.setenv("CACHEWISE_STORE_PATH", str(tmp_path))
    monkeypatch.setenv("CACHEWISE_DEMO", "true")
    monkeypatch.setenv("ANTHROPIC_ADMIN_KEY", "k")
    with bound_to("127.0.0.1"):
        app = opened("reconcile")

    assert catalogue("en")["reconcile.demo"] in words(app)
    assert "reconcile_run" not in {button.key for button in app.button}


@both_languages
def test_the_last_run_is_shown_without_asking(keyed: Path, admin: RunningAdmin, lang: str) -> None:
    """Four figures with what they are made of, tables, gaps in words, labelled simulated; a viewer sees it too."""
    found = reconciled(keyed, admin.url)
    asked = len(admin.admin.asked)
    with bound_to("0.0.0.0"):
        app = opened("reconcile", lang)
    seen = words(app)

    assert not app.exception
    assert [metric.value for metric in app.metric][3] == "12.0%"
    assert catalogue(lang)["reconcile.gap.whole_organization"] in seen
    assert catalogue(lang)["probe.simulated.badge"] in seen
    assert "2026-11-20" in seen
    assert [len(table.value) for table in app.dataframe] == [len(found.by_type), len(found.lines), 1]
    assert len(admin.admin.asked) == asked
    assert "DSH-403" in seen  # a viewer may look, not run
    assert ADMIN_KEY not in str(app)


def test_an_operator_reconciles_from_the_page(keyed: Path) -> None:
    """The button asks the provider, keeps the result, shows it at once, and the audit log has it."""
    with bound_to("127.0.0.1"):
        app = opened("reconcile")
        app.button(key="reconcile_run").click().run()

    assert not app.exception
    assert not app.error
    assert app.metric
    lake = Lake(keyed / "tables")
    assert lake.read("reconciliations").num_rows == 1
    assert set(lake.read("actions")["result"].to_pylist()) == {"started", "done"}
    assert "(dashboard)" in lake.read("actions")["actor"].to_pylist()[0]


def test_a_refusal_is_shown_with_its_code(keyed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What failed and what to do; the page stays."""
    monkeypatch.setenv("ANTHROPIC_ADMIN_KEY", "sk-ant-sim-0000")
    with bound_to("127.0.0.1"):
        app = opened("reconcile")
        app.button(key="reconcile_run").click().run()

    assert not app.exception
    assert "REC-403" in words(app)


def test_the_act_asks_for_the_role_itself(keyed: Path) -> None:
    """A viewer who reaches it past the page is refused before anything is asked or written."""
    with bound_to("0.0.0.0"), pytest.raises(FixSettings, match="DSH-403"):
        acts.run_reconciliation(["anthropic"], datetime.now(UTC).date())
    assert not (keyed / "tables" / "actions").exists()


@both_languages
def test_the_charts_tell_both_sides(keyed: Path, admin: RunningAdmin, lang: str) -> None:
    """Bars of both sides for each day, differences by type, and a text with the figures."""
    found = reconciled(keyed, admin.url)
    look = Look(lang, "UTC", "day")
    days, types = billing_charts.by_day(found, look), billing_charts.by_type(found, look)

    assert [len(bar.x) for bar in days.figure.data] == [4, 4]
    assert days.figure.data[0].marker.opacity[-1] < 1
    assert f"{found.total.billed_tokens:,}" in days.alt
    assert sum(types.figure.data[0].x) == found.total.difference_tokens
    assert data.reconciliations()[0]["actor"] == "somebody"
