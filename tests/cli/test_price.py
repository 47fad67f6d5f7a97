"""`cachewise price`."""

import json
import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
GOOD = {
    "id": "a",
    "provider": "anthropic",
    "model": "claude-opus-4-5",
    "at": "2026-11-20T10:00:00Z",
    "usage": {
        "input_tokens": 1_000,
        "cache_read_input_tokens": 10_000,
        "cache_creation_input_tokens": 500,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 500},
        "output_tokens": 100,
    },
}


def run(*args: str, given: str | bytes = "", folder: Path = ROOT, **env: str) -> tuple[int, list[dict], list[str]]:
    given = given.encode() if isinstance(given, str) else given
    done = subprocess.run(
        [sys.executable, "-m", "cli", "price", *args],
        input=given,
        capture_output=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **env},
        check=False,
    )
    lines = [json.loads(line) for line in done.stdout.decode().splitlines()]
    return done.returncode, lines, done.stderr.decode().splitlines()


def line(**changes: object) -> str:
    return json.dumps({key: value for key, value in (GOOD | changes).items() if value is not ...}) + "\n"


def test_a_line_is_priced():
    """Dollars come out as plain decimal strings, with the row and the book that gave them."""
    code, (priced,), errors = run("-", given=line())
    assert (code, errors) == (0, [])
    assert priced["id"] == "a" and priced["status"] == "priced" and priced["reason"] is None
    assert priced["price_row"] == "anthropic/claude-opus-4-5/2025-11-24"
    assert priced["cost_usd"] == "0.017500000000"
    assert priced["no_cache_usd"] == "0.060000000000"
    assert priced["net_savings_usd"] == "0.042500000000"
    assert priced["cache_write_5m_cost_usd"] == "0.000000000000"


def test_bad_lines_are_named_and_the_rest_is_priced(tmp_path: Path):
    """Every unreadable line is named with its number and reason; exit code 1 says that there were some."""
    written = "".join(
        [
            line(id=1),
            "{broken\n",
            "[1]\n",
            "\n",
            line(usage={"input_tokens": -1}),
            line(at=...),
            line(at="yesterday"),
            line(model=...),
            line(usage=...),
            line(provider=5),
            line(id=2),
        ]
    )
    path = tmp_path / "calls.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + written.encode() + b'{"id": "\xff"}\n')
    code, priced, errors = run(str(path))
    assert code == 1
    assert [item["id"] for item in priced] == [1, 2]
    starts = [
        "line 2: PRC-011",
        "line 3: PRC-011",
        "line 5: USG-001: input_tokens = -1",
        "line 6: PRC-012: at is missing",
    ]
    starts += ["line 7: PRC-012: at = 'yesterday'", "line 8: PRC-012: model is missing", "line 9: PRC-012: usage"]
    starts += ["line 10: PRC-012: provider = 5", "line 12: PRC-011"]
    assert len(errors) == len(starts) + 1
    for start, error in zip(starts, errors, strict=False):
        assert error.startswith(start)
    assert errors[-1].startswith("9 of 11 lines could not be read")


def test_an_unknown_model_is_unpriced_and_not_an_error():
    """Unpriced is an answer: no dollars, a reason, exit 0."""
    code, (priced,), errors = run("--json", given=line(model="gpt-4o"))
    assert (code, errors) == (0, [])
    assert (priced["status"], priced["cost_usd"], priced["reason"]) == ("unpriced", None, "unknown model gpt-4o")


@pytest.mark.parametrize(
    "at",
    [
        "2026-10-06T23:59:59Z",
        "2026-10-07T08:59:59+09:00",
        "2026-10-06",
        "2026-10-06T23:59:59",
        1791331199,
        1791331199000,
    ],
)
def test_every_spelling_of_time(at: object):
    """ISO 8601 with a zone, without one (UTC), a date, Unix seconds and milliseconds."""
    usage = {"input_tokens": 0, "cache_read_input_tokens": 1_000_000, "output_tokens": 0}
    _, (priced,), _ = run(given=line(at=at, model="claude-sonnet-5-5", usage=usage))
    assert Decimal(priced["cost_usd"]) == Decimal("0.2")


def test_refusals_and_other_shapes():
    """stop_reason and stop_category are taken; Converse usage is recognised; without a provider the id tells."""
    converse = {"inputTokens": 1_000_000, "outputTokens": 0, "totalTokens": 1_000_000}
    given = line(id="free", stop_reason="refusal", usage={"input_tokens": 1_000, "output_tokens": 0})
    given += line(
        id="billed", stop_reason="refusal", stop_category="bio", usage={"input_tokens": 1_000, "output_tokens": 0}
    )
    given += line(id="converse", provider=..., model="us.anthropic.claude-opus-5", usage=converse)
    _, priced, _ = run(given=given)
    assert [Decimal(item["cost_usd"]) for item in priced] == [Decimal(0), Decimal("0.005"), Decimal("5.5")]


def test_price_files_of_the_settings_are_used(tmp_path: Path):
    """Negotiated prices reach the command through the settings; a bad file stops it with one line."""
    path = tmp_path / "deal.toml"
    path.write_text("[[discounts]]\npercent = 50\n")
    _, (priced,), _ = run(given=line(), CACHEWISE_PRICE_FILES=str(path))
    assert priced["cost_usd"] == "0.008750000000"
    path.write_text("[[discounts]]\npercent = 150\n")
    code, priced_lines, errors = run(given=line(), CACHEWISE_PRICE_FILES=str(path))
    assert (code, priced_lines) == (1, [])
    assert len(errors) == 1 and "PRC-004" in errors[0] and "percent = 150" in errors[0]


def test_a_missing_file_is_one_line():
    """What cannot be opened is named with what to do."""
    code, priced, errors = run("no-such-file.jsonl")
    assert (code, priced) == (1, [])
    assert len(errors) == 1 and errors[0].startswith("PRC-010: no-such-file.jsonl cannot be read")


def test_a_terminal_gets_a_table(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path):
    """On a terminal the same prices come as a table."""
    from cli import price

    path = tmp_path / "calls.jsonl"
    path.write_text(line() + line(id="b", model="gpt-4o"))
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "160")
    assert price.command.main([str(path)], standalone_mode=False) == 0
    shown = capsys.readouterr().out
    assert "0.0175" in shown and "unknown model gpt-4o" in shown and "net savings" in shown


def test_input_streams_through():
    """A price is out before the next line is in: large input needs no memory, live input no waiting."""
    process = subprocess.Popen(
        [sys.executable, "-m", "cli", "price", "--json"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
        text=True,
    )
    assert process.stdin and process.stdout
    with process:
        for number in range(3):
            process.stdin.write(line(id=number))
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["id"] == number
        process.stdin.close()
    assert process.returncode == 0


def test_a_refusal_is_told_as_the_api_tells_it():
    """`stop_details` names the category; a whole response says itself how it ended and whether it answered."""
    refused = {"stop_reason": "refusal", "usage": {"input_tokens": 1_000, "output_tokens": 0}}
    whole = {"stop_reason": "refusal", "content": [], "usage": {"input_tokens": 1_000, "output_tokens": 3}}
    given = "".join([
        line(id="free", **refused),
        line(id="billed", **refused, stop_details={"type": "refusal", "category": "bio"}),
        line(id="answered", **refused, has_output=True),
        line(id="whole", usage=whole),
        line(id="bad", **refused, has_output="no"),
    ])  # fmt: skip
    code, priced, errors = run("-", given=given)
    assert {item["id"]: item["cost_usd"] for item in priced} == {
        "free": "0.000000000000",
        "billed": "0.005000000000",
        "answered": "0.005000000000",
        "whole": "0.000000000000",
    }
    assert code == 1 and errors[0] == "line 5: PRC-012: has_output = 'no' is not usable. Accepted: true, false."
