"""`cachewise reprice`, `compact`, `expire` and `doctor`, as a person or a script runs them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from cli.main import main
from core.pricing import default_book
from core.pricing.ledger import PRICED, price_columns
from core.store.lake import Lake
from core.store.schema import CALLS
from simulator.cloudwatch.answers import DEFAULT_ACCOUNT, Cloud
from simulator.cloudwatch.faults import FaultPlan, Outage
from simulator.cloudwatch.server import running_cloud
from simulator.cloudwatch.traffic import PROMPT, Life, live
from simulator.messages.clock import SimulatedClock
from tests.support import moto_logs
from tests.support.rows import make_call, make_pass, make_unpriced_call, table_of

LOG_GROUP = "/aws/lambda/bodo-ws"
SOURCE = """
[store]
path = "data"
[[sources]]
name = "bodo"
kind = "cloudwatch"
log_group = "{group}"
region = "{region}"
endpoint_url = "{url}"
since_days = 1
defaults = {{ provider = "anthropic", model = "claude-opus-4-5", cache_ttl = "1h", caching_enabled = true }}
"""
PRICES = """
[[rows]]
model = "claude-opus-4-5"
scope = "anthropic"
input = 4.0
cache_write_5m = 5.0
cache_write_1h = 8.0
cache_read = 0.4
output = 20.0
source = "contract"
"""


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """Two calls, one of them 500 days old, priced by the built-in book; no settings but a price file."""
    (tmp_path / "prices.toml").write_text(PRICES)
    for name in ("CACHEWISE_CONFIG", "CACHEWISE_DEMO", "AWS_ENDPOINT_URL", "ANTHROPIC_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CACHEWISE_STORE_PATH", str(tmp_path))
    monkeypatch.setenv("CACHEWISE_PRICE_FILES", str(tmp_path / "prices.toml"))
    monkeypatch.chdir(tmp_path)
    now = datetime.now(UTC)
    told = table_of("calls", [make_call(ts=now, call_id="new"), make_call(ts=now - timedelta(days=300), call_id="old")])
    priced = price_columns(default_book(), told)
    for name in PRICED:
        told = told.set_column(CALLS.get_field_index(name), CALLS.field(name), priced[name])
    lake = Lake(tmp_path / "tables")
    lake.commit("calls", told)
    lake.commit("ingest_passes", table_of("ingest_passes", [make_pass(ts=now)]))
    return lake


def run(*args: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(list(args))
    out, err = capsys.readouterr()
    return int(ended.value.code or 0), out, err


def told(*args: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, Any]]:
    code, out, _ = run(*args, "--json", capsys=capsys)
    return code, json.loads(out)


def cost(lake: Lake) -> dict[str, Decimal]:
    return {row["call_id"]: row["cost_usd"] for row in Lake(lake.path).read("calls").to_pylist()}


def test_reprice_previews_asks_applies_and_undoes(lake: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is written before a yes; undone, every dollar is back."""
    before = cost(lake)

    code, dry = told("reprice", "--dry-run", capsys=capsys)
    assert (code, dry["applied"], dry["changed"]) == (0, False, 2)
    assert dry["models"][0]["old_usd"] == "0.001500000000"
    code, _, err = run("reprice", capsys=capsys)
    assert (code, "CFG-020" in err, cost(lake)) == (1, True, before)

    code, done = told("reprice", "--yes", capsys=capsys)
    assert (code, done["applied"], cost(lake)["new"]) == (0, True, Decimal("0.0006"))
    code, known = told("reprice", "--undo", "--dry-run", capsys=capsys)
    assert [item["action_id"] for item in known["undoable"]] == [done["action_id"]]
    code, undone = told("reprice", "--undo", "--yes", capsys=capsys)

    assert (code, undone["restored"], cost(lake)) == (0, 2, before)
    assert run("reprice", "--undo", "--yes", capsys=capsys)[0] == 1


def test_reprice_of_a_range_and_its_table(lake: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    """--from narrows; the table for people names model, counts and dollars."""
    code, out, _ = run("reprice", "--from", "7d", "--dry-run", capsys=capsys)

    assert code == 0
    assert "over 1 calls" in out
    assert "claude-opus-4-5" in out
    assert run("reprice", "--action", "x", capsys=capsys)[0] == 2


def test_what_had_no_price_did_not_cost_nothing(lake: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    """Dollars of calls that had no price are unknown before the repricing, and no 0.000000."""
    stored = make_unpriced_call(ts=datetime.now(UTC), model="claude-haiku-4-5", engine="found")
    lake.commit("calls", table_of("calls", [stored]))

    _, out, _ = run("reprice", "--dry-run", capsys=capsys)

    (line,) = [line for line in out.splitlines() if "claude-haiku-4-5" in line]
    cells = [cell.strip() for cell in line.strip("│").split("│")]
    assert cells[1:6] == ["1", "1", "1", "0", "–"]
    assert Decimal(cells[6]) > 0


def test_dollars_that_stay_unknown_are_no_zero(lake: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    """A model without a price before and after has no dollars to tell, and no change of them."""
    lake.commit("calls", table_of("calls", [make_unpriced_call(ts=datetime.now(UTC))]))

    _, out, _ = run("reprice", "--dry-run", capsys=capsys)
    _, dry = told("reprice", "--dry-run", capsys=capsys)

    (line,) = [line for line in out.splitlines() if "claude-unheard-of" in line]
    assert [cell.strip() for cell in line.strip("│").split("│")][3:] == ["0", "0", "–", "–", "–"]
    assert [item["still_unpriced"] for item in dry["models"] if item["model"] == "claude-unheard-of"] == [1]


def test_compact_joins_small_files(lake: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    """Many commits of one day become one file; rows stay."""
    now = datetime.now(UTC)
    for _ in range(5):
        lake.commit("calls", table_of("calls", [make_call(ts=now)]))

    code, done = told("compact", "--table", "calls", capsys=capsys)

    (row,) = done["tables"]
    assert (code, row["files_before"], row["files"], row["rows"]) == (0, 7, 2, 7)
    assert run("compact", "--table", "nothing", capsys=capsys)[0] == 2


def test_expire_previews_and_drops(lake: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    """The preview counts rows by table; without --yes nobody can be asked and nothing goes."""
    code, dry = told("expire", "--older-than", "200d", "--dry-run", capsys=capsys)
    assert (code, dry["tables"]["calls"]["rows"], dry["expired"]) == (0, 1, False)
    assert run("expire", "--older-than", "200d", capsys=capsys)[0] == 1

    code, done = told("expire", "--older-than", "200d", "--yes", capsys=capsys)

    assert (code, done["expired"], set(cost(lake))) == (0, True, {"new"})


@pytest.mark.parametrize("age", ["400", "0d", "d", "-3d", "1y"])
def test_an_age_that_is_none_is_misuse(lake: Lake, age: str, capsys: pytest.CaptureFixture[str]) -> None:
    """It is named with what is accepted."""
    code, _, err = run("expire", f"--older-than={age}", capsys=capsys)

    assert code == 2
    assert "Accepted: 1d to 36500d" in err


def test_doctor_says_one_line_for_each_check(lake: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    """Without sources nothing fails; the result is kept for the dashboard."""
    code, out, _ = run("doctor", capsys=capsys)

    assert code == 0
    assert "warn settings" in out
    assert "ok   tables · calls" in out
    assert (lake.path / ".checkup.json").exists()


def test_doctor_exits_with_1_when_something_must_be_mended(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A price file that is gone, and settings that cannot be read, are told with their codes."""
    monkeypatch.setenv("CACHEWISE_PRICE_FILES", "gone.toml")
    code, report = told("doctor", capsys=capsys)
    assert (code, report["ok"], report["counts"]["fail"]) == (1, False, 1)
    assert "PRC-001" in [check["code"] for check in report["checks"]]

    Path("cachewise.toml").write_text("[store\n")
    code, report = told("doctor", capsys=capsys)
    assert (code, [check["code"] for check in report["checks"]]) == (1, ["CFG-002", None])


@pytest.mark.parametrize(
    ("account", "code", "told_of"),
    [
        ("healthy", 0, ["ok   source · bodo", "ok   log_levels · bodo", "ok   freshness · bodo: It is complete up to"]),
        ("throttled", 0, ["warn source · bodo: CloudWatch Logs throttles", "[COL-429]"]),
        ("expired", 1, ["FAIL source · bodo: The AWS credentials", "aws sso login", "[COL-402]"]),
        ("biased", 1, ["FAIL log_levels · bodo: ApplicationLogLevel", "FAIL log_levels · bodo: SystemLogLevel"]),
    ],
)
def test_doctor_on_accounts_of_every_health(
    account: str,
    code: int,
    told_of: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Collected from a simulated account and looked at: what is wrong, in a line with its mend, and the exit code."""
    for name, value in moto_logs.CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    cloud = Cloud(SimulatedClock())
    group = cloud.groups.make(LOG_GROUP, account=DEFAULT_ACCOUNT, region=moto_logs.REGION, now_ms=cloud.now_ms)
    live(group, Life(1, cloud.now_ms - 3_600_000, hours=0.9, requests=5, lateness=PROMPT))
    level = "WARN" if account == "biased" else "INFO"
    logging = {"LogFormat": "JSON", "ApplicationLogLevel": level, "SystemLogLevel": level, "LogGroup": LOG_GROUP}
    cloud.functions["bodo-ws"] = {"LoggingConfig": logging}
    with running_cloud(cloud) as url:
        Path("cachewise.toml").write_text(SOURCE.format(group=LOG_GROUP, region=moto_logs.REGION, url=url))
        assert run("collect", capsys=capsys)[0] == 0
        if account == "throttled":
            cloud.faults = FaultPlan(rates={"throttle": 1.0})
        if account == "expired":
            cloud.faults = FaultPlan(outages=(Outage("expired_credentials", 0, 2**62),))
        ended, out, _ = run("doctor", capsys=capsys)

    assert (ended, [words for words in told_of if words not in out]) == (code, []), out
