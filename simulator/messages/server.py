"""Start the simulator: in a thread for tests and other programs, or for good from the command line."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import uvicorn
from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from core.pricing import PriceBook, default_book
from simulator.messages.app import build_app
from simulator.messages.catalog import Catalog
from simulator.messages.clock import SimulatedClock
from simulator.messages.faults import Fault, FaultPlan
from simulator.messages.latency import INSTANT, Latency
from simulator.messages.service import KEY_PREFIX, CallSeen, Service

API_KEY = f"{KEY_PREFIX}-0000"
_START_WAIT_S = 10.0
_POLL_S = 0.002


@dataclass(frozen=True, slots=True)
class Simulator:
    """A running simulator: where it is, and the hands that move it."""

    url: str
    service: Service
    api_key: str = API_KEY

    @property
    def clock(self) -> SimulatedClock:
        """The simulator's clock."""
        return self.service.clock

    @property
    def faults(self) -> FaultPlan:
        """The faults still to come."""
        return self.service.faults

    @property
    def calls(self) -> list[CallSeen]:
        """The requests seen so far, oldest first."""
        return list(self.service.calls)

    @contextmanager
    def holding_answers(self) -> Iterator[None]:
        """Keep every answer from beginning while the block runs."""
        self.service.held = True
        try:
            yield
        finally:
            self.service.held = False

    def wait_for_held(self, count: int, *, limit_s: float = 5.0) -> None:
        """Wait until `count` requests are being held."""
        end = time.monotonic() + limit_s
        while self.service.waiting < count:
            if time.monotonic() > end:
                raise TimeoutError(f"{self.service.waiting} of {count} requests arrived in {limit_s} s")
            time.sleep(_POLL_S)


def new_service(
    *,
    clock: SimulatedClock | None = None,
    latency: Latency = INSTANT,
    faults: Iterable[Fault] = (),
    api_keys: Collection[str] | None = None,
    minimum_tokens: int | None = None,
    output_tokens: int | None = None,
    book: PriceBook | None = None,
) -> Service:
    """Put a service together. `minimum_tokens` replaces each model's own; `output_tokens` fixes the answers' length."""
    return Service(
        catalog=Catalog(book or default_book(), minimum_tokens=minimum_tokens),
        clock=clock or SimulatedClock(),
        latency=latency,
        faults=FaultPlan(faults),
        api_keys=api_keys,
        output_tokens=output_tokens,
    )


@contextmanager
def running_simulator(service: Service | None = None, *, port: int = 0) -> Iterator[Simulator]:
    """Serve on 127.0.0.1 in a thread while the block runs; without a `service`, one with instant answers."""
    service = service or new_service()
    try:
        with serving(build_app(service), port=port) as url:
            yield Simulator(url, service)
    finally:
        service.held = False


@contextmanager
def serving(app: ASGIApp, *, port: int = 0) -> Iterator[str]:
    """Serve an app on 127.0.0.1 in a thread while the block runs; yield its URL."""
    listener = open_door(port)
    server = uvicorn.Server(_config(app))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True, name="simulator")
    thread.start()
    try:
        _wait_until_started(server)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(_START_WAIT_S)
        listener.close()


def open_door(port: int = 0) -> socket.socket:
    """Listen on 127.0.0.1. The protocol is named because asyncio turns Nagle's algorithm off only where it is."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen()
    return listener


def serve(service: Service, listener: socket.socket, *, more: Sequence[BaseRoute] = ()) -> None:
    """Serve in this thread until the process is told to stop; `more` are routes beside the Messages API's."""
    uvicorn.Server(_config(build_app(service, more=more))).run(sockets=[listener])


def _config(app: ASGIApp) -> uvicorn.Config:
    # no access log and no tracebacks: a cut stream is an ordered fault, and logs must not hold requests
    return uvicorn.Config(
        app,
        log_config=None,
        log_level="critical",
        access_log=False,
        lifespan="off",
        ws="none",
        timeout_graceful_shutdown=2,
    )


def _wait_until_started(server: uvicorn.Server) -> None:
    end = time.monotonic() + _START_WAIT_S
    while not server.started:
        if time.monotonic() > end:
            raise TimeoutError("the simulator did not start")
        time.sleep(_POLL_S)
