"""`cachewise report`: what it writes where, and misuse in one line."""

from __future__ import annotations

import csv
import io
import json
import sys
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest

from cli.main import main
from cli.report import progress_shown
from tests.support.lakes import fill
from tests.support.rows import make_call, make_unpriced_call


@pytest.fixture(autouse=True)
def _tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("CACHEWISE_CONFIG", "CACHEWISE_DEMO"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CACHEWISE_STORE_PATH", str(tmp_path / "data"))
    fill(tmp_path / "data" / "tables", calls=[make_call(engine="a"), make_call(engine="b", output_tokens=7)])


def run(*args: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(list(args))
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_the_report_totals_are_those_of_metrics(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """To the last digit, over the same range."""
    span = ["--from", "2026-11-01", "--to", "2026-12-01"]
    assert run("report", "--format", "csv", *span, "--by", "day,engine", "--out", "november.csv") == 0
    assert run("metrics", "--json", *span) == 0
    out = capsys.readouterr().out
    metrics = json.loads(out[out.index("{") :])

    rows = list(csv.DictReader(io.StringIO((tmp_path / "november.csv").read_text(encoding="utf-8-sig"))))

    assert [row["engine"] for row in rows] == ["a", "b", ""]
    assert rows[-1]["day"] == "TOTAL"
    assert rows[-1]["cost_usd [USD]"] == metrics["cost_usd"]
    assert sum(Decimal(row["cost_usd [USD]"]) for row in rows[:-1]) == Decimal(metrics["cost_usd"])


@pytest.mark.parametrize(
    ("begin", "end", "calls"),
    [
        ("2026-11-01", "2026-12-01", {"2026-11-01": "2", "2026-11-30": "1", "TOTAL": "3"}),  # New York's November
        ("2026-11-01T00:00+00:00", "2026-11-01T12:00Z", {"2026-10-31": "1", "2026-11-01": "1", "TOTAL": "2"}),
    ],
)
def test_dates_are_those_of_the_zone(
    begin: str, end: str, calls: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """A month in --zone is its own days, whole: from its first midnight to its last, an hour longer in a November."""
    moments = ["2026-11-01T03:59:59", "2026-11-01T04:00:00", "2026-11-02T04:59:59", "2026-12-01T04:59:59",
               "2026-12-01T05:00:00"]  # fmt: skip
    fill(tmp_path / "zones" / "tables", calls=[make_call(ts=datetime.fromisoformat(f"{at}+00:00")) for at in moments])
    monkeypatch.setenv("CACHEWISE_STORE_PATH", str(tmp_path / "zones"))
    span = ["--from", begin, "--to", end, "--zone", "America/New_York"]

    assert run("report", *span, "--out", "x.csv") == 0
    assert run("metrics", "--json", "--by", "day", *span) == 0
    told = json.loads(capsys.readouterr().out.split("\n", 1)[1])
    rows = csv.DictReader(io.StringIO((tmp_path / "x.csv").read_text(encoding="utf-8-sig")))

    assert {row["day"]: row["calls [count]"] for row in rows} == calls
    assert told["calls"] == int(calls["TOTAL"])
    assert {group["day"]: str(group["calls"]) for group in told["groups"]} | {"TOTAL": calls["TOTAL"]} == calls


def test_standard_output_and_json(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """A dash writes the bytes out; --json tells what a file holds."""
    assert run("report", "--by", "engine") == 0
    assert capfdbinary.readouterr().out.startswith(b"engine,calls [count],")
    assert run("report", "--by", "engine", "--format", "parquet", "--out", "x.parquet", "--json") == 0
    assert json.loads(capfdbinary.readouterr().out) == {
        "file": "x.parquet",
        "format": "parquet",
        "rows": 2,
        "from": None,
        "to": None,
    }


def test_calls_that_focus_cannot_hold_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A call without a price is in no row, and standard error says how many there are."""
    fill(tmp_path / "data" / "tables", calls=[make_unpriced_call()])

    assert run("report", "--format", "focus", "--billing-account", "org-7", "--out", "focus.csv") == 0

    assert capsys.readouterr().err == "1 calls have no price and are in no row.\n"
    assert ",org-7," in (tmp_path / "focus.csv").read_text()


@pytest.mark.parametrize("terminal", [True, False])
def test_progress_is_for_terminals(
    terminal: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A person sees how far a long report is, in the report's language; a log or a pipe sees nothing."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)

    with progress_shown("ko") as progress:
        progress("progress.causes", 3, 12)

    err = capsys.readouterr().err
    assert ("미스 원인" in err and "3/12" in err) is terminal
    assert bool(err) is terminal


@pytest.mark.parametrize(
    ("args", "code", "says"),
    [
        (["--format", "docx"], 2, "REP-001"),
        (["--json"], 2, "REP-003"),
        (["--by", "colour"], 2, "MET-004"),
        (["--allocate", "by-luck"], 2, "MET-007"),
        (["--allocate", "even", "--by", "day"], 1, "MET-004"),
        (["--out", "absent/x.csv"], 1, "REP-002"),
        (["--zone", "Mars"], 1, "MET-002"),
    ],
)
def test_faults_are_one_line(capsys: pytest.CaptureFixture[str], args: list[str], code: int, says: str) -> None:
    """With the code of the error and the exit code of its kind."""
    assert run("report", *args) == code
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert says in err
