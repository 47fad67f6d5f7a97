"""A real collector process against the hostile CloudWatch, to be killed: `python -m tests.support.hostile_collector`.

Arguments: the cloud's URL, the folder of the tables, and the virtual time (Unix ms) at which it may stop. It asks the
cloud for the time, polls, says so in a line, and moves the clock on. A fourth argument is how many tables it commits
before it kills itself, as nobody else could at that moment.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import urllib.request
from datetime import UTC, datetime
from typing import Any

from collector.pipeline import Collector
from collector.sources.cloudwatch import CloudWatchSource
from core.pricing import default_book
from core.settings import SourceSettings
from core.store.lake import Lake
from simulator.cloudwatch.traffic import FUNCTION
from tests.support.hostile import DEFAULTS, REGION


def clock(url: str, advance_s: float | None = None) -> datetime:
    """Ask for the virtual time, after moving it if told so."""
    body = None if advance_s is None else json.dumps({"advance_s": advance_s}).encode()
    with urllib.request.urlopen(urllib.request.Request(f"{url}/_clock", data=body), timeout=10) as answer:
        return datetime.fromtimestamp(json.load(answer)["now_ms"] / 1000, UTC)


class KilledLake(Lake):
    """A lake whose process is killed before it commits another table."""

    def __init__(self, path: str, commits: int) -> None:
        super().__init__(path)
        self._left = commits

    def commit(self, *given: Any, **named: Any) -> Any:
        """Commit, or be killed."""
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        self._left -= 1
        return super().commit(*given, **named)


def main(url: str, folder: str, until_ms: int, commits: int | None = None) -> None:
    """Poll until the time has come."""
    settings = SourceSettings(
        name="bodo", kind="cloudwatch", log_group=FUNCTION.log_group, region=REGION, since_days=1.0, endpoint_url=url,
        requests_per_s=1_000_000,
    )  # fmt: skip
    source = CloudWatchSource(settings, sleep=lambda seconds: None)
    lake = Lake(folder) if commits is None else KilledLake(folder, commits)
    collector = Collector(source, lake, default_book(), defaults=DEFAULTS, clock=lambda: clock(url))
    rng = random.Random(os.getpid())
    while clock(url).timestamp() * 1000 < until_ms:
        result = collector.run_pass(final=rng.random() < 0.3)
        print(result.status, result.lines_read, *(problem.code for problem in result.problems), flush=True)
        clock(url, advance_s=rng.choice((60, 300, 600, 900)))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:]))
