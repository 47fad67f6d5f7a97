"""Arrow without pandas, which it looks for once: a third of a second and 35 MB for nothing that is needed here."""

from __future__ import annotations

import sys
import threading

import pyarrow as pa


def without_pandas() -> None:
    """Let Arrow find no pandas the one time it looks for it, unless it is loaded already.

    Nor dateutil, which it would have for spans of months. It looks when the first list becomes an array. Whatever
    does need them still gets them.
    """
    if "pandas" in sys.modules:
        return
    finder = _NoPandas()
    sys.meta_path.insert(0, finder)
    try:
        pa.array([0])
    finally:
        sys.meta_path.remove(finder)


class _NoPandas:  # the abstract class to be derived from takes longer to load than this saves elsewhere
    def __init__(self) -> None:
        self._thread = threading.get_ident()

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> None:
        """Refuse the two to this thread; leave all else to the others."""
        if threading.get_ident() == self._thread and fullname.partition(".")[0] in ("pandas", "dateutil"):
            raise ModuleNotFoundError(fullname, name=fullname)
