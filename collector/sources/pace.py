"""How fast AWS may be asked: FilterLogEvents has one quota per account and region, which people need too.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from core.settings import SourceSettings

BURST = 4  # requests that may follow each other at once after a rest: an ordinary pass needs no more


class Pace:
    """Lets through `per_s` requests a second, from however many threads."""

    def __init__(
        self,
        per_s: float,
        *,
        burst: int = BURST,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._step_s = 1 / per_s
        self._slack_s = (burst - 1) * self._step_s
        self._clock = clock
        self._sleep = sleep
        self._guard = threading.Lock()
        self._next_s = float("-inf")

    def wait(self) -> None:
        """Wait for the next turn."""
        with self._guard:
            now_s = self._clock()
            turn_s = max(self._next_s, now_s - self._slack_s)
            self._next_s = turn_s + self._step_s
        if turn_s > now_s:
            self._sleep(turn_s - now_s)

    def slow_to(self, per_s: float) -> None:
        """Take the slower of two wishes: who shares a quota shares the most careful setting."""
        with self._guard:
            self._slack_s *= max(self._step_s, 1 / per_s) / self._step_s
            self._step_s = max(self._step_s, 1 / per_s)


def region_of(settings: SourceSettings) -> str | None:
    """Return the region that is asked: the configured one, else that of a log group's ARN; None: the default one."""
    group = settings.log_group or ""
    return settings.region or (group.split(":")[3] if group.startswith("arn:") else None)


class Paces:
    """The one pace of every account and region that this process reads."""

    def __init__(self) -> None:
        self._paces: dict[tuple[str | None, ...], Pace] = {}

    def of(self, settings: SourceSettings) -> Pace:
        """Return the pace of a source; those of one account and region get the same."""
        account = settings.role_arn.split(":")[4] if settings.role_arn else None
        key = account, region_of(settings), settings.endpoint_url
        if key in self._paces:
            self._paces[key].slow_to(settings.requests_per_s)
        else:
            self._paces[key] = Pace(settings.requests_per_s)
        return self._paces[key]
