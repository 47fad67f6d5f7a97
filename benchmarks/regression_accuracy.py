"""How well regressions are found, dated and attributed, and how often healthy fleets raise a false alarm.

    python -m benchmarks.regression_accuracy --seeds 201-220 --out docs/regressions.md

Every seed is a fleet of eleven engines, at half the demo's traffic, with faults planted at random days; some are lived
again with nothing but harmless deploys, prompt revisions and clears. The real collector reads their logs.
"""

from __future__ import annotations

import argparse
import platform
import re
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from simulator.fleet.engines import ENGINES
from tests.support.planted import Score, examine

HEADING = "## How often it is right"
CHECKS = ("found", "in_time", "dated", "attributed")
KINDS = ("prefix_broken", "caching_off", "fallback")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", default="201-220")
    parser.add_argument("--healthy", type=int, default=10, help="How many of the seeds are lived without faults too.")
    parser.add_argument("--days", type=int, default=24)
    parser.add_argument("--traffic", type=float, default=0.5, help="Calls a day, against those of the demo fleet.")
    parser.add_argument("--out", type=Path, help=f"Put the section '{HEADING}' into this file.")
    given = parser.parse_args()
    first, last = (int(part) for part in given.seeds.split("-"))
    started = time.perf_counter()
    engines = tuple(replace(item, weekday_calls=item.weekday_calls * given.traffic) for item in ENGINES)
    faulty: list[Score] = []
    healthy: list[Score] = []
    for seed in range(first, last + 1):
        faulty.append(examine(seed, faulty=True, days=given.days, engines=engines))
        _tell(faulty[-1])
        if len(healthy) < given.healthy:
            healthy.append(examine(seed, faulty=False, days=given.days, engines=engines))
            _tell(healthy[-1])
    text = report(faulty, healthy, given)
    print(f"{time.perf_counter() - started:.0f} s")
    print(text)
    if given.out:
        put(given.out, text)


def _tell(score: Score) -> None:
    missed = [case for case in score.cases if not all(case[check] for check in CHECKS)]
    print(f"seed {score.seed}: {len(score.cases)} cases, {len(missed)} not right", flush=True)
    for case in missed:
        print("   ", {key: str(value) for key, value in case.items()})
    for name, told in (("false alarm", score.false_alarms), ("repeat", score.repeats)):
        for sentence in told:
            print(f"    {name}: {sentence}", flush=True)


def report(faulty: Sequence[Score], healthy: Sequence[Score], given: argparse.Namespace) -> str:
    """Write the section."""
    cases = [case for score in faulty for case in score.cases]
    rows = [_row(kind, [case for case in cases if case["kind"] == kind]) for kind in KINDS]
    months = sum(score.engine_months for score in healthy)
    alarms = sum(len(score.false_alarms) for score in healthy)
    beside = sum(len(score.false_alarms) for score in faulty)
    repeats = sum(len(score.repeats) for score in faulty)
    return "\n".join(
        [
            HEADING,
            "",
            f"`python -m benchmarks.regression_accuracy --seeds {given.seeds}`: {len(faulty)} seeds not used while",
            f"building, {len(healthy)} of them lived without faults too; {given.days} days, eleven engines at",
            f"{given.traffic:g} × the demo's traffic, read by the real collector; run on {datetime.now(UTC):%Y-%m-%d}, "
            f"Python {platform.python_version()}.",
            "Each fleet has deploys, prompt revisions and clears that do no harm, at random working hours.",
            "A faulty one has also a deploy that puts the time into a system prompt (of an engine with records, and",
            "of one with text lines alone), a deploy that switches caching off for hours, and some hours on Bedrock.",
            "A case is one fault on one engine that it hurt.",
            "In time: found within an hour of the first affected call, or in thin traffic by the fifth.",
            "Dated: `started_at` within an hour of that call.",
            "Attributed: the deploy (or switch) that did it is the likely cause.",
            "",
            "| planted fault | cases | found | in time | dated | attributed |",
            "| --- | --- | --- | --- | --- | --- |",
            *rows,
            _row("all", cases),
            "",
            "| | |",
            "| --- | --- |",
            f"| false alarms on healthy fleets | {alarms} in {months:.0f} engine-months = {alarms / months:.3f} each |",
            f"| false alarms on faulty fleets, outside every fault | {beside} |",
            f"| a fault told a second time on the same engine | {repeats} |",
            "",
        ]
    )


def _row(name: str, cases: Sequence[dict[str, object]]) -> str:
    counts = Counter(check for case in cases for check in CHECKS if case[check])
    shares = " | ".join(f"{counts[check]} ({counts[check] / max(len(cases), 1):.1%})" for check in CHECKS)
    return f"| {name.replace('_', ' ')} | {len(cases)} | {shares} |"


def put(path: Path, section: str) -> None:
    """Put the section in place of the one that is there, or at the end."""
    text = path.read_text(encoding="utf-8") if path.exists() else "# Regressions\n"
    pattern = re.compile(rf"^{HEADING}\n.*?(?=^## |\Z)", re.MULTILINE | re.DOTALL)
    whole = pattern.sub(lambda _: section + "\n", text) if pattern.search(text) else f"{text.rstrip()}\n\n{section}"
    path.write_text(whole.rstrip() + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
