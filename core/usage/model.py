"""Usage: the token counts of one call, in one vocabulary for every provider.

`input_tokens` never includes cached tokens. Formula: prompt = input + cache_read + cache_write_5m + cache_write_1h.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Iteration:
    """One billed or declined sampling step inside a call (server tools, compaction, advisor, fallback)."""

    kind: str  # message | fallback_message | compaction | advisor_message
    model: str | None = None  # None: the model of the request
    input_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_5m_tokens: int = 0
    cache_write_1h_tokens: int = 0
    output_tokens: int = 0
    declined: bool = False  # a fallback's earlier attempt that gave no output: reported, not billed

    @property
    def prompt_tokens(self) -> int:
        """Tokens the step read in: input + cache read + both cache writes."""
        return self.input_tokens + self.cache_read_tokens + self.cache_write_5m_tokens + self.cache_write_1h_tokens


@dataclass(frozen=True, slots=True)
class Usage:
    """The token counts of one call. Every count is exact; what a provider does not tell is None or flagged."""

    input_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_5m_tokens: int = 0
    cache_write_1h_tokens: int = 0
    output_tokens: int = 0
    thinking_tokens: int | None = None  # part of output_tokens
    web_search_requests: int = 0
    service_tier: str | None = None
    speed: str | None = None
    inference_geo: str | None = None
    iterations: tuple[Iteration, ...] = ()
    complete: bool = True  # False: the stream broke off, the output is a lower bound
    ttl_split_known: bool = True  # False: writes were reported without their TTL and stand under 5m

    @property
    def prompt_tokens(self) -> int:
        """Tokens of the prompt: input + cache read + both cache writes."""
        return self.input_tokens + self.cache_read_tokens + self.cache_write_5m_tokens + self.cache_write_1h_tokens

    @property
    def cache_write_tokens(self) -> int:
        """Tokens written to the Claude cache, for either lifetime."""
        return self.cache_write_5m_tokens + self.cache_write_1h_tokens

    def as_step(self) -> Iteration:
        """Return a call of one step as that step."""
        return Iteration(
            "message",
            None,
            self.input_tokens,
            self.cache_read_tokens,
            self.cache_write_5m_tokens,
            self.cache_write_1h_tokens,
            self.output_tokens,
        )

    def with_write_ttl(self, ttl: Literal["5m", "1h"] | None) -> Usage:
        """Book writes of unknown lifetime under the TTL that the service's policy asked for; else unchanged."""
        if self.ttl_split_known or ttl is None:
            return self
        from core.usage import iterations

        total = self.cache_write_tokens
        write_5m, write_1h = (0, total) if ttl == "1h" else (total, 0)
        steps = iterations.with_write_ttl(self.iterations, ttl) if self.iterations else ()
        return replace(
            self,
            cache_write_5m_tokens=write_5m,
            cache_write_1h_tokens=write_1h,
            iterations=steps,
            ttl_split_known=True,
        )

    @staticmethod
    def from_messages(response: Any) -> Usage:
        """Read a Messages response, its `usage`, or either as an SDK object; also Bedrock InvokeModel bodies."""
        from core.usage import shapes

        return shapes.from_messages(response)

    @staticmethod
    def from_converse(response: Mapping[str, Any]) -> Usage:
        """Read a Bedrock Converse response, its `usage`, or the `metadata` event of ConverseStream."""
        from core.usage import shapes

        return shapes.from_converse(response)

    @staticmethod
    def from_otel(attributes: Mapping[str, Any]) -> Usage:
        """Read OpenTelemetry GenAI span attributes, whose input tokens include cached ones."""
        from core.usage import shapes

        return shapes.from_otel(attributes)

    @staticmethod
    def from_invocation_metrics(metrics: Mapping[str, Any]) -> Usage:
        """Read Bedrock's `amazon-bedrock-invocationMetrics`: no TTL split there."""
        from core.usage import shapes

        return shapes.from_invocation_metrics(metrics)
