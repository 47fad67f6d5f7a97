"""What the whole test session shares: things too slow to start for each test."""

from collections.abc import Iterator

import pytest

from tests.support import ministack as ministack_process
from tests.support.ministack import Ministack


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
