"""What changes something or spends money: refused to viewers on the server, audited, and out of reach of links."""

import inspect
import shutil
import time
from datetime import UTC, datetime
from pathlib import Path

import grimp
import pytest
from streamlit.testing.v1 import AppTest

from collector import checkup
from collector.checkup import Check
from core import fleet
from core.errors import FixSettings
from core.store.lake import Lake
from core.store.query import Reader
from dashboard import acts, auth, data
from dashboard.identity import Visitor
from tests.support import warm_lake
from tests.support.screens import APP, PATIENCE_S, opened, words

ACTS = {
    name: act
    for name, act in inspect.getmembers(acts, inspect.isfunction)
    if act.__module__ == acts.__name__ and not name.startswith("_")
}
GRAPH = grimp.build_graph("dashboard", cache_dir=None)
PAGES = sorted(
    path.stem
    for path in (APP.parent / "app_pages").glob("[a-z]*.py")
    if GRAPH.find_shortest_chain(f"dashboard.app_pages.{path.stem}", acts.__name__)
)
"""The pages that can act; the others import nothing that reaches dashboard.acts, and share the router's part."""
KEYS = (
    "preview", "caches_go", "caches_typed", "probe_estimate", "probe_run", "probe_stop", "probe_experiments", "checkup",
    "caches_clear_own", "clear_cache", "note_add", "note_text", "view_save", "view_name", "reconcile",
    "sign_in", "sign_out", "action", "run", "confirm",
)  # fmt: skip
VIEWERS = {
    "viewer": Visitor("member", "viewer", "Lee", "lee@example.com"),
    "open": Visitor("open", "viewer"),
    "stranger": Visitor("stranger", None, "Eve", "eve@example.com"),
    "signed_out": Visitor("signed_out", None),
    "expired": Visitor("expired", None, "Kim", "kim@example.com"),
}


@pytest.fixture(scope="module")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warm fleet that can be cleared, with its settings; only what is audited is written to it."""
    folder = tmp_path_factory.mktemp("acts")
    (folder / "cachewise.toml").write_text(warm_lake.CONFIG)
    warm_lake.fill(folder / "data")
    return folder


@pytest.fixture
def folder(warm: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder of a dashboard over the warm fleet; no act was done yet."""
    shutil.rmtree(warm / "data" / "tables" / "actions", ignore_errors=True)
    monkeypatch.chdir(warm)
    return warm


def audited(folder: Path) -> list[fleet.Recorded]:
    """The audit log."""
    with Reader(Lake(folder / "data" / "tables")) as reader:
        return fleet.recorded_actions(reader)


def seen_as(monkeypatch: pytest.MonkeyPatch, who: Visitor) -> None:
    """Let the server find this visitor in the session."""
    monkeypatch.setattr(auth, "visitor", lambda: who)


@pytest.mark.parametrize("who", VIEWERS)
@pytest.mark.parametrize("name", ACTS)
def test_an_act_is_refused_whatever_the_browser_sent(
    name: str, who: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every public function of dashboard.acts asks the role first: nothing is read, sent or written before it."""
    seen_as(monkeypatch, VIEWERS[who])
    for needed in ("probe", "fleet", "data"):
        monkeypatch.setattr(acts, needed, None)  # touching any of them would be an AttributeError
    arguments = [None for _ in inspect.signature(ACTS[name]).parameters]

    with pytest.raises(FixSettings, match=r"DSH-40[1234]"):
        ACTS[name](*arguments)

    assert audited(folder) == []


def test_pages_act_through_that_door_only() -> None:
    """What spends or changes is reached from no other module of the dashboard."""
    doing = ("clear_prompt_store(", "probe.run(", ".run_checkup(", "probe_desk().begin(", "fleet.record(")
    found = {
        f"{path.name}: {call}"
        for path in APP.parent.rglob("*.py")
        if path.name not in ("acts.py", "probe_desk.py")
        for call in doing
        if call in path.read_text().replace("acts.clear_prompt_store(", "").replace("acts.run_checkup(", "")
    }

    assert found == set()


@pytest.mark.parametrize("name", PAGES)
def test_a_link_does_nothing(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An operator who opens an address that names every button and field only sees the page."""
    seen_as(monkeypatch, Visitor("member", "operator", "Kim", "kim@example.com"))
    touched: list[str] = []
    for act in ACTS:
        monkeypatch.setattr(acts, act, lambda *given, act=act: touched.append(act))
    app = AppTest.from_file(str(APP), default_timeout=PATIENCE_S)
    app.context = {"locale": "en-GB", "timezone": "UTC"}
    for key in KEYS:
        app.query_params[key] = ["true"] if key != "caches_typed" else ["bodo"]
    if "_" in name:
        app.run()
    if name != "overview":
        app.switch_page(f"app_pages/{name}.py")
    app.run()

    assert not app.exception
    assert touched == []
    assert audited(folder) == []


def test_the_log_names_the_address_of_who_is_signed_in(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkup started on the page is written down under the operator's e-mail address."""
    seen_as(monkeypatch, Visitor("member", "operator", "Kim", "kim@example.com"))
    kinds = ("prices", "ok"), ("tables", "fail"), ("lines", "ok")
    found = [Check(kind, "calls", status, "told") for kind, status in kinds]
    now = datetime(2026, 11, 20, tzinfo=UTC)  # what a checkup looks at is tests/collector/checkup's subject
    monkeypatch.setattr(data, "run_checkup", lambda: checkup.remember(data.configuration(), found, now=now))

    acts.run_checkup()

    (entry,) = audited(folder)
    (folder / "data" / "tables" / ".checkup.json").unlink()
    assert entry.before == {"checked_at": None}
    assert entry.after == {"checked_at": now.isoformat(), "ok": 2, "fail": 1}
    assert (entry.actor, entry.action, entry.result) == ("kim@example.com (dashboard)", "checkup", "done")
    assert (datetime.now(UTC) - entry.ts).total_seconds() < 60


def test_a_checkup_of_broken_tables_runs_all_the_same(
    broken: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is there to find them broken; the server's log says what the audit log could not take."""
    actions = broken / "tables" / "actions" / "_delta_log"
    actions.mkdir(parents=True)
    (actions / "00000000000000000000.json").write_text("not a log\n")
    monkeypatch.setenv("CACHEWISE_STORE_PATH", str(broken))
    seen_as(monkeypatch, Visitor("local", "operator"))
    ran: list[float] = []
    monkeypatch.setattr(data, "run_checkup", lambda: ran.append(time.time()))

    acts.run_checkup()

    assert len(ran) == 1
    assert "checkup is not in the audit log: STO-" in caplog.text


def test_the_viewers_pages_say_who_may(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A signed-in viewer is told to ask an operator, not to walk to the server."""
    seen_as(monkeypatch, VIEWERS["viewer"])

    seen = words(opened("caches")).replace("\\", "")

    assert "DSH-403" in seen
    assert "access.operators" in seen
