"""A Claude Messages API with true prompt-cache semantics, for tests, demos and probes without a key.

`running_simulator()` serves it in a thread; `python -m simulator.messages` serves it as a process.
Every response is labelled `x-cachewise-simulated: true`, every id starts with `…_sim_`.
"""

from simulator.messages.clock import SimulatedClock
from simulator.messages.faults import Fault
from simulator.messages.latency import INSTANT, Latency
from simulator.messages.server import API_KEY, Simulator, new_service, running_simulator
from simulator.messages.tokens import text_of_tokens

__all__ = [
    "API_KEY",
    "INSTANT",
    "Fault",
    "Latency",
    "SimulatedClock",
    "Simulator",
    "new_service",
    "running_simulator",
    "text_of_tokens",
]
