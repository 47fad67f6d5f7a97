"""`cachewise collect`, as a person or a service manager runs it."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from cli.main import main
from core.telemetry import prompt_store_hit_line, prompt_store_miss_line, prompt_stored_line
from tests.support import moto_logs
from tests.support.log_lines import cost, dressed, invocation, report, rid, start, text_of

ROOT = Path(__file__).parents[2]


class Shell:
    """Runs cachewise in a folder of its own: as another process, or in this one, which is much quicker."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("CACHEWISE", "AWS"))}
        self.environ = {**kept, **moto_logs.CREDENTIALS, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"}

    def start(self, *args: str, **more: Any) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "cli", *args], cwd=self.folder, env=self.environ, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more,
        )  # fmt: skip

    def run(self, *args: str, stdin: str | None = None) -> tuple[int, dict[str, Any], str]:
        process = self.start(*args, stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL)
        out, err = process.communicate(stdin, timeout=100)
        return process.returncode, json.loads(out) if out.startswith("{") else {}, err

    def here(self, *args: str) -> tuple[int, dict[str, Any], str]:
        out, err = io.StringIO(), io.StringIO()
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
            patch.chdir(self.folder)
            for name in (name for name in os.environ if name.startswith(("CACHEWISE", "AWS"))):
                patch.delenv(name)
            for name, value in self.environ.items():
                patch.setenv(name, value)
            with pytest.raises(SystemExit) as ended:
                main(list(args))
        told = out.getvalue()
        return int(ended.value.code or 0), json.loads(told) if told.startswith("{") else {}, err.getvalue()


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


@pytest.fixture
def endpoint() -> Iterator[str]:
    with moto_logs.running() as url:
        yield url


READ, WRITE = 6_000, 2_500
STREAMS, PER_STREAM = 5, 125  # 5 × 125 requests × 8 lines = 5,000 events


def the_service_s_lines(now_ms: int) -> dict[str, list[tuple[int, str]]]:
    """Return the events of five environments: each writes its prefix once, then reads it 124 times."""
    streams = {}
    for s in range(STREAMS):
        events: list[tuple[int, str]] = []
        for n in range(PER_STREAM):
            at = now_ms - 3_600_000 + n * 20_000 + s * 100
            name = rid(s * 1_000 + n)
            first = n == 0
            read, write = (0, WRITE) if first else (READ, 0)
            store = (
                [(10, prompt_store_miss_line("sales")), (150, prompt_stored_line("sales"))]
                if first
                else [(10, prompt_store_hit_line("sales")), (11, "a line of the application")]
            )
            line = cost(given=100, output=200, read=read, write=write, dollars="0.000001")
            told = [(0, start(name)), *store, (20, "another"), (700, dressed(line, at + 700, name) if s % 2 else line),
                    (710, "sent"), (711, f"END RequestId: {name}"), (712, report(name, ms=500.0 + n))]  # fmt: skip
            events += [(at + after, text + "\n") for after, text in told]
        streams[f"2026/11/20/[{s + 1}]{s:032x}"] = events
    return streams


def test_five_thousand_events_from_cloudwatch_give_the_figures_of_a_calculation_by_hand(
    shell: Shell, endpoint: str
) -> None:
    """boto3 puts them, `collect` reads them twice, the second time adds nothing, `metrics` says what paper says."""
    for stream, events in the_service_s_lines(time.time_ns() // 1_000_000).items():
        moto_logs.put(endpoint, "/aws/lambda/bodo-ws", stream, events)
    (shell.folder / "cachewise.toml").write_text(
        f"""
        [[sources]]
        name = "bodo"
        kind = "cloudwatch"
        log_group = "/aws/lambda/bodo-ws"
        region = "{moto_logs.REGION}"
        endpoint_url = "{endpoint}"
        since_days = 1
        defaults = {{ provider = "anthropic", model = "claude-opus-4-5", cache_ttl = "1h", caching_enabled = true }}
        """
    )

    first_code, first, _ = shell.run("collect", "--once")
    second_code, second, _ = shell.here("collect", "--once")
    _, metrics, _ = shell.here("metrics", "--json")

    assert (first_code, second_code) == (0, 0)
    assert (first["read"], first["ignored"], first["skipped"]) == (5_000, STREAMS * (3 * PER_STREAM - 1), 0)
    assert (first["new_calls"], first["new_invocations"], first["new_prompt_store_events"]) == (625, 625, 630)
    assert [second[key] for key in ("new_calls", "new_invocations", "new_prompt_store_events", "replaced")] == [0] * 4

    calls, reads = STREAMS * PER_STREAM, STREAMS * (PER_STREAM - 1)
    per_token = Decimal("0.000001")
    spent = per_token * (5 * 100 * calls + 25 * 200 * calls) + per_token * (
        Decimal("0.5") * READ * reads + 10 * WRITE * STREAMS
    )
    uncached = per_token * (5 * 100 * calls + 25 * 200 * calls + 5 * READ * reads + 5 * WRITE * STREAMS)
    expected = {
        "calls": calls, "invocations": calls, "input_tokens": 100 * calls, "output_tokens": 200 * calls,
        "cache_read_tokens": READ * reads, "cache_write_5m_tokens": 0, "cache_write_1h_tokens": WRITE * STREAMS,
        "prompt_store_hits": reads, "prompt_store_misses": STREAMS,
    }  # fmt: skip
    assert {key: metrics[key] for key in expected} == expected
    assert Decimal(metrics["cost_usd"]) == spent
    assert Decimal(metrics["no_cache_cost_usd"]) == uncached
    assert Decimal(metrics["net_savings_usd"]) == uncached - spent
    assert metrics["token_hit_rate"] == pytest.approx(READ * reads / (READ * reads + WRITE * STREAMS + 100 * calls))
    assert metrics["request_hit_rate"] == pytest.approx(reads / calls)
    assert metrics["prompt_store_hit_rate"] == pytest.approx(reads / calls)
    assert metrics["price_coverage"] == 1
    assert metrics["response_time_ms"]["p50"] == pytest.approx(562.0)  # durations 500 … 624 ms, five of each


def test_paths_and_stdin_are_read_without_any_settings(shell: Shell) -> None:
    """A file by hand, then the same lines through a pipe: known already."""
    text = text_of([line for n in range(3) for line in invocation(n)])
    (shell.folder / "a.log").write_text(text)

    code, told, _ = shell.run("collect", "a.log")
    piped_code, piped, _ = shell.run("collect", "-", stdin=text)

    assert (code, told["read"], told["new_calls"], told["sources"][0]["source"]) == (0, 18, 3, "files")
    assert (piped_code, piped["read"], piped["new_calls"], piped["duplicates"]) == (0, 18, 0, 9)


def test_one_bad_source_never_stops_the_others(shell: Shell, endpoint: str) -> None:
    """A log group that is not there fails with its mend and exit code 1; the files beside it are read."""
    (shell.folder / "a.log").write_text(text_of(invocation(1)))
    (shell.folder / "cachewise.toml").write_text(
        f"""
        [[sources]]
        name = "gone"
        kind = "cloudwatch"
        log_group = "/aws/lambda/none"
        region = "{moto_logs.REGION}"
        endpoint_url = "{endpoint}"
        since_days = 0.1
        [[sources]]
        name = "here"
        kind = "files"
        paths = ["a.log"]
        """
    )

    code, told, err = shell.here("collect", "--json")

    assert (code, [one["status"] for one in told["sources"]], told["new_calls"]) == (1, ["failed", "done"], 1)
    assert err.splitlines() == [
        "gone: COL-404: There is no log group /aws/lambda/none in ap-northeast-2. "
        "Check log_group and region of the source."
    ]


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (["collect"], 1, "COL-201: There is nothing to collect"),
        (["collect", "--source", "nobody"], 1, 'COL-203: There is no source named "nobody".'),
        (["collect", "nowhere.log"], 1, "COL-301: There is no file at nowhere.log."),
        (["collect", "--interval", "-1"], 2, "Invalid value"),
    ],
)
def test_misuse_says_what_to_do(shell: Shell, args: list[str], code: int, message: str) -> None:
    """One line, a code, an exit code that scripts can tell apart."""
    got, _, err = shell.here(*args)

    assert got == code
    assert message in err
    assert "Traceback" not in err


def test_a_data_folder_that_cannot_be_written_is_told(shell: Shell) -> None:
    """Its parent is a file: nothing is read into nowhere, and the message names the place."""
    (shell.folder / "a.log").write_text(text_of(invocation(1)))
    (shell.folder / "occupied").write_text("")
    shell.environ["CACHEWISE_STORE_PATH"] = str(shell.folder / "occupied" / "data")

    code, _, err = shell.here("collect", "a.log")

    assert code == 1
    assert "STO-" in err and "occupied" in err and "Traceback" not in err


def test_a_table_of_another_version_is_left_alone(shell: Shell) -> None:
    """Columns we do not know: an error with its mend, and not a byte changed."""
    (shell.folder / "a.log").write_text(text_of(invocation(1)))
    other = shell.folder / "data" / "tables" / "calls"
    write_deltalake(other, pa.table({"date": ["2026-11-20"], "something": [1]}))
    before = sorted(path.name for path in other.rglob("*"))

    code, _, err = shell.here("collect", "a.log")

    assert code == 1
    assert "STO-" in err and "Traceback" not in err
    assert sorted(path.name for path in other.rglob("*")) == before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_following_stops_cleanly_when_asked(shell: Shell, number: signal.Signals) -> None:
    """What was written while it ran is in the tables; exit code 0, no noise."""
    path = shell.folder / "a.log"
    path.write_text(text_of(invocation(1)))
    process = shell.start("collect", "--follow", "--interval", "0.1", "--json", "a.log", bufsize=1)
    assert process.stdout is not None and process.stderr is not None
    first = json.loads(process.stdout.readline())
    with path.open("a") as handle:
        handle.write(text_of(invocation(2)))
    second = json.loads(process.stdout.readline())

    process.send_signal(number)
    process.wait(timeout=30)

    assert (first["new_calls"], second["new_calls"], process.returncode) == (1, 1, 0)
    assert process.stderr.read() == ""
    process.stdout.close()
    process.stderr.close()


def test_the_table_fits_a_terminal_of_80_columns(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No word of the table is cut off, as "recog…" would be."""
    from cli import collect

    monkeypatch.setenv("COLUMNS", "80")
    counts = dict.fromkeys(collect._SUMS, 10_038)
    collect._table([{"source": "bodo-legacy", "status": "partial", "skipped_by_reason": {}, **counts}])

    shown = capsys.readouterr().out
    assert "…" not in shown and all(word in shown for word in ("recognised", "duplicates", "partial", "10,038"))
