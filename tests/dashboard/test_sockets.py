"""What the server sends goes out at once: no small answer waits for the browser to confirm the one before."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from dashboard import sockets


@pytest.fixture
def bound() -> Iterator[socket.socket]:
    """A socket as Streamlit binds it: it names no protocol, so asyncio leaves it as it is."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as server:
        server.bind(("127.0.0.1", 0))
        assert server.proto == 0
        yield server


def waits(held: socket.socket) -> bool:
    """Whether the kernel keeps a small part back until the one before is confirmed."""
    return held.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 0


def test_accepted_connections_send_at_once(bound: socket.socket) -> None:
    """What is set before the socket listens holds for whoever connects afterwards."""
    assert sockets.send_at_once() >= 1

    bound.listen()
    with ExitStack() as held:
        held.enter_context(socket.create_connection(bound.getsockname()))
        accepted = held.enter_context(bound.accept()[0])
        assert not waits(accepted)


def test_connections_to_elsewhere_are_left_alone(bound: socket.socket) -> None:
    """Only what accepts connections is changed: not a connection, a datagram socket or one that is bound to nothing."""
    bound.listen()
    with (
        socket.create_connection(bound.getsockname()) as client,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams,
        socket.socket(socket.AF_INET, socket.SOCK_STREAM) as unbound,
    ):
        datagrams.bind(("127.0.0.1", 0))

        sockets.send_at_once()

        assert waits(client)
        assert waits(unbound)
        assert not waits(bound)
