"""`cachewise misses` and `cachewise ttl`: the stable JSON, the tables, misuse in one line."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from cli.main import main
from tests.support.lakes import fill
from tests.support.rows import make_failed_call
from tests.support.traffic import at, reads, writes


@pytest.fixture
def tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of settings and data, and an environment without ours."""
    monkeypatch.chdir(tmp_path)
    for name in ("CACHEWISE_CONFIG", "CACHEWISE_DEMO", "CACHEWISE_PRICE_FILES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CACHEWISE_STORE_PATH", str(tmp_path / "data"))
    return tmp_path / "data" / "tables"


def run(capsys: pytest.CaptureFixture[str], *args: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(list(args))
    out, err = capsys.readouterr()
    assert isinstance(ended.value.code, int)
    return ended.value.code, out, err


def as_json(capsys: pytest.CaptureFixture[str], *args: str) -> Any:
    code, out, err = run(capsys, *args, "--json")
    assert (code, err) == (0, "")
    return json.loads(out)


def lived(tables: Path) -> None:
    """Calls every twenty minutes under 5m, and one that read."""
    rows = [writes(at(minutes=20 * n), ttl="5m") for n in range(5)]
    fill(tables, calls=[*rows, reads(at(minutes=82))])


def test_misses_as_json(tables: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Totals, causes and mends; dollars as decimal strings."""
    lived(tables)

    found = as_json(capsys, "misses")

    causes = {row["cause"]: row["tokens"] for row in found["groups"]}
    assert causes == {"expired_5m": 24_000, "first_touch": 6_000, "dynamic_tail": 600}
    assert found["tokens"] == sum(causes.values())
    assert [(row["cause"], row["best_policy"]) for row in found["recoverable"]] == [("expired_5m", "1h")]
    assert found["usd"] == "0.175200000000"
    (mend,) = found["recoverable"]
    by_engine = as_json(capsys, "misses", "--by", "engine")["groups"][0]
    by_cause = next(row for row in found["groups"] if row["cause"] == "expired_5m")
    assert {row["recoverable_usd"] for row in (found, mend, by_engine, by_cause)} == {mend["recoverable_usd"]}


def test_misses_of_and_by_tenants(tables: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each verb takes them; calls that nobody tagged are a group with its name."""
    fill(tables, calls=[writes(at(minutes=0), tenant="acme"), writes(at(minutes=90)), reads(at(minutes=91))])

    groups = as_json(capsys, "misses", "--by", "tenant")["groups"]
    own = as_json(capsys, "misses", "--tenant", "acme")

    assert {row["tenant"]: row["calls"] for row in groups} == {"acme": 1, None: 2}
    assert own["tokens"] == next(row["tokens"] for row in groups if row["tenant"] == "acme")
    assert "(untagged)" in run(capsys, "misses", "--by", "tenant")[1]
    assert as_json(capsys, "ttl", "--tenant", "nobody here")["advice"] == []


def test_misses_by_other_columns(tables: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Any of the ledger's columns, several at once."""
    lived(tables)

    found = as_json(capsys, "misses", "--by", "engine,cause")

    assert {(row["engine"], row["cause"]) for row in found["groups"]} == {
        ("tutor", "expired_5m"), ("tutor", "first_touch"), ("tutor", "dynamic_tail"),
    }  # fmt: skip


def test_a_range_knows_what_came_before(tables: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The first call of the range had expired: it is no first touch."""
    lived(tables)

    found = as_json(capsys, "misses", "--from", at(minutes=10).isoformat())

    assert {row["cause"] for row in found["groups"]} == {"expired_5m", "dynamic_tail"}


def test_ttl_as_json(tables: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The advice with its interval, every policy, gaps, crossover and bursts."""
    lived(tables)

    found = as_json(capsys, "ttl")

    (advice,) = found["advice"]
    assert (advice["engine"], advice["configured"], advice["best"]) == ("tutor", "5m", "1h")
    assert advice["model_error"] == 0
    assert len(found["policies"]) == 4
    assert found["mix"]["best_mix"] == {"tutor": "1h"}
    assert set(found) >= {"gaps", "crossover", "bursts", "span_days"}


@pytest.mark.parametrize("verb", ["misses", "ttl"])
def test_tables_for_people(tables: Path, capsys: pytest.CaptureFixture[str], verb: str) -> None:
    """The engine and what to do stand in the table."""
    lived(tables)

    code, out, _ = run(capsys, verb)

    assert code == 0
    assert "tutor" in out
    assert "1 hour" in out or "1h" in out


@pytest.mark.parametrize("verb", ["misses", "ttl"])
def test_what_rests_on_defaults_is_told(tables: Path, capsys: pytest.CaptureFixture[str], verb: str) -> None:
    """How many of the calls judged have their model or TTL from the settings: in JSON, and below the tables."""
    told = [writes(at(minutes=20 * n), ttl="5m") for n in range(4)]
    fill(tables, calls=[*told, writes(at(minutes=80), ttl="5m", model_known_by="defaults", ttl_known_by="defaults")])

    found, (_, out, _) = as_json(capsys, verb)["known_by"], run(capsys, verb)

    assert [found[name] for name in ("calls", "calls_by_defaults", "model_by_defaults", "ttl_by_defaults")] == [
        5,
        1,
        1,
        1,
    ]
    assert Decimal(found["cost_by_defaults_usd"]) > 0
    assert "of 5 calls, the model of 1 and the TTL of 1 come from the source's defaults" in out
    assert "How it is known" not in run(capsys, verb, "--to", at(minutes=70).isoformat())[1]


@pytest.mark.parametrize("verb", ["misses", "ttl"])
def test_nothing_collected_yet(tables: Path, capsys: pytest.CaptureFixture[str], verb: str) -> None:
    """No tables: no rows, no error."""
    code, out, err = run(capsys, verb, "--json")

    assert (code, err) == (0, "")
    assert json.loads(out)


def test_misuse_is_one_line(tables: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An unknown group is refused with what is accepted."""
    code, _, err = run(capsys, "misses", "--by", "colour")

    assert code == 2
    assert 'MIS-001: --by "colour"' in err
    assert "Accepted: cause, engine" in err


def test_what_cannot_be_told_says_what_to_do_next(tables: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No table of zeros where no call has a price."""
    fill(tables, calls=[writes(at(minutes=0), model="claude-nobody")])

    assert "None of the 1 calls in this range has a price" in run(capsys, "ttl")[1]


def test_more_calls_than_are_judged_at_once(
    tables: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The newest hours are judged; that and since when is said beside the figures and in the JSON."""
    fill(tables, calls=[writes(at(hours=n), ttl="1h") for n in range(5)])
    monkeypatch.setattr("core.traffic.bounds.AT_ONCE", 3)

    _, out, err = run(capsys, "misses")
    _, told, _ = run(capsys, "ttl", "--json")

    assert "TOTAL" in out
    since = at(hours=2).isoformat().replace("+00:00", "Z")
    assert err.startswith(f"The range holds more than 3 calls: the newest of them are judged, since {since[:16]}Z.")
    assert json.loads(told)["judged_from"] == since

    code, out, err = run(capsys, "misses", "--whole", "--json")
    assert (code, err) == (0, "")
    assert json.loads(out)["judged_from"] is None
    assert json.loads(out)["calls"] == 5


@pytest.mark.parametrize("verb", ["misses", "ttl", "regressions"])
def test_nothing_to_judge_is_no_good_news(tables: Path, capsys: pytest.CaptureFixture[str], verb: str) -> None:
    """Without a call, or with none that matches, there is no table and no verdict: it says what the tables hold."""
    code, out, err = run(capsys, verb)
    assert (code, out) == (0, "")
    assert err.startswith(f"No calls in {tables} yet.")

    lived(tables)
    code, out, err = run(capsys, verb, "--engine", "nobody")
    assert (code, out) == (0, "")
    assert err == (
        f"No call matches the range and the filters; the tables hold calls of {at():%Y-%m-%d} to {at():%Y-%m-%d}.\n"
    )


@pytest.mark.parametrize("verb", ["misses", "ttl", "regressions"])
def test_failed_calls_are_told_where_nothing_else_is_there(
    tables: Path, capsys: pytest.CaptureFixture[str], verb: str
) -> None:
    """Calls in range that all failed are not "no call": they were there, and returned no tokens."""
    fill(tables, calls=[make_failed_call(ts=at()), make_failed_call(ts=at(minutes=1))])

    code, out, err = run(capsys, verb)

    assert (code, out) == (0, "")
    assert err == "No call of the range and the filters told any tokens: 2 failed, 0 came back without.\n"


def test_cents_that_are_there_are_never_shown_as_none(tables: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A tenth of a cent is no $0.00, in no table; a month of an hour of calls is said to be a guess."""
    fill(tables, calls=[writes(at(), input_tokens=300), reads(at(minutes=1), input_tokens=300)])

    _, misses, _ = run(capsys, "misses")
    _, ttl, _ = run(capsys, "ttl")

    (tail,) = [line for line in misses.splitlines() if "dynamic_tail" in line]
    assert "$0.00 " not in tail
    assert "$0.002700" in tail  # 600 tokens × ($5 − $0.50) / million
    assert "Fewer than 3 days of calls: a month and its intervals say little yet." in ttl


def test_an_empty_report_says_why(tables: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A newcomer who exports before anything was collected learns what to do, not only that no row was written."""
    code, out, err = run(capsys, "report", "--out", str(tmp_path / "none.csv"))

    assert (code, out) == (0, f"Wrote 0 rows to {tmp_path / 'none.csv'}.\n")
    assert "Run `cachewise collect`, or `export CACHEWISE_DEMO=true`" in err
