"""How long Claude takes: a read prefix is almost free, every other prompt token costs time. Invented but plausible."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from core.caching.cache_model import Outcome


@dataclass(frozen=True, slots=True)
class Pace:
    """The pace of one model family."""

    base_ms: float
    uncached_ms: float  # per prompt token that had to be processed (written ones too)
    read_ms: float  # per prompt token read from the cache
    output_per_s: float


_PACES = {
    "opus": Pace(780, 0.110, 0.008, 58),
    "sonnet": Pace(520, 0.070, 0.005, 82),
    "haiku": Pace(300, 0.035, 0.003, 150),
}
_BEDROCK = 1.25


def pace_of(model: str) -> Pace:
    """Return the pace of a model by its family name; an unknown family goes at Sonnet's."""
    return next((pace for family, pace in _PACES.items() if family in model), _PACES["sonnet"])


def expected_ttft_ms(model: str, *, prompt: int, read: int, provider: str) -> float:
    """Return the time to the first token of a prompt of which so many tokens were read."""
    pace = pace_of(model)
    expected = pace.base_ms + pace.uncached_ms * (prompt - read) + pace.read_ms * read
    return expected * (_BEDROCK if provider == "bedrock" else 1.0)


def ttft_ms(model: str, outcome: Outcome, provider: str, rng: Random) -> float:
    """Draw the time to the first token of one call."""
    expected = expected_ttft_ms(model, prompt=outcome.prompt, read=outcome.read, provider=provider)
    return expected * rng.lognormvariate(0, 0.16)


def generation_ms(model: str, output_tokens: int, rng: Random) -> float:
    """Draw the time from the first token to the last."""
    return output_tokens / pace_of(model).output_per_s * 1000 * rng.lognormvariate(0, 0.10)
