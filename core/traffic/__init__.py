"""Observed traffic as arrays: when each call began, what it read and wrote, and what its tokens cost."""

from core.traffic.arrays import Coded
from core.traffic.calls import Traffic, load

__all__ = ["Coded", "Traffic", "load"]
