"""What the whole test session shares: things too slow to start for each test."""

from collections.abc import Iterator

import hypothesis
import pytest
from moto.server import ThreadedMotoServer

from tests.support import ministack as ministack_process
from tests.support.ministack import Ministack

# a busy machine is slow, not wrong: time limits are pytest-timeout's business
hypothesis.settings.register_profile(
    "house", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow], print_blob=True
)
hypothesis.settings.load_profile("house")


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
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()
