"""`cachewise regressions` and `cachewise alerts`: stable JSON, tables, exit codes, the watch beside a collector."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cli.alerts import AlertWatch
from cli.main import main
from core import settings
from core.store.lake import Lake
from tests.support.lakes import fill
from tests.support.receiver import Receiver, receiving
from tests.support.rows import make_call
from tests.support.steady import CHANGE, broken, since, traffic


@pytest.fixture
def tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of settings and data, and an environment without ours."""
    monkeypatch.chdir(tmp_path)
    for name in ("CACHEWISE_CONFIG", "CACHEWISE_DEMO", "CACHEWISE_PRICE_FILES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CACHEWISE_STORE_PATH", str(tmp_path / "data"))
    return tmp_path / "data" / "tables"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver on this machine."""
    with receiving() as running:
        yield running


def run(capsys: pytest.CaptureFixture[str], *args: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(list(args))
    out, err = capsys.readouterr()
    assert isinstance(ended.value.code, int)
    return ended.value.code, out, err


def configure(url: str, *, below: str = "0.8") -> None:
    """Write a settings file with one rule that tells the receiver."""
    Path("cachewise.toml").write_text(
        f"""
        [targets.ops]
        kind = "webhook"
        url = "{url}"
        [[alerts]]
        name = "hits"
        metric = "hit_rate"
        below = {below}
        least_calls = 5
        targets = ["ops"]
        """,
        encoding="utf-8",
    )


def unread(tables: Path) -> None:
    """Twenty calls of the last half hour that read nothing."""
    now = datetime.now(UTC)
    fill(tables, calls=[make_call(ts=now - timedelta(minutes=n)) for n in range(1, 21)])


def test_regressions_as_json_and_as_a_table(tables: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same regression, for machines and for people."""
    fill(tables, calls=traffic(since(CHANGE, broken), ttl_known_by="defaults"))

    code, out, err = run(capsys, "regressions", "--from", "2026-11-10", "--to", "2026-11-14", "--json")
    assert (code, err) == (0, "")
    found = json.loads(out)
    (item,), known = found["regressions"], found["known_by"]
    assert known["calls"] == known["ttl_by_defaults"] > known["model_by_defaults"] == 0
    assert (item["engine"], item["metric"], item["open"]) == ("sales", "read_share", True)
    assert item["lost_usd"].startswith("4.") or float(item["lost_usd"]) > 1
    assert item["started_at"].startswith("2026-11-12T10:")

    code, out, _ = run(capsys, "regressions", "--from", "2026-11-10", "--to", "2026-11-14")
    assert code == 0
    assert "sales" in out
    assert "0.0%" in out
    assert f"the model of 0 and the TTL of {known['calls']:,} come from the source's defaults" in out


def test_no_regressions_are_said_so(tables: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Calls of a day in which nothing changed."""
    fill(tables, calls=[make_call()])

    assert run(capsys, "regressions")[:2] == (0, "No regressions: every engine is within its own baseline.\n")


def test_alerts_open_and_are_told(tables: Path, capsys: pytest.CaptureFixture[str], receiver: Receiver) -> None:
    """One round: opened, sent, and shown as open by the next."""
    unread(tables)
    configure(receiver.url)

    code, out, err = run(capsys, "alerts")
    assert (code, err) == (0, "")
    assert out.startswith("opened: hits: tutor: hit rate 0.0% is below the limit 80.0%")

    code, out, _ = run(capsys, "alerts", "--json")
    told: dict[str, Any] = json.loads(out)
    assert [alert["subject"] for alert in told["open"]] == ["tutor"]
    assert told["changed"] == []
    assert told["budget"]["spent_usd"] == "0.015000000000"
    assert len(receiver.got) == 1


def test_a_target_that_fails_is_a_failed_round(
    tables: Path, capsys: pytest.CaptureFixture[str], receiver: Receiver
) -> None:
    """Exit 1, the code on stderr, the URL nowhere."""
    unread(tables)
    configure(receiver.url)
    receiver.answers = [404]

    code, out, err = run(capsys, "alerts")
    assert code == 1
    assert err.startswith("ALR-404")
    assert "secret-token" not in out + err


def test_without_rules_the_next_step_is_said(tables: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing configured is no failure."""
    code, out, _ = run(capsys, "alerts")
    assert code == 0
    assert "Add [[alerts]] to cachewise.toml" in out


def test_a_test_message_is_sent(tables: Path, capsys: pytest.CaptureFixture[str], receiver: Receiver) -> None:
    """To the rule's targets; a name that nobody has is refused."""
    configure(receiver.url)
    assert run(capsys, "alerts", "--test", "hits")[:2] == (0, "Sent to ops.\n")
    code, _, err = run(capsys, "alerts", "--test", "nobody")
    assert code == 1
    assert err.startswith("ALR-002")


def test_a_collector_watches_beside_its_work(
    tables: Path, receiver: Receiver, capsys: pytest.CaptureFixture[str]
) -> None:
    """The watch runs a round when one is due, tells a fault once, and stops nothing."""
    unread(tables)
    configure(receiver.url)
    receiver.answers = [404]
    watch = AlertWatch(settings.load(), every_s=0.0)
    for _ in range(2):
        watch.tick(Lake(tables))
    assert capsys.readouterr().err.count("ALR-404") == 1
    waiting = AlertWatch(settings.load(), every_s=3600.0)
    waiting.tick(Lake(tables))
    assert receiver.answers == []


def test_a_fault_nobody_foresaw_ends_no_collecting(
    tables: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is told in one line, once, without what the fault quotes."""
    configure("http://127.0.0.1:9/x")

    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a secret")

    monkeypatch.setattr("core.alerts.run_round", broken)
    watch = AlertWatch(settings.load(), every_s=0.0)
    for _ in range(2):
        watch.tick(Lake(tables))
    err = capsys.readouterr().err
    assert err.count("ALR-500: A round of alerts failed: ZeroDivisionError.") == 1
    assert "secret" not in err
