"""What the whole test session shares: things too slow to start for each test."""

import gc
import os
from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest

from tests.support import in_memory
from tests.support import ministack as ministack_process
from tests.support.ministack import Ministack

# a busy machine is slow, not wrong: time limits are pytest-timeout's business; and every run draws other examples
hypothesis.settings.register_profile(
    "house", max_examples=50, deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow], print_blob=True
)
hypothesis.settings.load_profile("house")

TOGETHER = {
    **dict.fromkeys(
        (
            "tests/core/fleet/test_clear_epoch_lambda.py",
            "tests/core/fleet/test_clear_variable_lambda.py",
            "tests/examples/test_bodo_clear.py",
            "tests/examples/test_bodo_warm.py",
        ),
        "ministack and its Lambda processes",
    ),
    **dict.fromkeys(
        ("tests/dashboard/test_pages.py", "tests/dashboard/test_same_figures.py"), "every page of every store"
    ),
    **dict.fromkeys(
        (
            "tests/e2e/test_calls.py",
            "tests/e2e/test_misses.py",
            "tests/e2e/test_pages.py",
            "tests/e2e/test_reading.py",
            "tests/e2e/test_report_file.py",
        ),
        "the demo fleet, served, and a tab that knows it",
    ),
}
"""Files whose tests run in one worker, because they share what is slow to make."""


LONG = ("dashboard", "cli", "collector")
"""Folders whose files take longer than others."""


def pytest_configure(config: pytest.Config) -> None:
    """Let `tmp_path` lie in memory, where it fits; workers are told by the process that starts them."""
    if not hasattr(config, "workerinput") and (place := in_memory.place()):
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(place))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Send each file to whichever worker is free, as its tests share what is slow to make, and some files as one.

    xdist's own groups (3.8) do nothing under pytest 9: they rename tests in a way that it no longer sees.
    """
    from xdist.scheduler import LoadScopeScheduling

    class Together(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.split("::")[0]
            return TOGETHER.get(file, file)

        def mark_test_complete(self, node: Any, item_index: int, duration: float = 0) -> None:
            super().mark_test_complete(node, item_index, duration)
            scope = self._split_scope(self.registered_collections[node][item_index])
            if all(self.assigned_work[node].get(scope, {}).values()):
                self.assigned_work[node].pop(scope, None)  # what is done is counted through at every test

    return Together(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest: at the end, one worker would wait for the other."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: (item.path not in slow, item.path.parent.name not in LONG))


def pytest_collection_finish() -> None:
    """Leave what stays for good, modules and tests, out of every search for garbage: a fifteenth of all time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000)


def pytest_unconfigure() -> None:
    """Let the end find what was left out, or DuckDB's binding calls it a leak below the result."""
    gc.unfreeze()


@pytest.fixture(scope="session")
def ministack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ministack]:
    """An AWS of this machine with real warm Lambda processes; skips where it cannot start."""
    try:
        context = ministack_process.running(tmp_path_factory.mktemp("ministack"))
        running = context.__enter__()
    except ministack_process.NotStarted as reason:
        pytest.skip(str(reason))
    yield running
    context.__exit__(None, None, None)


@pytest.fixture(scope="session")
def moto_address() -> Iterator[str]:
    """The address of an AWS of this machine that is quick to start and knows much, but runs no Lambda."""
    from moto.server import ThreadedMotoServer  # a second to load, also where nothing asks for it

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()
