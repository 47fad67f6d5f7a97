"""A collector killed at any point loses nothing and doubles nothing."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

from core.store.lake import Lake

PASSES = """
import json, sys
from core.store.lake import Lake
from tests.support.rows import NOON, make_call, make_invocation, make_pass, table_of

lake, last = Lake(sys.argv[1]), int(sys.argv[2])
with lake.writer_lock():
    found = lake.last_pass("bodo")
    begin = json.loads(found["cursor_json"])["next"] if found else 0
    for number in range(begin, last):
        names = [f"{number}-{i}" for i in range(5)]
        lake.commit("calls", table_of("calls", [make_call(call_id=n) for n in names]), source="bodo", pass_no=number)
        told = table_of("invocations", [make_invocation(invocation_id=n) for n in names])
        lake.commit("invocations", told, source="bodo", pass_no=number)
        row = make_pass(pass_id=f"p{number}", cursor_json=json.dumps({"next": number + 1}))
        lake.commit("ingest_passes", table_of("ingest_passes", [row]), source="bodo", pass_no=number)
        print(number, flush=True)
"""


def collector(path: Path, last: int) -> subprocess.Popen[str]:
    root = Path(__file__).parents[3]
    return subprocess.Popen(
        [sys.executable, "-c", PASSES, str(path), str(last)], cwd=root, stdout=subprocess.PIPE, text=True
    )


def test_kill_9_at_any_point(tmp_path: Path) -> None:
    """Killed between and inside commits, begun again from the cursor: every row is there once."""
    for pause_s in (0.01, 0.04):
        with collector(tmp_path, 1000) as running:
            assert running.stdout is not None
            running.stdout.readline()
            time.sleep(pause_s)
            running.kill()

    found = Lake(tmp_path).last_pass("bodo")
    assert found is not None
    last = json.loads(found["cursor_json"])["next"] + 3
    with collector(tmp_path, last) as running:
        assert running.wait() == 0

    lake, expected = Lake(tmp_path), sorted(f"{number}-{i}" for number in range(last) for i in range(5))
    assert sorted(lake.read("calls")["call_id"].to_pylist()) == expected
    assert sorted(lake.read("invocations")["invocation_id"].to_pylist()) == expected
    assert sorted(lake.read("ingest_passes")["pass_id"].to_pylist()) == sorted(f"p{number}" for number in range(last))
    assert lake.last_pass_no("calls", "bodo") == last - 1
