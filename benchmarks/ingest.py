"""How fast a log file becomes rows: parse, correlate, price and commit.

Run: `python benchmarks/ingest.py [--mb 200]`. The lines are mixed as in a real function's log: platform
lines, prompt-store lines, cost lines, call records and lines of the application. Prints lines per second by the clock
and of processor time, the peak memory of all processes together, and the ratios to two baselines over the same bytes
in the same run, with versions, cores and sizes: every line given to `orjson.loads`, which alone finds out which are
JSON; and the same where a look at the first character spares it the others. Then, each a tenth of the size: the same
requests in Lambda's JSON log format, where both decode every line; and what our own library writes, a cost line and a
record with its metrics for each call, in either format, and as a service writes it that is no Lambda.
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import resource
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from importlib.metadata import version
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
os.environ["ARROW_DEFAULT_MEMORY_POOL"] = "system"  # as `collect` does: collector.memory.lean

import orjson
import psutil

from collector import memory
from collector.pipeline import Collector
from collector.result import PassResult
from collector.sources.files import FilesSource
from core.pricing import default_book
from core.settings import LineDefaults, SourceSettings
from core.store.lake import Lake
from core.telemetry import api_cost_line, call_record, prompt_store_hit_line, record_line, with_metrics

DEFAULTS = LineDefaults(model="claude-opus-4-5", cache_ttl="1h", caching_enabled=True)
ENGINES = ("sales", "support", "faq", "tutor", "legal")
DAYS = 7
RECORD_SHARE = 0.2  # of the requests; the others tell their call as a text line
PER_TOKEN = Decimal("0.000001")


def requests(draw: random.Random, started: datetime, step: timedelta, *, twice: bool = False) -> Iterator[str]:
    """Yield the lines of one request after another; `twice`: each tells its call by a record and by a cost line."""
    moment = started
    while True:
        moment += step
        name = str(uuid.UUID(int=draw.getrandbits(128), version=4))
        front = f"[INFO]\t{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z\t{name}\t"
        given, read, output = draw.randrange(20, 400), draw.choice((0, 3_000, 6_000)), draw.randrange(40, 900)
        write = 0 if read else 6_000
        lines = [
            f"START RequestId: {name} Version: 12",
            f"{front}Found credentials in environment variables.",
            f"{front}{prompt_store_hit_line(draw.choice(ENGINES))}",
            f"{front}websocket message received, connection=abc stage=prod bytes={given}",
            *told(draw, front, moment, (given, read, write, output), twice=twice),
            f"{front}reply posted to the connection in 13 ms",
            f"END RequestId: {name}",
            f"REPORT RequestId: {name}\tDuration: {draw.uniform(300, 4000):.2f} ms\tBilled Duration: 1234 ms\t"
            "Memory Size: 512 MB\tMax Memory Used: 123 MB\t",
        ]
        yield "\n".join(lines) + "\n"


def told(
    draw: random.Random, front: str, moment: datetime, tokens: tuple[int, int, int, int], *, twice: bool
) -> list[str]:
    """Return the line of one call: a record, or the cost line with the right dollars; or both, as our library does."""
    given, read, write, output = tokens
    dollars = PER_TOKEN * (5 * given + 10 * write + 25 * output) + PER_TOKEN * read / 2
    line = api_cost_line(cost_usd=dollars, input_tokens=given, output_tokens=output, cache_read=read, cache_write=write)
    if draw.random() < RECORD_SHARE or twice:
        usage = {"input_tokens": given, "output_tokens": output, "cache_read_input_tokens": read,
                 "cache_creation_input_tokens": write,
                 "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": write}}  # fmt: skip
        record = call_record(
            call_id=f"msg_{draw.getrandbits(96):024x}", started_ms=int(moment.timestamp() * 1000), provider="anthropic",
            model="claude-opus-4-5", engine="sales", usage=usage, caching_enabled=True, cache_ttl="1h",
            latency_ms=812.0, ttft_ms=300.0, stop_reason="end_turn", cost_usd=dollars if twice else None,
        )  # fmt: skip
        return [front + line, record_line(with_metrics(record))] if twice else [record_line(record)]
    return [front + line]


def as_json(request: str) -> str:
    """Return the lines of a request in Lambda's JSON log format."""
    told: list[dict[str, Any]] = []
    lines = request.splitlines()
    name, time_of = lines[0].split()[2], lines[1].split("\t")[1]
    for line in lines:
        if line.startswith("START"):
            told.append({"time": time_of, "type": "platform.start", "record": {"requestId": name, "version": "12"}})
        elif line.startswith("END"):
            told.append({"time": time_of, "type": "platform.runtimeDone", "record": {"requestId": name,
                         "status": "success"}})  # fmt: skip
        elif line.startswith("REPORT"):
            metrics = {"durationMs": float(line.split()[4]), "billedDurationMs": 1234, "memorySizeMB": 512,
                       "maxMemoryUsedMB": 123}  # fmt: skip
            told.append({"time": time_of, "type": "platform.report", "record": {"requestId": name, "metrics": metrics,
                         "status": "success"}})  # fmt: skip
        else:
            message = line.split("\t", 3)[-1]
            told.append({"timestamp": time_of, "level": "INFO", "message": message, "logger": "root",
                         "requestId": name})  # fmt: skip
    return "".join(orjson.dumps(line).decode() + "\n" for line in told)


def as_service(request: str) -> str:
    """Return what a service that is no Lambda prints of a request: the lines of ours, with nothing around them."""
    lines = [line.split("\t", 3)[-1] for line in request.splitlines()[1:-2]]
    return "".join(f"{line}\n" for line in lines if line[0] in "{💰✅")


def as_it_is(request: str) -> str:
    """Return the lines of a request in Lambda's text format."""
    return request


def build(
    path: Path,
    megabytes: int,
    started: datetime | None = None,
    form: Callable[[str], str] = as_it_is,
    *,
    twice: bool = False,
) -> None:
    """Write a file of that size, its requests spread over the last days."""
    draw = random.Random(7)
    started = started or datetime.now(UTC) - timedelta(days=DAYS)
    count = megabytes * 1_000_000 // 900
    written = 0
    with path.open("w", encoding="utf-8") as handle:
        for request in requests(draw, started, timedelta(days=DAYS) / (count + 1), twice=twice):
            written += handle.write(form(request))
            if written >= megabytes * 1_000_000:
                return


@dataclass(frozen=True, slots=True)
class Took:
    """How long something took: by the clock, and of processor time, that of child processes included."""

    wall_s: float
    cpu_s: float

    def against(self, base: Took) -> str:
        """Say how much of the baseline's speed this has, by both."""
        return f"{base.wall_s / self.wall_s:.3f} by the clock, {base.cpu_s / self.cpu_s:.3f} of processor time"


@contextmanager
def timed() -> Iterator[list[Took]]:
    """Measure what is done inside; the list holds it afterwards."""
    took: list[Took] = []
    started, cpu = time.perf_counter(), _cpu_s()
    yield took
    took.append(Took(time.perf_counter() - started, _cpu_s() - cpu))


def _cpu_s() -> float:
    both = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in both)


def held_mib(process: psutil.Process) -> float:
    """Return what a process and those it started hold together, in MiB."""
    held = 0
    with suppress(psutil.NoSuchProcess):
        for one in (process, *process.children(recursive=True)):
            with suppress(psutil.Error):  # it has just ended
                held += one.memory_info().rss
    return held / 2**20


class Peak:
    """The most memory that this process, or it and those it started together, hold while something is done."""

    def __init__(self) -> None:
        self.mib = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Peak:
        with suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")  # the system's own record of the most begins anew
        self._thread.start()
        return self

    def __exit__(self, *told: object) -> None:
        self._stop.set()
        self._thread.join()
        with suppress(OSError):
            status = Path("/proc/self/status").read_text()
            self.mib = max(self.mib, int(status.partition("VmHWM:")[2].split()[0]) / 1024)

    def _look(self) -> None:
        mine = psutil.Process()
        while not self._stop.wait(0.25):
            self.mib = max(self.mib, held_mib(mine))


def every_line(path: Path) -> tuple[int, Took]:
    """Split the file's lines and give each to orjson, which alone finds out which are JSON.

    Returns how many lines, and what it took.
    """
    lines = 0
    with timed() as took, path.open("rb") as handle:
        for line in handle:
            lines += 1
            try:  # not `suppress`, which would cost more than the decoding
                orjson.loads(line)
            except orjson.JSONDecodeError:
                continue
    return lines, took[0]


def json_lines(path: Path) -> tuple[int, Took]:
    """Split the file's lines and decode those that begin like JSON: the least anything that reads it must do.

    Returns how many lines, and what it took.
    """
    lines = 0
    with timed() as took, path.open("rb") as handle:
        for line in handle:
            lines += 1
            if line.startswith(b"{"):
                orjson.loads(line)
    return lines, took[0]


def read(path: Path, tables: Path) -> tuple[PassResult, Took, float]:
    """Read a log into tables of its own; return the result, what it took and the peak of memory in MiB."""
    settings = SourceSettings(name="bench", kind="files", paths=(str(path),), defaults=DEFAULTS)
    with Peak() as peak, timed() as took:
        result = Collector(FilesSource(settings), Lake(tables), default_book(), defaults=DEFAULTS).run_pass()
    return result, took[0], peak.mib


def main() -> None:
    """Build, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mb", type=int, default=200)
    megabytes = parser.parse_args().mb
    libraries = ", ".join(f"{name} {version(name)}" for name in ("pyarrow", "deltalake", "orjson"))
    print(f"Python {platform.python_version()}, {libraries}; {os.cpu_count()} cores")
    memory.lean()
    memory.spare()
    smaller = max(1, megabytes // 10)
    measure("mixed text", megabytes, as_it_is)
    measure("JSON format", smaller, as_json)
    measure("cost line and record, text", smaller, as_it_is, twice=True)
    measure("cost line and record, JSON format", smaller, as_json, twice=True)
    measure("cost line and record, no Lambda", max(1, megabytes // 50), as_service, twice=True)


def measure(label: str, megabytes: int, form: Callable[[str], str], *, twice: bool = False) -> None:
    """Measure a log of one form, against giving orjson every line, and only those that are JSON."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.log"
        build(path, megabytes, form=form, twice=twice)
        lines, every = every_line(path)
        _, least = json_lines(path)
        result, took, peak_mib = read(path, Path(folder) / "tables")
        stored = sum(file.stat().st_size for file in (Path(folder) / "tables").rglob("*.parquet"))
    assert result.lines_read == lines, (result.lines_read, lines)
    calls, requests_, hits = result.new_calls, result.new_invocations, result.new_prompt_store_events
    print(f"{label}: {megabytes} MB, {lines:,} lines, {calls:,} calls, {requests_:,} invocations, {hits:,} hits")
    print(f"  ingest {lines / took.wall_s:,.0f} lines/s by the clock, {lines / took.cpu_s:,.0f} of processor time")
    for name, base in (("every line to orjson", every), ("JSON lines to orjson", least)):
        print(f"  ratio to {name} ({lines / base.cpu_s:,.0f} lines/s): {took.against(base)}")
    print(f"  peak memory {peak_mib:,.0f} MiB, tables {stored / 1e6:,.1f} MB")


if __name__ == "__main__":
    main()
