"""How right the miss ledger and the TTL Lab are, on simulated fleets whose every cause is known.

    python benchmarks/accuracy.py --seeds 101-120 --changing-seeds 401-420 --out docs/accuracy.md
    python benchmarks/accuracy.py --kind changing

Each fleet is lived twice: with records and with text lines alone. The real collector reads its logs; the answers are
held to the truth. For the TTL Lab the same requests of the demo's fleets are sent to the Claude simulation's cache
again under every policy. With `--keep` the fleets' tables stay, so that another analysis can be held to them.
"""

from __future__ import annotations

import argparse
import pickle
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from core import misses, ttl
from core.metrics.scope import Scope
from core.pricing import default_book
from core.settings import Settings
from core.store.lake import Lake
from core.store.query import Reader
from core.traffic import load
from simulator.fleet.engines import ENGINES
from tests.support.accuracy_page import MODES, Found, Run, changing_section, page
from tests.support.changing import Changing, Parts, confuse_changing
from tests.support.truth import Confusion, Fleet, confuse, live, rerun, text_only

NOW_MS = int(datetime(2026, 11, 23, 3, tzinfo=UTC).timestamp()) * 1000
BUSY = 250  # calls on a working day


@dataclass(frozen=True, slots=True)
class Lived:
    """A fleet, and what its requests really cost under every policy, and with other dice."""

    fleet: Fleet
    actual: dict[str, dict[str, Decimal]]
    dice: dict[str, dict[str, Decimal]]


def examine(seed: int, mode: str, days: int, traffic: float, keep: Path | None) -> Found:
    """Live one of the demo's fleets and hold both analyses to its truth."""
    with _folder(keep, f"{seed}-{days}-{traffic:g}-{MODES.index(mode)}") as folder:
        lived = _lived(folder, seed, mode, days, traffic)
        with Reader(lived.fleet.lake, threads=1) as reader:
            calls = load(reader, Scope(), default_book())
        found = Found(confuse(lived.fleet, misses.of_traffic(calls)))
        for policy, costs in lived.dice.items():
            for engine, cost in costs.items():
                found.dice[engine, policy] = float(cost / lived.actual[policy][engine] - 1)
        for row in ttl.compare(ttl.of_traffic(calls)):
            engine, policy = row["engine"], row["policy"]
            found.errors[engine, policy] = float(row["cost_usd"] / lived.actual[policy][engine] - 1)
            if row["best"]:
                least = min(lived.actual[name][engine] for name in ttl.POLICIES)
                found.advice[engine] = lived.actual[policy][engine] == least
                found.regret[engine] = float(lived.actual[policy][engine] / least - 1)
        return found


def _lived(folder: Path, seed: int, mode: str, days: int, traffic: float) -> Lived:
    """Live a fleet, or take up one that is kept in the folder."""
    kept = folder / "lived.pickle"
    if kept.exists():
        truths, anchor, actual, dice = pickle.loads(kept.read_bytes())
        lake = Lake(Settings(store_path=str(folder), demo=True).lake_path)
        return Lived(Fleet(lake, truths, anchor), actual, dice)
    engines = [
        replace(engine, weekday_calls=engine.weekday_calls * (traffic if engine.weekday_calls > BUSY else 1.0))
        for engine in (ENGINES if mode == MODES[0] else text_only())
    ]
    fleet = live(folder, seed=seed, days=days, now_ms=NOW_MS, engines=engines)
    actual = {policy: rerun(fleet, policy) for policy in ttl.POLICIES}
    dice = {policy: rerun(fleet, policy, seed=seed) for policy in ("5m", "1h")}
    part = kept.with_suffix(".part")
    part.write_bytes(pickle.dumps((fleet.truths, fleet.anchor, actual, dice)))
    part.rename(kept)
    return Lived(fleet, actual, dice)


def examine_changing(seed: int, mode: str) -> tuple[Confusion, Parts]:
    """Live one changing fleet and hold the ledger to its truth."""
    with tempfile.TemporaryDirectory() as folder:
        fleet = Changing.live(seed, text=mode == MODES[1])
        lake = fleet.collect(Path(folder))
        with Reader(lake, threads=1) as reader:
            return confuse_changing(fleet, lake, misses.ledger(reader, Scope()))


@contextmanager
def _folder(keep: Path | None, name: str) -> Iterator[Path]:
    if keep is None:
        with tempfile.TemporaryDirectory() as folder:
            yield Path(folder)
    else:
        (keep / name).mkdir(parents=True, exist_ok=True)
        yield keep / name


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kind", choices=("demo", "changing", "both"), default="both")
    parser.add_argument("--seeds", default="101-120", help="of the demo's fleets, such as 147-149,157")
    parser.add_argument("--changing-seeds", default="401-420")
    parser.add_argument("--days", type=int, default=18)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--traffic", type=float, default=1.0, help="calls of the busy engines, against the demo's")
    parser.add_argument("--out", type=Path, help="write the page here; needs both kinds")
    parser.add_argument("--keep", type=Path, help="folder for the demo's fleets, to take up what an earlier run lived")
    given = parser.parse_args()
    if given.out and given.kind != "both":
        parser.error("--out writes the whole page: it needs --kind both")
    run = Run(_seeds(given.seeds), _seeds(given.changing_seeds), given.days, given.traffic)
    with ProcessPoolExecutor(given.jobs) as pool:
        changing = demo = None
        if given.kind != "demo":
            changing = _all(pool, run.changing, examine_changing, told=lambda found: found[0])
        if given.kind != "changing":
            demo = _all(pool, run.seeds, examine, given.days, given.traffic, given.keep, told=lambda f: f.confusion)
    if changing and not demo:
        print("\n".join(changing_section(changing)))
    if demo and changing:
        text = page(demo, changing, run)
        print(text)
        if given.out:
            given.out.write_text(text, encoding="utf-8")


def _seeds(text: str) -> list[int]:
    """Read "147-149,157"."""
    found: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        found += range(int(first), int(last or first) + 1)
    return found


def _all(
    pool: ProcessPoolExecutor, seeds: list[int], work: Callable[..., Any], *more: Any, told: Callable[[Any], Confusion]
) -> dict[str, list[Any]]:
    """Examine every fleet in both modes, and tell of each as it is done."""
    began = time.perf_counter()
    futures = {(seed, mode): pool.submit(work, seed, mode, *more) for seed in seeds for mode in MODES}
    found: dict[str, list[Any]] = {mode: [] for mode in MODES}
    for (seed, mode), future in futures.items():
        found[mode].append(future.result())
        share, spent = told(found[mode][-1]).share(), time.perf_counter() - began
        print(f"seed {seed}, {mode}: {share:.4%} of tokens ({spent:.0f} s)", flush=True)
    return found


if __name__ == "__main__":
    main()
