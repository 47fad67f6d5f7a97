"""The Probe page: the cost first, a run against a simulated Claude, and every trouble as a clear verdict."""

import re
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core import probe
from core.errors import FixSettings
from core.store.lake import Lake
from dashboard import acts, data, probe_charts
from dashboard.i18n import catalogue
from dashboard.ink import Look
from dashboard.probe_desk import ProbeDesk
from simulator.messages import INSTANT, Fault, SimulatedClock, Simulator, new_service, running_simulator
from tests.support.screens import LANGUAGES, bound_to, opened, words

both_languages = pytest.mark.parametrize("lang", LANGUAGES)
PATIENCE_S = 60


@pytest.fixture
def claude(monkeypatch: pytest.MonkeyPatch) -> Iterator[Simulator]:
    """A simulated Claude, which the environment names; the viewer is the operator."""
    with (
        running_simulator(new_service(clock=SimulatedClock(), latency=INSTANT)) as simulator,
        bound_to("127.0.0.1"),
    ):
        monkeypatch.setenv("ANTHROPIC_BASE_URL", simulator.url)
        monkeypatch.setenv("ANTHROPIC_API_KEY", simulator.api_key)
        data.probe_desk.clear()
        yield simulator


def estimated(lang: str = "en", *experiments: str) -> AppTest:
    """Open the page, choose, and ask for the cost."""
    app = opened("probe", lang)
    if experiments:
        app.pills(key="probe_experiments").set_value(list(experiments)).run()
    return app.button(key="probe_estimate").click().run()


def probed(lang: str = "en", *experiments: str) -> AppTest:
    """Let the page make a run, and look at what it found."""
    app = estimated(lang, *experiments)
    app.button(key="probe_run").click().run()
    run = data.probe_desk().last
    assert run is not None
    assert run.ended.wait(PATIENCE_S)
    return app.run()


def audited() -> list[str]:
    """The audit log's results."""
    return sorted(Lake(Path("data") / "tables").read("actions")["result"].to_pylist())


def titles(app: AppTest) -> list[str]:
    """The headings of the coloured boxes."""
    return [box.proto.title for box in (*app.success, *app.error, *app.warning, *app.info)]


@both_languages
def test_it_says_whom_it_asks(claude: Simulator, lang: str) -> None:
    """Address, model, where the key comes from and the budget are shown; the key itself is nowhere."""
    app = opened("probe", lang)
    seen = words(app)

    assert not app.exception
    assert not app.error
    assert app.title[0].value == catalogue(lang)["page.probe.title"]
    assert "127.0.0.1" in seen.replace("\\", "")
    assert catalogue(lang)["probe.history.none"] in seen
    assert claude.api_key not in str(app)
    assert not app.main.text_input
    assert not re.search(r"\b(probe|page|error|col)\.[a-z_]+", seen)


@both_languages
def test_the_cost_is_shown_before_anything_is_spent(claude: Simulator, lang: str) -> None:
    """Estimating uses free requests only; nothing is kept and nothing audited."""
    app = estimated(lang)
    figures = {metric.label: metric.value for metric in app.metric}
    text = catalogue(lang)

    assert not app.exception
    assert figures[text["probe.plan.budget"]] == r"\$0.0500"
    assert figures[text["probe.plan.estimate"]].startswith(r"\$0.000")
    assert text["probe.simulated"] in words(app)
    assert "0.0500" in app.button(key="probe_run").label
    assert data.latest_probe() is None
    assert audited() == []


@both_languages
def test_a_run_shows_verdicts_and_what_was_spent(claude: Simulator, lang: str) -> None:
    """The seed's three verifications pass; they are kept, drawn and audited, and marked as simulated."""
    app = probed(lang)
    text = catalogue(lang)

    assert not app.exception
    assert not app.error
    assert {metric.label: metric.value for metric in app.metric}[text["probe.passed"]] == "3 / 3"
    assert sum(text["probe.verdict.passed"] in title for title in titles(app)) == 3
    assert text["probe.simulated.badge"] in words(app)
    assert app.get("plotly_chart")[0].proto.alt
    assert audited() == ["done", "started"]
    assert not re.search(r"\b(probe|page|error|col)\.[a-z_]+", words(app))


def test_every_figure_of_the_evidence_has_a_name(claude: Simulator) -> None:
    """All seven experiments, down to their smallest figure, are told in words of the catalogue."""
    app = probed("ko", *probe.EXPERIMENTS)
    named = {name for row in data.probe_history() for name in _names(row["evidence"])} - {"lines"}

    assert not app.exception
    assert {row["experiment"] for row in data.probe_history()} == set(probe.EXPERIMENTS)
    assert {name for name in named if f"probe.ev.{name}" not in catalogue("ko")} == set()
    assert {name for name in probe.EXPERIMENTS if f"probe.found.{name}" not in catalogue("ko")} == set()
    assert all("{" not in box.value for box in app.success)


def _names(evidence: dict) -> set[str]:
    rows = [row for value in evidence.values() if isinstance(value, list) for row in value if isinstance(row, dict)]
    return {*evidence, *(name for row in rows for name in row)}


@both_languages
def test_a_bad_key_is_a_verdict(claude: Simulator, monkeypatch: pytest.MonkeyPatch, lang: str) -> None:
    """The estimate already says that the key was refused; a run says it again, spends nothing and is kept."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-not-one-of-ours")
    app = estimated(lang, "write_then_read")
    assert any("PRB-401" in title for title in titles(app))

    app.button(key="probe_run").click().run()
    assert data.probe_desk().last.ended.wait(PATIENCE_S)
    app.run()

    assert not app.exception
    assert any(f"{catalogue(lang)['probe.verdict.failed']} · PRB-401" in title for title in titles(app))
    assert {metric.label: metric.value for metric in app.metric}[catalogue(lang)["probe.spent"]] == r"\$0.00"
    assert "sk-ant-not-one-of-ours" not in words(app)
    assert audited() == ["failed", "started"]


@both_languages
def test_without_a_key_it_says_where_to_put_one(claude: Simulator, monkeypatch: pytest.MonkeyPatch, lang: str) -> None:
    """The page names the variable and the setting, and offers no field for a key."""
    monkeypatch.delenv("ANTHROPIC_API_KEY")

    app = estimated(lang, "write_then_read")

    assert "ANTHROPIC_API_KEY" in words(app).replace("\\", "")
    assert any("PRB-401" in title for title in titles(app))
    assert not app.main.text_input


def test_no_network_is_a_verdict(claude: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody listens, the code says so, in seconds."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        monkeypatch.setenv("ANTHROPIC_BASE_URL", f"http://127.0.0.1:{unused.getsockname()[1]}")

    app = probed("en", "write_then_read")

    assert not app.exception
    assert any("failed · PRB-503" in title for title in titles(app))


def test_a_rate_limit_is_a_verdict(claude: Simulator) -> None:
    """A 429 in the middle ends what needs Claude, and the prompt store is probed all the same."""
    app = estimated("en")
    claude.faults.add(Fault("rate_limit", times=50))

    app.button(key="probe_run").click().run()
    assert data.probe_desk().last.ended.wait(PATIENCE_S)
    app.run()

    assert any("failed · PRB-429" in title for title in titles(app))
    assert any("not run · PRB-429" in title for title in titles(app))
    assert any("Prompt store: MISS, then HIT? · passed" in title for title in titles(app))


def test_a_budget_that_does_not_reach_is_said_before(claude: Simulator) -> None:
    """The plan warns; the run leaves out what the budget does not reach."""
    Path("cachewise.toml").write_text('[probe]\nbudget_usd = "0.0002"\n')

    app = estimated("en", "write_then_read", "minimum")

    assert any("experiments beyond the budget will not be run" in box.value for box in app.warning)


def test_nothing_chosen_is_said(claude: Simulator) -> None:
    """Without an experiment there is nothing to estimate."""
    app = opened("probe")
    app.pills(key="probe_experiments").set_value([]).run()

    app.button(key="probe_estimate").click().run()

    assert app.warning[-1].value == "Choose an experiment first."


@both_languages
def test_a_viewer_is_refused(claude: Simulator, lang: str) -> None:
    """Whoever is not an operator sees the history and no button; the server refuses the acts themselves."""
    with bound_to("0.0.0.0"):
        app = opened("probe", lang)
        for act in (lambda: acts.plan_probe(["saving"]), acts.stop_probe):
            with pytest.raises(FixSettings, match="DSH-403"):
                act()

    assert not app.exception
    assert any("DSH-403" in title for title in titles(app))
    assert catalogue(lang)["probe.history.none"] in words(app)
    assert not [item for item in app.button if item.key == "probe_estimate"]


def test_the_role_is_asked_again_when_a_run_begins(claude: Simulator) -> None:
    """A plan that an operator made is not run for somebody else."""
    app = estimated()

    with bound_to("0.0.0.0"):
        app.button(key="probe_run").click().run()
        with pytest.raises(FixSettings, match="DSH-403"):
            acts.run_probe(app.session_state["probe_plan"])

    assert data.probe_desk().last is None
    assert audited() == []


@both_languages
def test_it_says_what_to_do_when_tables_fail(
    claude: Simulator, broken: Path, monkeypatch: pytest.MonkeyPatch, lang: str
) -> None:
    """With unreadable tables the error has code and mend, and there is no traceback."""
    monkeypatch.setenv("CACHEWISE_STORE_PATH", str(broken))

    app = opened("probe", lang)

    assert not app.exception
    assert "STO-" in words(app)
    assert catalogue(lang)["failed.mend"] in app.error[0].value


def test_a_run_under_way_is_shown_and_can_be_stopped(claude: Simulator) -> None:
    """While answers are held the page shows the run and a stop button; the stop ends it before the next request."""
    app = estimated("en", "write_then_read")
    with claude.holding_answers():
        app.button(key="probe_run").click().run()
        claude.wait_for_held(1, limit_s=PATIENCE_S)  # a stop before the first request would end it at once
        assert any("A probe is running" in heading.value for heading in app.subheader)
        app.button(key="probe_stop").click().run()
        with pytest.raises(FixSettings, match="DSH-409"):
            acts.run_probe(acts.plan_probe(["prompt_store"]))
    assert data.probe_desk().last.ended.wait(PATIENCE_S)
    app.run()

    assert any("not run · PRB-408" in title for title in titles(app))
    (stop,) = [item for item in data.recorded_actions() if item.action == "stop_probe"]
    assert (stop.before["state"], stop.before["experiment"]) == ("running", "write_then_read")
    assert stop.after == {"state": "stopping"}


def test_a_run_that_breaks_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug of ours ends the run with a code, not with a silent thread."""

    def broken(*args: object, **more: object) -> None:
        raise RuntimeError("with a secret inside")

    monkeypatch.setattr(probe, "run", broken)
    run = ProbeDesk().begin(None, Lake(tmp_path), "somebody", then=data.versions.clear)  # type: ignore[arg-type]

    assert run.ended.wait(PATIENCE_S)
    assert run.error is not None
    assert run.error.code == "DSH-501"
    assert "secret" not in str(run.error)


def test_verdicts_are_drawn_by_colour_and_shape() -> None:
    """Each verdict has a mark of its own, told in words beside the figure."""
    moment = datetime(2026, 11, 23, tzinfo=UTC)
    rows = [
        {"ts": moment, "experiment": "saving", "verdict": verdict, "model": "m", "spent_usd": Decimal(0)}
        for verdict in ("passed", "failed", "passed")
    ]

    drawn = probe_charts.verdicts(rows, Look("en"))

    assert drawn.alt == "Verdicts of the probes: passed 2, failed 1."
    assert {(trace.name, trace.marker.symbol) for trace in drawn.figure.data} == {("passed", "circle"), ("failed", "x")}
