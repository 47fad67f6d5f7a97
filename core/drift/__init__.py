"""Environments that are not like their sisters: older prompts, memory that fills, and what cold starts cost."""

from core.drift.cold import ColdStarts, cold_starts
from core.drift.memory import MemoryUse, memory
from core.drift.prompts import Drifted, drifted, prompts

__all__ = ["ColdStarts", "Drifted", "MemoryUse", "cold_starts", "drifted", "memory", "prompts"]
