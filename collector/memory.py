"""Keeping the collector's memory small: what a batch took is given back to the system before the next."""

from __future__ import annotations

import atexit
import ctypes
import gc
import os
import sys
from collections.abc import Callable
from contextlib import suppress

_ARENA_MAX = -8  # M_ARENA_MAX of glibc's malloc.h


def spare() -> None:
    """Set this process up for collecting: for commands that do nothing else, and have asked to be `lean` before.

    Events and rows hold no cycles, and looking for some among them costs a tenth of the time.
    """
    gc.freeze()
    atexit.register(gc.unfreeze)  # else DuckDB's binding calls what the end does not find a leak, on the terminal
    gc.set_threshold(100_000, 50, 100)
    _one_arena()


def lean() -> None:
    """Do without what only takes memory: for commands that hold many rows.

    Arrow's own allocator keeps what was freed; the system's gives it back when asked to. Parquet's part of Arrow asks
    once which it is to take, while it is loaded: so call this before anything loads it, which this does.
    """
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    import pyarrow as pa

    pa.set_memory_pool(pa.system_memory_pool())


def _one_arena() -> None:
    """Let the C library keep one heap for all threads: what one gives back, another may have."""
    if not sys.platform.startswith("linux"):
        return
    with suppress(AttributeError, OSError):  # another C library than glibc
        ctypes.CDLL(None).mallopt(_ARENA_MAX, 1)


def _trimmer() -> Callable[[], None]:
    if not sys.platform.startswith("linux"):
        return lambda: None
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError):  # another C library than glibc
        return lambda: None

    def give_back() -> None:
        trim(0)

    return give_back


give_back: Callable[[], None] = _trimmer()
"""Return freed memory to the system, where the C library can."""
