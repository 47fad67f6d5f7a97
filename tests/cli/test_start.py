"""How quickly the command starts: what it need not load, it does not load."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from cli import accepted
from cli.main import VERBS, cachewise
from core import misses, probe, reconcile, report_settings, settings
from core.metrics.chargeback import RULES
from core.reports import files, words
from core.store.lake import Lake

ROOT = Path(__file__).resolve().parents[2]
TABLES = {"pyarrow", "numpy", "deltalake"}
HEAVY = {"duckdb", "ibis", "pandas", "boto3", "botocore", "anthropic", "pydantic", "streamlit", "plotly", "rich"}
LOOK = """
import sys
from cli.main import main
try:
    main(sys.argv[1:])
except SystemExit as done:
    assert not done.code, done.code
print("loaded", *sorted({name.partition(".")[0] for name in sys.modules}), sep=" ")
"""

ENDING = """
import atexit, sys
from cli import main
class Kept:
    def __del__(self):
        print("taken apart")
kept, run = Kept(), main._run
main._run = lambda args: (atexit.register(print, "called at exit"), run(args))
main.main()
"""

SETTING = """
import gc, os, sys
from cli.main import main
gc.set_threshold(700)
how = sys.argv.pop()
sys.argv.append("--version")
try:
    main(None if how == "command" else ["--version"])
finally:
    print(gc.get_threshold()[0], os.environ.get("OPENBLAS_NUM_THREADS"))
"""


def loaded_by(*args: str, tables: Path, look: str = LOOK) -> set[str]:
    """Return the packages that a command has loaded when it is done."""
    environ = {**os.environ, "CACHEWISE_STORE_PATH": str(tables)}
    done = subprocess.run(
        [sys.executable, "-c", look, *args], capture_output=True, text=True, cwd=ROOT, env=environ, check=True
    )
    return set(done.stdout.splitlines()[-1].split()[1:])


def test_help_loads_no_verb_and_no_table(tmp_path: Path) -> None:
    """Listing the verbs needs click and nothing else that is ours or heavy."""
    loaded = loaded_by("--help", tables=tmp_path)

    assert not loaded & {*TABLES, *HEAVY, "collector", "orjson"}


def test_the_help_of_no_verb_loads_tables_queries_or_aws(tmp_path: Path) -> None:
    """Options are told without what they are of: none of the verbs' help needs more than click and settings."""
    look = LOOK.replace("main(sys.argv[1:])", "[help_of(verb) for verb in sys.argv[1:]]").replace(
        "try:", "def help_of(verb):\n    try:\n        main([verb, '--help'])\n    except SystemExit: pass\ntry:"
    )
    loaded = loaded_by(*VERBS, tables=tmp_path, look=look)

    assert "cli" in loaded
    assert not loaded & {*TABLES, *HEAVY, "collector"}


def test_options_accept_what_their_subjects_know() -> None:
    """What help and choices say is what the reports, the probe and the miss ledger themselves accept."""
    assert accepted.REPORT_FORMATS == files.FORMATS
    assert accepted.ALLOCATION_RULES == RULES
    assert accepted.MISS_GROUPS == misses.GROUPS
    assert tuple(probe.SUITES) == accepted.PROBE_SUITES
    assert settings.PROVIDERS == reconcile.PROVIDERS
    assert report_settings.REPORT_LANGUAGES == words.LANGUAGES


def test_collecting_files_loads_the_tables_and_neither_their_queries_nor_aws(tmp_path: Path) -> None:
    """A file read: no query engine, no AWS, no data frames. Read again with nothing new: no tables either."""
    (tmp_path / "a.log").write_text("REPORT RequestId: x\n")

    first, second = (
        loaded_by("collect", "--json", str(tmp_path / "a.log"), tables=tmp_path / "tables") for _ in range(2)
    )

    assert first >= TABLES
    assert not first & HEAVY
    assert not second & {*TABLES, *HEAVY, "orjson", "msgspec", "arro3"}


def test_collecting_chooses_the_memory_of_arrow_before_arrow_is_loaded(tmp_path: Path) -> None:
    """Its Parquet part asks once: what it frees is to go back to the system, not to be kept beside what Delta takes."""
    log = tmp_path / "a.log"
    log.write_text("[INFO] 💰 API call\n", encoding="utf-8")
    spy = "from collector import memory\nlean = memory.lean\nseen = []\n"
    spy += "memory.lean = lambda: seen.append('late' if 'pyarrow' in sys.modules else 'early') or lean()\n"
    look = LOOK.replace("import sys\n", f"import os, sys\n{spy}").replace(
        'print("loaded",', 'print("loaded", seen[0], f"asked-{len(seen)}", os.environ["ARROW_DEFAULT_MEMORY_POOL"],'
    )
    loaded = loaded_by("collect", str(log), "--json", tables=tmp_path / "tables", look=look)

    assert {"early", "asked-1", "system", "pyarrow"} <= loaded


def test_a_session_is_read_without_the_forms_of_lambda_s_lines(tmp_path: Path) -> None:
    """A folder of Claude Code sessions does not take the quick lane of logs, nor what puts their lines together."""
    lines = ('{"type":"user","sessionId":"s","uuid":"u","timestamp":"2026-11-20T10:00:00.000Z","message":{}}\n',) * 3
    (tmp_path / "a.jsonl").write_text("".join(lines))
    look = LOOK.replace('name.partition(".")[0]', "name")

    loaded = loaded_by("collect", str(tmp_path / "a.jsonl"), tables=tmp_path / "tables", look=look)

    assert {"collector.sessions.lines", "pyarrow"} <= loaded
    assert not loaded & {"collector.lane.scan", "collector.lane.forms", "collector.correlate", "collector.streams"}


def test_a_question_loads_its_engine_and_no_data_frames(tmp_path: Path) -> None:
    """What asks the tables needs Ibis and DuckDB with DuckDB's SQL: neither pandas nor the SQL of other databases."""
    (tmp_path / "a.log").write_text("💰 API Cost: $0.001000 | input: 9, output: 1, cache_read: 0, cache_write: 0\n" * 3)
    loaded_by("collect", str(tmp_path / "a.log"), tables=tmp_path / "tables")
    look = LOOK.replace('name.partition(".")[0]', "name")

    loaded = loaded_by("misses", "--json", tables=tmp_path / "tables", look=look)

    assert {"ibis", "duckdb", "ibis.backends.sql.compilers.duckdb"} <= loaded
    assert not loaded & {"pandas", "boto3", "anthropic", "streamlit", "plotly", "ibis.backends.sql.compilers.bigquery"}


def test_a_table_of_figures_loads_no_writer_of_documents(tmp_path: Path) -> None:
    """A CSV takes neither what writes workbooks nor what draws PDF; joining files asks the tables nothing."""
    report = loaded_by("report", "--format", "csv", "--out", str(tmp_path / "a.csv"), tables=tmp_path / "tables")
    compact = loaded_by("compact", "--json", tables=tmp_path / "tables")

    assert not report & {"xlsxwriter", "reportlab", "pandas"}
    assert not compact & HEAVY


@pytest.mark.parametrize(
    ("args", "code", "said"), [("--version", 0, ["called at exit"]), ("nothing", 2, ["called at exit", "taken apart"])]
)
def test_a_verb_that_is_done_ends_without_being_taken_apart(args: str, code: int, said: list[str]) -> None:
    """What asked for it is called, and everything said has left; a process that failed ends the ordinary way."""
    done = subprocess.run([sys.executable, "-c", ENDING, args], capture_output=True, text=True, cwd=ROOT, check=False)

    assert done.returncode == code
    assert done.stdout.splitlines()[-len(said) :] == said
    assert done.stdout.startswith("cachewise, version") == (code == 0)


@pytest.mark.parametrize("threads", ["1", "4"])
def test_a_process_of_its_own_seldom_looks_for_cycles_and_starts_no_threads_for_sums(threads: str) -> None:
    """Set for the whole of a command, where nobody has said otherwise; a caller's process is left as it is."""
    given = {"OPENBLAS_NUM_THREADS": threads} if threads != "1" else {}
    environ = {name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"} | given

    command, caller = (
        subprocess.run(
            [sys.executable, "-c", SETTING, how], capture_output=True, text=True, cwd=ROOT, env=environ, check=True
        ).stdout.splitlines()[-1]
        for how in ("command", "caller")
    )

    assert command == f"100000 {threads}"
    assert caller == f"700 {given.get('OPENBLAS_NUM_THREADS')}"


@pytest.mark.parametrize("verb", VERBS)
def test_the_list_of_verbs_says_what_each_one_s_help_says_first(verb: str) -> None:
    """The sentence in the list is the verb's own; only so the list needs no verb."""
    command = cachewise.get_command(click.Context(cachewise), verb)

    assert command is not None
    assert command.help is not None
    assert " ".join(command.help.split()).startswith(VERBS[verb])


def into(path: str, *args: str, tables: Path) -> tuple[int, str]:
    """Run a command whose output goes to a file; return its exit code and what it said beside."""
    environ = {**os.environ, "CACHEWISE_STORE_PATH": str(tables)}
    with Path(path).open("wb") as sink:
        done = subprocess.run(
            [sys.executable, "-m", "cli", *args], stdout=sink, stderr=subprocess.PIPE, text=True, cwd=ROOT, env=environ
        )
    return done.returncode, done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
@pytest.mark.parametrize("args", [("--version",), ("metrics", "--json"), ("metrics", "--by", "engine")])
def test_output_that_cannot_be_written_is_told_in_one_line(tmp_path: Path, args: tuple[str, ...]) -> None:
    """A full disk where the output goes: what happened and what to do, no traceback, and a code that scripts see."""
    code, said = into("/dev/full", *args, tables=tmp_path)

    assert code == 1
    lines = [line for line in said.splitlines() if "No data" not in line and "Nothing" not in line]
    assert lines[-1].startswith("RUN-004: The output cannot be written: No space left on device. Free some space")
    assert "Traceback" not in said
    assert "ignored" not in said


@pytest.mark.parametrize("verb", ["--version", "collect a.log", "metrics --json", "report --format csv"])
def test_a_closed_output_is_told_in_one_line(tmp_path: Path, verb: str) -> None:
    """As after `>&-`: no traceback, a code that scripts see, and nothing written into whatever is opened first."""
    (tmp_path / "a.log").write_text("💰 API Cost: $0.001000 | input: 9, output: 1, cache_read: 0, cache_write: 0\n")
    environ = {**os.environ, "CACHEWISE_STORE_PATH": str(tmp_path / "tables"), "PYTHONPATH": str(ROOT)}
    line = f"exec {sys.executable} -m cli {verb} >&-"
    done = subprocess.run(["sh", "-c", line], stderr=subprocess.PIPE, text=True, cwd=tmp_path, env=environ)

    assert done.returncode == 1
    assert [said for said in done.stderr.splitlines() if said.startswith("RUN-004")] == [
        "RUN-004: The output cannot be written: Bad file descriptor. Free some space, or let it be written elsewhere."
    ]
    assert not {"Traceback", "ignored"} & set(done.stderr.split())


def test_nothing_is_said_where_all_is_closed(tmp_path: Path) -> None:
    """With neither input, output nor a place for errors it still ends with a code, and collects what it is given."""
    (tmp_path / "a.log").write_text("💰 API Cost: $0.001000 | input: 9, output: 1, cache_read: 0, cache_write: 0\n")
    environ = {**os.environ, "CACHEWISE_STORE_PATH": str(tmp_path / "tables"), "PYTHONPATH": str(ROOT)}
    line = f"exec {sys.executable} -m cli collect a.log <&- >&- 2>&-"

    code = subprocess.run(["sh", "-c", line], cwd=tmp_path, env=environ).returncode

    assert code == 1
    assert Lake(tmp_path / "tables" / "tables").read("calls").num_rows == 1


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    """As with `| head`: the command ends quietly."""
    environ = {**os.environ, "CACHEWISE_STORE_PATH": str(tmp_path)}
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "cli", "--help"],
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=environ,
    )
    os.close(writing)

    assert (done.returncode, done.stderr) == (1, "")  # as click and Python do
