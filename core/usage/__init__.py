"""Token counts of one call, whatever shape they came in. Loads with the standard library alone."""

from core.usage.model import Iteration, Usage
from core.usage.shapes import from_any
from core.usage.stream import UsageStream

__all__ = ["Iteration", "Usage", "UsageStream", "from_any"]
