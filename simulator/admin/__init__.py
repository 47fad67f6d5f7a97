"""Anthropic's usage and cost reports for a fleet whose truth is known, in the published schemas.

`running_admin(ledger)` serves them in a thread; `python -m simulator.messages --fleet FOLDER` beside the Messages API.
Every response is labelled `x-cachewise-simulated: true`.
"""

from simulator.admin.app import ADMIN_KEY, Admin, routes
from simulator.admin.ledger import Charge, Ledger
from simulator.admin.server import RunningAdmin, running_admin

__all__ = ["ADMIN_KEY", "Admin", "Charge", "Ledger", "RunningAdmin", "routes", "running_admin"]
