"""How fast a folder of Claude Code sessions is read: the first time, and again after one line in a hundred is new.

Run: `python benchmarks/claude_code.py [--mb 50] [--ccusage PATH]`. With the path of a `ccusage` command (npm packages
`ccusage` and `@ccusage/ccusage-linux-x64` of one version) it reads the same folder with `--offline`, prints the ratios
and compares the dollars. Every reading is a process of its own, its start included; what is new is also read by a
process that runs already, as following does. Times are medians of `--times`, wall and processor.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from collector import memory
from collector.build import make_collector
from core.pricing import default_book
from core.settings import SourceSettings
from core.store.lake import Lake

ROOT = Path(__file__).resolve().parents[1]
MODEL = "claude-sonnet-4-5-20250929"
DAYS = 14
SESSIONS_PER_MB = 2
LINES_PER_MESSAGE = 3
FILLER = "The quick brown fox jumps over the lazy dog. " * 16


def message_lines(draw: random.Random, moment: datetime, session: str) -> str:
    """Return what one turn leaves in a session file: a user's line, then its answer, written block by block."""
    write, read = draw.choice(((0, 18_000), (1_200, 18_000), (15_000, 0)))
    usage = {"input_tokens": draw.randrange(2, 40), "cache_creation_input_tokens": write,
             "cache_read_input_tokens": read, "output_tokens": draw.randrange(20, 900), "service_tier": "standard",
             "cache_creation": {"ephemeral_5m_input_tokens": write, "ephemeral_1h_input_tokens": 0}}  # fmt: skip
    message_id, request_id = f"msg_{draw.getrandbits(96):024x}", f"req_{draw.getrandbits(96):024x}"
    stamp = f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"
    around = {"isSidechain": False, "userType": "external", "cwd": "/home/me/shop", "sessionId": session,
              "version": "2.4.1", "timestamp": stamp}  # fmt: skip
    lines = [{**around, "type": "user", "message": {"role": "user", "content": FILLER}, "uuid": f"u-{message_id}"}]
    for block in range(LINES_PER_MESSAGE):
        message = {"id": message_id, "type": "message", "role": "assistant", "model": MODEL, "usage": usage,
                   "content": [{"type": "text", "text": FILLER}],
                   "stop_reason": "end_turn" if block == LINES_PER_MESSAGE - 1 else None}  # fmt: skip
        lines.append(
            {**around, "type": "assistant", "message": message, "requestId": request_id, "uuid": f"{block}{message_id}"}
        )
    return "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)


def build(folder: Path, megabytes: int, started: datetime | None = None) -> int:
    """Write the projects of a folder as Claude Code lays them out; return how many lines."""
    draw = random.Random(11)
    started = started or datetime.now(UTC) - timedelta(days=DAYS)
    lines = 0
    for number in range(megabytes * SESSIONS_PER_MB):
        path = (
            folder / "projects" / f"-home-me-project-{number % 20}" / f"{number:08d}-0000-4000-8000-000000000000.jsonl"
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        moment, written = started + timedelta(days=DAYS * number / (megabytes * SESSIONS_PER_MB + 1)), 0
        with path.open("w") as handle:
            while written < 1_000_000 // SESSIONS_PER_MB:
                moment += timedelta(seconds=20)
                written += handle.write(message_lines(draw, moment, path.stem))
                lines += 1 + LINES_PER_MESSAGE
    return lines


def grow(folder: Path, seed: int) -> None:
    """Add one line in a hundred, to a few of the sessions, as a day's work does."""
    draw = random.Random(seed)
    paths = sorted(folder.rglob("*.jsonl"))
    for path in draw.sample(paths, max(1, len(paths) // 20)):
        told = path.stat().st_size // 5
        with path.open("a") as handle:
            while told > 0:
                told -= handle.write(message_lines(draw, datetime.now(UTC), path.stem))


def timed(command: list[str], environ: dict[str, str]) -> tuple[float, float, str]:
    """Run a command; return seconds of wall and of processor time, and what it printed."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(command, env={**os.environ, **environ}, capture_output=True, text=True, cwd=ROOT, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.perf_counter() - started, cpu, done.stdout


def median_of(times: int, run: Callable[[int], tuple[float, float]]) -> tuple[float, float]:
    """Return the medians of several runs."""
    told = [run(number) for number in range(times)]
    return statistics.median(wall for wall, _ in told), statistics.median(cpu for _, cpu in told)


class Cachewise:
    """The collector over a folder, with tables of its own."""

    def __init__(self, folder: Path, tables: Path) -> None:
        self._folder, self._tables = folder, tables
        cache = str(tables.with_name("bytecode"))  # so that no run but the first compiles its modules
        self._environ = {"CACHEWISE_STORE_PATH": str(tables), "PYTHONPYCACHEPREFIX": cache,
                         "PYTHONDONTWRITEBYTECODE": ""}  # fmt: skip

    def read(self) -> tuple[float, float]:
        """Read what is new."""
        return timed([sys.executable, "-m", "cli", "collect", "--json", str(self._folder)], self._environ)[:2]

    def read_anew(self) -> tuple[float, float]:
        """Read everything, into empty tables."""
        shutil.rmtree(self._tables, ignore_errors=True)
        return self.read()

    def dollars(self) -> Decimal:
        """Return what all calls cost."""
        command = [sys.executable, "-m", "cli", "metrics", "--from", "60d", "--json"]
        told: dict[str, Any] = json.loads(timed(command, self._environ)[2])
        return Decimal(told["cost_usd"])


def follow(door: Connection, folder: Path, tables: Path) -> None:
    """Be a collector that runs already: read everything, then once more for every word that comes."""
    memory.lean()
    memory.spare()
    source = SourceSettings(name="files", kind="files", paths=(str(folder),))
    collector = make_collector(source, Lake(tables), default_book(), follow=True)
    collector.run_pass(final=False)
    door.send("ready")
    while door.recv():
        started, cpu = time.perf_counter(), time.process_time()
        result = collector.run_pass(final=False)
        door.send((time.perf_counter() - started, time.process_time() - cpu, result.new_calls))


class Following:
    """A process that follows the folder, with tables of its own."""

    def __init__(self, folder: Path, tables: Path) -> None:
        context = multiprocessing.get_context("spawn")
        self._door, far = context.Pipe()
        context.Process(target=follow, args=(far, folder, tables), daemon=True).start()
        self._door.recv()

    def read(self) -> tuple[float, float]:
        """Let it read what is new."""
        self._door.send(True)
        wall, cpu, new_calls = self._door.recv()
        assert new_calls, "the folder has grown"
        return wall, cpu

    def stop(self) -> None:
        """Let it end."""
        self._door.send(False)


def ccusage(command: str, folder: Path) -> tuple[float, float, Decimal]:
    """Read the folder with ccusage."""
    environ = {"CLAUDE_CONFIG_DIR": str(folder), "NO_COLOR": "1"}
    wall, cpu, out = timed([command, "daily", "--offline", "--json"], environ)
    return wall, cpu, Decimal(str(json.loads(out)["totals"]["totalCost"]))


def main() -> None:
    """Build, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mb", type=int, default=50)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--ccusage", metavar="PATH")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "claude"
        lines = build(folder, chosen.mb)
        print(f"Python {platform.python_version()}, {os.cpu_count()} cores; {chosen.mb} MB, {lines:,} lines, "
              f"{lines // (1 + LINES_PER_MESSAGE):,} calls, {chosen.mb * SESSIONS_PER_MB} files")  # fmt: skip
        ours = Cachewise(folder, Path(place) / "tables")
        ours.read_anew()
        first = median_of(chosen.times, lambda _: ours.read_anew())
        print(f"first read: {first[0]:.2f} s wall, {first[1]:.2f} s of processor time")
        theirs = (0.0, 0.0)
        if chosen.ccusage:
            theirs = median_of(chosen.times, lambda _: ccusage(chosen.ccusage, folder)[:2])
            print(f"ccusage: {theirs[0]:.2f} s wall, {theirs[1]:.2f} s of processor time; "
                  f"our first read takes {first[0] / theirs[0]:.1f} × as long")  # fmt: skip
            print(f"dollars: {ours.dollars():.6f}, ccusage {ccusage(chosen.ccusage, folder)[2]:.6f}")

        def again(number: int) -> tuple[float, float]:
            grow(folder, number)
            return ours.read()

        second = median_of(chosen.times, again)
        print(f"read again after 1 % more: {second[0]:.2f} s wall, {second[1]:.2f} s of processor time")
        following = Following(folder, Path(place) / "followed")

        def anew(number: int) -> tuple[float, float]:
            grow(folder, 1000 + number)
            return following.read()

        news = median_of(chosen.times, anew)
        print(f"the same by a process that runs already: {news[0]:.3f} s wall, {news[1]:.3f} s of processor time")
        if chosen.ccusage:
            for name, taken in (("first read", first), ("second read", second), ("running already", news)):
                print(f"{name}: ccusage's processor time is {theirs[1] / taken[1]:.2f} × ours")
        ours.read()  # what the folder grew by for the other
        idle = median_of(chosen.times, lambda _: ours.read())
        print(f"read again with nothing new: {idle[0]:.2f} s wall, {idle[1]:.2f} s of processor time")
        following.stop()


if __name__ == "__main__":
    main()
