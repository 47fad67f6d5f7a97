"""When the past is read again, and how far back: an event may become visible long after its time.

Every hour the last hours, every day the last days. Both are counted from the re-scan before, not from now, so that a
collector that stood still for a week leaves no hole behind it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.settings import SourceSettings

HOUR_MS = 3_600_000
EVERY_MS = {"hourly": HOUR_MS, "daily": 24 * HOUR_MS}

Rescan = dict[str, Any]
"""One re-scan under way, as the cursor keeps it: from (moves), to, at (when it began), kinds."""


def spans_ms(settings: SourceSettings) -> dict[str, int]:
    """Return how far back each kind goes."""
    return {
        "hourly": round(settings.rescan_hours * HOUR_MS),
        "daily": round(settings.rescan_days * 24 * HOUR_MS),
    }


def begun(now_ms: int) -> dict[str, int]:
    """Return the state after a first pass, which has read everything once."""
    return dict.fromkeys(EVERY_MS, now_ms)


def due(
    scans: Mapping[str, int], spans: Mapping[str, int], *, now_ms: int, until_ms: int, since_ms: int
) -> Rescan | None:
    """Return the re-scan that is due: one that covers every kind whose time has come."""
    kinds = [kind for kind, every_ms in EVERY_MS.items() if now_ms - scans[kind] >= every_ms]
    if not kinds:
        return None
    begin = max(since_ms, min(scans[kind] - spans[kind] for kind in kinds))
    return {"from": begin, "to": until_ms, "at": now_ms, "kinds": kinds} if begin < until_ms else None


def done(scans: Mapping[str, int], rescan: Rescan) -> dict[str, int]:
    """Return the state once a re-scan has come to its end."""
    return {**scans, **dict.fromkeys(rescan["kinds"], int(rescan["at"]))}
