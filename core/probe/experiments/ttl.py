"""The survival ladder: entries of their own are read once each, after longer and longer waits.

A read renews an entry, so every rung writes its own. The lifetime counts from the start of the request that wrote it.
Entries are deleted "promptly, though not immediately": one that outlives its TTL is noted and is no fault.
https://platform.claude.com/docs/en/build-with-claude/prompt-caching
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from core.caching.cache_model import TTL_MS, Ttl
from core.probe.bench import Answer, Bench
from core.probe.model import Finding, Problem
from core.probe.prompts import Ask


@dataclass(frozen=True, slots=True)
class Rung:
    """Read an entry of this TTL so many seconds after it was written."""

    ttl: Ttl
    after_s: int


RUNGS = (
    Rung("5m", 60),
    Rung("5m", 240),
    Rung("5m", 290),
    Rung("5m", 330),
    Rung("1h", 330),
    Rung("1h", 3500),
    Rung("1h", 3700),
)


def run(bench: Bench) -> Finding:
    """Pass when every entry is found within its TTL; those beyond the longest wait are not tried."""
    climbed, left_out = _rungs(bench)
    if not climbed:
        problem = Problem(
            "PRB-421", f"The first rung is at {RUNGS[0].after_s} s, the longest wait {bench.max_wait_s:g} s."
        )
        return Finding("not_run", "There was no time to wait.", {}, problem)
    written: list[tuple[Rung, Ask, Answer]] = []
    for rung in climbed:
        ask = bench.marked(bench.new_prefix(), cache_ttl=rung.ttl)
        answer = bench.ask(ask, f"writing the entry to be read after {rung.after_s} s")
        if not answer.written:
            return bench.not_cached(answer)
        written.append((rung, ask, answer))
    found = [_climb(bench, *entry) for entry in sorted(written, key=lambda entry: entry[0].after_s)]
    evidence = {"rungs": found, "not_tried": [f"{rung.ttl} after {rung.after_s} s" for rung in left_out]}
    early = [row for row in found if not row["alive"] and row["elapsed_s"] < row["ttl_s"]]
    if early:
        problem = Problem("PRB-415", f"A {early[0]['ttl']} entry was gone after {early[0]['elapsed_s']:.0f} s.")
        return Finding("failed", _summary(found), evidence, problem)
    return Finding("passed", _summary(found), evidence)


def _rungs(bench: Bench) -> tuple[list[Rung], list[Rung]]:
    """Return the rungs there is time for, and the others. A simulator's clock is moved, so there is always time."""
    climbed = [rung for rung in RUNGS if bench.door.simulated or rung.after_s <= bench.max_wait_s]
    return climbed, [rung for rung in RUNGS if rung not in climbed]


def _climb(bench: Bench, rung: Rung, ask: Ask, write: Answer) -> dict[str, Any]:
    bench.wait_until(write.started_s + rung.after_s, f"waiting until {rung.after_s} s have passed")
    read = bench.ask(ask, f"reading the entry of {rung.after_s} s ago")
    elapsed, ttl_s = read.started_s - write.started_s, TTL_MS[rung.ttl] / 1000
    alive = read.read > 0
    return {
        "ttl": rung.ttl,
        "ttl_s": ttl_s,
        "after_s": rung.after_s,
        "elapsed_s": round(elapsed, 3),
        "alive": alive,
        "outlived": alive and elapsed > ttl_s,
    }


def _summary(found: list[dict[str, Any]]) -> str:
    parts = []
    for ttl in ("5m", "1h"):
        rows = [row for row in found if row["ttl"] == ttl]
        alive, gone = (
            [f"{row['after_s']} s" for row in rows if row["alive"] is is_alive] for is_alive in (True, False)
        )
        if rows:
            parts.append(f"{ttl}: read after {', '.join(alive) or 'none'}; gone after {', '.join(gone) or 'none'}")
    return ". ".join(parts) + "."
