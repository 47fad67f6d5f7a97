"""`cachewise metrics`: the stable JSON, the table, the times it takes, and misuse in one line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from cli.asking import Misuse, parse_time
from cli.main import main
from tests.support.lakes import fill
from tests.support.rows import NOON, make_call, make_invocation, make_unpriced_call


@pytest.fixture
def tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of settings and data, and an environment without ours."""
    monkeypatch.chdir(tmp_path)
    for name in ("CACHEWISE_CONFIG", "CACHEWISE_DEMO", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CACHEWISE_STORE_PATH", str(tmp_path / "data"))
    return tmp_path / "data" / "tables"


def run(capsys: pytest.CaptureFixture[str], *args: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(["metrics", *args])
    out, err = capsys.readouterr()
    assert isinstance(ended.value.code, int)
    return ended.value.code, out, err


def as_json(capsys: pytest.CaptureFixture[str], *args: str) -> Any:
    code, out, err = run(capsys, "--json", *args)
    assert (code, err) == (0, "")
    return json.loads(out)


def test_json_has_dollars_as_decimal_strings(tables: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exact, without exponent; unknown is null."""
    fill(tables, calls=[make_call(cost_usd=Decimal("0.000000000001")), make_unpriced_call()])

    found = as_json(capsys)

    assert found["cost_usd"] == "0.000000000001"
    assert found["write_premium_usd"] == "0.000000000000"
    assert (found["calls"], found["price_coverage"], found["prompt_store_hit_rate"]) == (2, 0.5, None)
    assert found["response_time_ms"] == {"p50": None, "p95": None, "p99": None}
    assert "groups" not in found


def test_what_rests_on_defaults_is_told(tables: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In the JSON and in the table: how many calls have their model or TTL from the settings, and what they cost."""
    fill(tables, calls=[make_call(), make_call(cost_usd=Decimal("0.5"), told_by="text", model_known_by="defaults")])

    found, (code, out, _) = as_json(capsys), run(capsys)

    assert (found["calls_by_defaults"], found["model_by_defaults"], found["ttl_by_defaults"]) == (1, 1, 0)
    assert found["cost_by_defaults_usd"] == "0.500000000000"
    row = next(line for line in out.splitlines() if "cost_by_defaults_usd" in line)
    assert (code, "$0.500000" in row) == (0, True)
    said = "How it is known: of 2 calls, the model of 1 and the TTL of 0 come from the source's defaults"
    assert said in out
    assert said in run(capsys, "--by", "engine")[1]


def test_nothing_is_said_where_every_line_tells_all(tables: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """JSON has zeros then; of no call, the dollars are unknown."""
    nothing = as_json(capsys)
    fill(tables, calls=[make_call(model_known_by="record", ttl_known_by="record")])

    found, (_, out, _) = as_json(capsys), run(capsys)

    assert (nothing["calls_by_defaults"], nothing["cost_by_defaults_usd"]) == (0, None)
    assert (found["calls_by_defaults"], Decimal(found["cost_by_defaults_usd"])) == (0, 0)
    assert "How it is known" not in out


def test_groups_stand_beside_the_totals(tables: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same keys in each group, after the names of what it is grouped by."""
    fill(tables, calls=[make_call(engine="a"), make_call(engine="b"), make_call(engine="b", ts=NOON + timedelta(1))])

    found = as_json(capsys, "--by", "engine, day")

    assert [(g["engine"], g["day"], g["calls"]) for g in found["groups"]] == [
        ("a", "2026-11-20", 1),
        ("b", "2026-11-20", 1),
        ("b", "2026-11-21", 1),
    ]
    assert set(found["groups"][0]) == set(found) - {"groups"} | {"engine", "day"}
    assert sum(Decimal(g["cost_usd"]) for g in found["groups"]) == Decimal(found["cost_usd"])


def test_range_and_filters_narrow(tables: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """[from, to), and several values of one filter."""
    rows = [make_call(engine=e, ts=NOON + timedelta(days=n)) for n, e in enumerate("abc")]
    fill(tables, calls=rows, invocations=[make_invocation()])

    found = as_json(capsys, "--from", "2026-11-20", "--to", "2026-11-22T12:00", "--engine", "a", "--engine", "c")

    assert (found["from"], found["to"], found["calls"]) == ("2026-11-20T00:00:00Z", "2026-11-22T12:00:00Z", 1)
    assert as_json(capsys, "--model", "claude-opus-4-5")["invocations"] is None
    assert as_json(capsys, "--provider", "bedrock")["calls"] == 0
    assert as_json(capsys, "--function-version", "1")["invocations"] == 1


def test_tenants_narrow_and_so_does_having_none(tables: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Several of them, the calls that nobody tagged as the empty name; what knows no tenant is unknown."""
    fill(tables, calls=[make_call(tenant=tenant) for tenant in ("acme", "zen", "zen", None)])

    found = as_json(capsys, "--tenant", "acme", "--tenant", "zen", "--by", "tenant")

    assert [(row["tenant"], row["calls"]) for row in found["groups"]] == [("zen", 2), ("acme", 1)]
    assert (as_json(capsys, "--tenant", "")["calls"], as_json(capsys, "--tenant=")["invocations"]) == (1, None)
    assert "(untagged)" in run(capsys, "--by", "tenant")[1]


def test_the_table_shows_values_and_formulas(tables: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Percent, dollars with the sign in front, a dash for what is unknown."""
    fill(tables, calls=[make_call(engine="[red]x", cache_write_1h_tokens=10_000)])

    _, whole, _ = run(capsys)
    _, grouped, _ = run(capsys, "--by", "engine")

    assert "-$0.050000" in whole
    assert "Σ cache_read / Σ prompt" in whole
    assert "[red]x" in grouped
    assert "TOTAL" in grouped


def test_nothing_collected_yet_is_a_hint_not_an_error(tables: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 0, and the next step on the other stream."""
    code, out, err = run(capsys)

    assert code == 0
    assert "calls" in out
    assert "cachewise collect" in err


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["--from", "yesterday-ish"], 'MET-006: --from "yesterday-ish"'),
        (["--by", "engine,colour"], 'MET-004: --by "colour"'),
        (["--from", "2026-11-21", "--to", "2026-11-20"], "MET-001"),
    ],
)
def test_misuse_is_one_line_and_exit_2(
    tables: Path, capsys: pytest.CaptureFixture[str], args: list[str], says: str
) -> None:
    """What was wrong and what is accepted."""
    code, out, err = run(capsys, *args)

    assert (code, out, err.count("\n")) == (2, "", 1)
    assert says in err


def test_a_broken_table_is_one_line_and_exit_1(tables: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Not a traceback."""
    fill(tables, calls=[make_call()])
    next((tables / "calls" / "_delta_log").glob("*.json")).write_text("{")

    code, out, err = run(capsys, "--json")

    assert (code, out, err.count("\n")) == (1, "", 1)
    assert err.startswith("STO-005")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-20", "2026-11-20T00:00:00+00:00"),
        ("2026-11-20T09:00", "2026-11-20T09:00:00+00:00"),
        ("2026-11-20T09:00:00Z", "2026-11-20T09:00:00+00:00"),
        ("2026-11-20T09:00+09:00", "2026-11-20T00:00:00+00:00"),
        ("7d", "2026-11-13T12:00:00+00:00"),
        ("24h", "2026-11-19T12:00:00+00:00"),
        ("90m", "2026-11-20T10:30:00+00:00"),
        ("2w", "2026-11-06T12:00:00+00:00"),
        ("now", "2026-11-20T12:00:00+00:00"),
    ],
)
def test_times(text: str, expected: str) -> None:
    """Dates, times with and without zone, ages."""
    assert parse_time(text, "--from", now=NOON) == datetime.fromisoformat(expected).astimezone(UTC)


@pytest.mark.parametrize("text", ["", "7", "d", "7y", "2026-13-01", "999999w", "٧d"])
def test_what_is_no_time(text: str) -> None:
    """Out of range counts as wrong too."""
    with pytest.raises(Misuse, match="MET-006"):
        parse_time(text, "--to", now=NOON)


def test_the_table_says_why_calls_have_no_price(tables: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Below the dashes stand the models without a price and the reason, with the mend where there is one."""
    fill(tables, calls=[make_call(), make_unpriced_call(model=None, price_reason="model unknown: set defaults.model")])

    _, out, _ = run(capsys)

    assert out.startswith("everything stored")
    assert "unpriced calls: 1 – model unknown: set defaults.model" in out
    assert "With defaults set, `cachewise reprice --defaults` prices what is stored." in out


def test_a_terminal_without_unicode_gets_question_marks(tables: Path) -> None:
    """Dashes and Korean names it cannot show never end in a traceback."""
    root = Path(__file__).parents[2]
    environ = {**os.environ, "PYTHONPATH": str(root), "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"}
    command = [sys.executable, "-m", "cli", "metrics"]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)

    assert (done.returncode, "Traceback" in done.stderr) == (0, False)
    assert "cost_usd" in done.stdout
