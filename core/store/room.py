"""Says when the disk under the tables is running out: a writer that cannot write can leave no word of it there."""

from __future__ import annotations

import shutil
from pathlib import Path

LEAST_BYTES = 32 * 1024 * 1024
"""Below it, what is written beside the tables (logs, Delta's checkpoints, a compaction) may fail at any moment."""


def too_little_room(folder: str | Path) -> int | None:
    """Return the bytes that are left on a folder's disk where they are too few; None where they are enough or unknown.

    A folder that is not there yet lies on the disk of the nearest one above it that is.
    """
    try:
        left = shutil.disk_usage(nearest(folder)).free
    except OSError:
        return None
    return left if left < LEAST_BYTES else None


def nearest(folder: str | Path) -> Path:
    """Return a folder, or the nearest one above it that is there: where it would be made."""
    place = Path(folder).absolute()
    while not place.exists() and place != place.parent:
        place = place.parent
    return place
