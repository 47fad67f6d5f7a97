"""Observed traffic as arrays: when each call began, what it read and wrote, and what its tokens cost."""

from core.traffic.arrays import Coded
from core.traffic.bounds import Bounds, bounded, load_bounded
from core.traffic.calls import Traffic, load
from core.traffic.slices import slices

__all__ = ["Bounds", "Coded", "Traffic", "bounded", "load", "load_bounded", "slices"]
