"""Write, then read: is a marked prefix cached by the first request, and read by the next?"""

from __future__ import annotations

from dataclasses import dataclass

from core.probe.bench import Answer, Bench
from core.probe.model import Finding, Problem
from core.probe.prompts import Ask

LOOK_AGAIN_S = (1.0, 4.0)  # an entry is sometimes not found at once; looking again is said and paid for


@dataclass(frozen=True, slots=True)
class Pair:
    """A write and the reads after it: the last one is the one that counts."""

    ask: Ask
    write: Answer
    reads: tuple[Answer, ...]

    @property
    def read(self) -> Answer:
        """The read that counts."""
        return self.reads[-1]


def write_and_read(bench: Bench) -> Pair:
    """Write a prefix and read it again; once per run, for every experiment that needs it."""
    if "pair" not in bench.shared:
        ask = bench.marked(bench.new_prefix())
        write = bench.ask(ask, "writing a prefix")
        reads = [bench.ask(ask, "reading it")] if write.written else []
        for pause in LOOK_AGAIN_S:
            if not reads or reads[-1].read:
                break
            bench.wait_until(bench.door.now_s() + pause, "waiting to look again")
            reads.append(bench.ask(ask, "reading it once more"))
        bench.shared["pair"] = Pair(ask, write, tuple(reads))
    pair: Pair = bench.shared["pair"]
    return pair


def fault_of(bench: Bench, pair: Pair) -> Finding | None:
    """Return why this pair is no write and read; None when it is one."""
    evidence = {"written_tokens": pair.write.written, "read_tokens": [answer.read for answer in pair.reads]}
    if pair.write.read:
        problem = Problem(
            "PRB-414", f"A prefix that nobody had sent was read from the cache ({pair.write.read} tokens)."
        )
        return Finding("failed", "Something was read that nobody wrote.", evidence, problem)
    if not pair.write.written:
        return bench.not_cached(pair.write)
    if not pair.read.read:
        problem = Problem(
            "PRB-413", f"{pair.write.written} tokens were written and not read in {len(pair.reads)} tries."
        )
        return Finding("failed", "The entry was written and never found.", evidence, problem)
    return None


def run(bench: Bench) -> Finding:
    """Pass when the first request writes the prefix and a following one reads all of it."""
    pair = write_and_read(bench)
    fault = fault_of(bench, pair)
    if fault is not None:
        return fault
    write, read = pair.write, pair.read
    evidence = {
        "written_tokens": write.written,
        "written_5m_tokens": write.usage.cache_write_5m_tokens,
        "written_1h_tokens": write.usage.cache_write_1h_tokens,
        "read_tokens": read.read,
        "rewritten_tokens": read.written,
        "uncached_tokens": read.usage.input_tokens,
        "reads_until_found": len(pair.reads),
        "write_cost_usd": write.cost_usd,
        "read_cost_usd": read.cost_usd,
        "write_latency_ms": round(write.latency_ms, 1),
        "read_latency_ms": round(read.latency_ms, 1),
    }
    late = f" (found at try {len(pair.reads)})" if len(pair.reads) > 1 else ""
    if read.read != write.written:
        problem = Problem("PRB-418", f"{write.written} tokens were written, {read.read} read.")
        return Finding("failed", "Not all of the prefix was read.", evidence, problem)
    return Finding("passed", f"{write.written} tokens written, then {read.read} read{late}.", evidence)
