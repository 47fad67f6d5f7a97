"""How many tokens a text of so many words has: measured with two free counts, or estimated where nobody counts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from core.caching.request import PromptRequest
from core.probe.prompts import Ask, Prefix

SHORT, LONG = 50, 1050
TAIL_TOKENS = 12  # the question and the marks around it, which are not part of the prefix
_BEHIND_A_COUNT = 1.05  # the count is an estimate: https://platform.claude.com/docs/en/build-with-claude/token-counting
_SLACK_TOKENS = 64
_WRAPPING_TOKENS = 800  # what a provider puts around tools and system, at most

Count = Callable[[Ask], int | None]


@dataclass(frozen=True, slots=True)
class Ruler:
    """Tokens of a whole prompt = `base` + `per_word` × words. `counted`: the provider measured both."""

    base: float = 60.0
    per_word: float = 1.0
    counted: bool = False

    def prompt_tokens(self, words: int) -> int:
        """Return the tokens of a prompt whose filler has that many words."""
        return round(self.base + self.per_word * words)

    def prefix_tokens(self, words: int) -> int:
        """Return the tokens of the prefix alone."""
        return max(0, self.prompt_tokens(words) - TAIL_TOKENS)

    def words_for(self, prefix_tokens: int) -> int:
        """Return how many words make a prefix of about that many tokens."""
        return max(1, round((prefix_tokens + TAIL_TOKENS - self.base) / self.per_word))


def measure(count: Count, *, nonce: str) -> Ruler:
    """Count two prompts and draw the line between them; the estimate where the provider does not count."""
    short, long = (count(Ask(Prefix(nonce, words), None)) for words in (SHORT, LONG))
    if short is None or long is None or long <= short:
        return Ruler()
    per_word = (long - short) / (LONG - SHORT)
    return Ruler(base=short - per_word * SHORT, per_word=per_word, counted=True)


def most_tokens(request: PromptRequest, counted: int | None) -> int:
    """Return a bound on the tokens of a prompt: its count and 5 %, or, uncounted, one token per byte."""
    if counted is not None:
        return round(counted * _BEHIND_A_COUNT) + _SLACK_TOKENS
    return len(str(request.body()).encode()) + _WRAPPING_TOKENS
