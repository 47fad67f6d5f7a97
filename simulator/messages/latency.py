"""How long a simulated answer takes: reading from the cache is quicker than working the prompt out.

The defaults are round figures of the right order, not measurements of the real service.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds by what has to be done. `scale` shrinks them all; 0 answers at once."""

    base_ms: float = 350.0
    per_1k_processed_ms: float = 90.0  # uncached input and cache writes: the model works them out
    per_1k_read_ms: float = 6.0
    per_output_token_ms: float = 12.0
    scale: float = 1.0

    def time_to_first_token_ms(self, *, processed_tokens: int, read_tokens: int) -> float:
        """Return the wait before the first byte of the answer."""
        work = processed_tokens * self.per_1k_processed_ms + read_tokens * self.per_1k_read_ms
        return self.scale * (self.base_ms + work / 1000)

    def generation_ms(self, output_tokens: int) -> float:
        """Return the time from the first to the last token of the answer."""
        return self.scale * self.per_output_token_ms * output_tokens


INSTANT = Latency(scale=0.0)
