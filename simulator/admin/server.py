"""Serves the simulated Admin API on 127.0.0.1 in a thread."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from starlette.applications import Starlette

from simulator.admin.app import ADMIN_KEY, Admin, routes
from simulator.messages.app import Labelled
from simulator.messages.server import serving


@dataclass(frozen=True, slots=True)
class RunningAdmin:
    """A running Admin API: where it is, and the organization behind it."""

    url: str
    admin: Admin
    key: str = ADMIN_KEY


@contextmanager
def running_admin(admin: Admin, *, port: int = 0) -> Iterator[RunningAdmin]:
    """Serve while the block runs."""
    with serving(Labelled(Starlette(routes=routes(admin))), port=port) as url:
        yield RunningAdmin(url, admin)
