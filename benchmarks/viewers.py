"""Fifty people look at the dashboard at once: how long a page run takes (median, p95), and what it costs.

Run by hand: `python -m benchmarks.viewers [--viewers 50] [--rounds 4] [--pause 5] [--calls 1000000] [--lake FOLDER]`.
Every viewer is a WebSocket that speaks Streamlit's own protocol, as a browser does: it opens the first screen and
then goes from page to page with a pause between, each at its own moment. A run lasts from the request to the message
that the script has finished; drawing in the browser comes on top (benchmarks/dashboard.py).
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import ClientConnection, connect

from benchmarks.dashboard import filled, serving, with_lake_options

PAGES = ("", "cost", "hit-rate", "latency", "savings", "misses", "ttl-lab", "data-health", "prices")
RUN_LIMIT_S = 120


@dataclass
class Told:
    """What all viewers saw."""

    first_s: list[float] = field(default_factory=list)
    change_s: list[float] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)


def main() -> None:
    """Generate, serve, look, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--viewers", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--pause", type=float, default=5.0, help="seconds a viewer reads a page, on average")
    given = with_lake_options(parser).parse_args()
    with tempfile.TemporaryDirectory() as folder, serving(filled(given, Path(folder)), Path(folder)) as (url, server):
        asyncio.run(_alone(url))  # the first visitor of a new process is another benchmark's subject
        before, cpu, began = _mib(server), _cpu_s(server), time.perf_counter()
        told = asyncio.run(_together(url, given.viewers, given.rounds, given.pause))
        lasted, spent, after = time.perf_counter() - began, _cpu_s(server) - cpu, _mib(server)
    runs = len(told.first_s) + len(told.change_s)
    print(f"{given.viewers} viewers, {runs} page runs in {lasted:.0f} s, {len(told.failed)} failed")
    for name, times in (("first screen, all at once", told.first_s), ("change of page", told.change_s)):
        print(f"{name:<28} median {statistics.median(times):6.2f} s   p95 {_p95(times):6.2f} s")
    print(f"CPU {spent / runs * 1000:.0f} ms a run; memory {before:.0f} → {after:.0f} MiB, "
          f"{(after - before) / given.viewers:.1f} MiB a viewer")  # fmt: skip
    for reason in sorted(set(told.failed)):
        print(f"failed: {reason}")


async def _alone(url: str) -> None:
    told = Told()
    await _viewer(url, 0, told, rounds=len(PAGES), pause=0.0)
    if told.failed:
        raise SystemExit(f"a single viewer fails already: {told.failed[0]}")


async def _together(url: str, viewers: int, rounds: int, pause: float) -> Told:
    told = Told()
    await asyncio.gather(*(_viewer(url, number, told, rounds=rounds, pause=pause) for number in range(viewers)))
    return told


async def _viewer(url: str, number: int, told: Told, *, rounds: int, pause: float) -> None:
    rng = random.Random(number)
    address = url.replace("http", "ws") + "/_stcore/stream"
    async with connect(address, subprotocols=["streamlit"], max_size=None, origin=url, open_timeout=60) as socket:
        hashes: dict[str, str] = {}
        told.first_s.append(await _run(socket, "", hashes, told))
        for turn in range(rounds):
            await asyncio.sleep(rng.expovariate(1 / pause) if pause else 0)
            path = PAGES[(number + turn + 1) % len(PAGES)]
            told.change_s.append(await _run(socket, path, hashes, told))


async def _run(socket: ClientConnection, path: str, hashes: dict[str, str], told: Told) -> float:
    """Ask for a page, read everything up to the end of its run, and return how long that took."""
    asked = BackMsg()
    asked.rerun_script.query_string = "lang=en"
    asked.rerun_script.page_script_hash = hashes.get(path, "")
    asked.rerun_script.context_info.timezone = "Asia/Seoul"
    asked.rerun_script.context_info.locale = "en-GB"
    began = time.perf_counter()
    await socket.send(asked.SerializeToString())
    async with asyncio.timeout(RUN_LIMIT_S):
        while True:
            message = ForwardMsg.FromString(await socket.recv())
            kind = message.WhichOneof("type")
            if kind == "navigation":
                hashes |= {page.url_pathname: page.page_script_hash for page in message.navigation.app_pages}
            elif kind == "delta" and message.delta.new_element.WhichOneof("type") == "exception":
                told.failed.append(f"{path or 'overview'}: {message.delta.new_element.exception.message}")
            elif kind == "script_finished" and message.script_finished == ForwardMsg.FINISHED_SUCCESSFULLY:
                return time.perf_counter() - began


def _p95(times: list[float]) -> float:
    return statistics.quantiles(times, n=20)[-1] if len(times) > 1 else times[0]


def _mib(server: psutil.Process) -> float:
    return server.memory_info().rss / 2**20


def _cpu_s(server: psutil.Process) -> float:
    return sum(server.cpu_times()[:2])


if __name__ == "__main__":
    main()
