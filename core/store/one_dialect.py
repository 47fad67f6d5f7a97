"""Ibis writes SQL for twenty databases, and loads what it takes for all of them before it writes for one.

The package that gathers them is put in its place here without being executed; importing one of its modules then loads
that one. As soon as anybody asks the package itself for a name it does not have, it is executed as it would have been.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import threading
from types import ModuleType
from typing import Any

_GATHERED = "ibis.backends.sql.compilers"


_guard = threading.RLock()
"""Pages ask their first questions in several threads at once."""


class _NotYetExecuted(ModuleType):
    """A package whose modules can be imported, and which is executed when a name of its own is asked for."""

    _executed = False

    def __getattr__(self, name: str) -> Any:
        with _guard:
            if name not in self.__dict__ and not name.startswith("__") and not self._executed:
                self._executed = True
                assert self.__spec__ and self.__spec__.loader
                self.__spec__.loader.exec_module(self)
            if name not in self.__dict__:
                raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        return self.__dict__[name]


def load_duckdb_alone() -> None:
    """Load what writes SQL for DuckDB, and not what writes it for others, unless that has happened already."""
    with _guard:
        spec = None if _GATHERED in sys.modules else importlib.util.find_spec(_GATHERED)
        if spec is None or spec.submodule_search_locations is None:
            return  # also where another version of Ibis has it elsewhere: that loads what it loads
        package = _NotYetExecuted(_GATHERED)
        package.__spec__, package.__loader__, package.__package__ = spec, spec.loader, _GATHERED
        package.__path__, package.__file__ = spec.submodule_search_locations, spec.origin
        sys.modules[_GATHERED] = package
        parent, _, name = _GATHERED.rpartition(".")
        setattr(sys.modules[parent], name, package)
        importlib.import_module(f"{_GATHERED}.duckdb")
