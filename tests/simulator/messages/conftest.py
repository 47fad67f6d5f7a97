"""One simulator for all tests of this folder; each test has its own API key, and so its own workspace and cache."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import anthropic
import pytest

from simulator.messages import SimulatedClock, Simulator, new_service, running_simulator
from tests.support.prompts import new_key


@pytest.fixture(scope="session")
def simulator() -> Iterator[Simulator]:
    """A simulator with a clock that stands still until a test moves it, and answers of 12 tokens."""
    clock = SimulatedClock(datetime(2026, 11, 20, 9, tzinfo=UTC))
    with running_simulator(new_service(clock=clock, output_tokens=12)) as running:
        yield running


@pytest.fixture(scope="session")
def connection(simulator: Simulator) -> Iterator[anthropic.Anthropic]:
    """The SDK as it comes, without retries; the clients of all tests share its connections."""
    with anthropic.Anthropic(api_key=new_key(), base_url=simulator.url, max_retries=0) as client:
        yield client


@pytest.fixture
def client(connection: anthropic.Anthropic) -> anthropic.Anthropic:
    """A client with a workspace of its own."""
    return connection.with_options(api_key=new_key())


@pytest.fixture
def make_client(connection: anthropic.Anthropic) -> Callable[[], anthropic.Anthropic]:
    """Make further clients, each with a workspace of its own."""
    return lambda: connection.with_options(api_key=new_key())
