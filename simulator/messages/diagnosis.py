"""Cache diagnosis: name what changed between a request and the one before it, from fingerprints alone.

https://platform.claude.com/docs/en/build-with-claude/cache-diagnostics: a request is remembered only when it
carries `diagnostics`, for a short while and within its workspace; the comparison looks at the requests, not at
whether the cache was hit; `null` means no divergence.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from simulator.messages.request import Prompt, Section

_KEPT_FOR = timedelta(hours=24)  # "short retention"; the real figure is not published
_KEPT_AT_MOST = 10_000


@dataclass(frozen=True, slots=True)
class _Remembered:
    at: datetime
    model_id: str
    prompt: Prompt


class Diagnoses:
    """The requests that asked for a diagnosis, by workspace and message id."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, str], _Remembered] = OrderedDict()

    def remember(self, prompt: Prompt, *, at: datetime, workspace: str, message_id: str, model_id: str) -> None:
        """Keep a request's fingerprints for the next one to be compared with, if it asked for that."""
        if not prompt.diagnose:
            return
        self._kept[workspace, message_id] = _Remembered(at, model_id, prompt)
        while len(self._kept) > _KEPT_AT_MOST:
            self._kept.popitem(last=False)

    def compare(self, prompt: Prompt, *, at: datetime, workspace: str, model_id: str) -> dict[str, Any] | None:
        """Return the response's `diagnostics`: None when not asked for, or when nothing diverged."""
        if not prompt.diagnose or prompt.previous_message_id is None:
            return None
        previous = self._kept.get((workspace, prompt.previous_message_id))
        if previous is None or at - previous.at > _KEPT_FOR:
            return {"cache_miss_reason": {"type": "previous_message_not_found"}}
        reason = _divergence(previous, prompt, model_id)
        return None if reason is None else {"cache_miss_reason": reason}


def _divergence(previous: _Remembered, prompt: Prompt, model_id: str) -> dict[str, Any] | None:
    """Return the first thing that differs: model, tools, system, the other options, messages."""
    before = previous.prompt
    if (previous.model_id, before.speed) != (model_id, prompt.speed):
        return _changed("model_changed", before.tokens)
    if not _same(before, prompt, "tools"):
        return _changed("tools_changed", before.tokens)
    if not _same(before, prompt, "system"):
        return _changed("system_changed", before.tokens - _tokens(before, "tools"))
    if before.options_fingerprint != prompt.options_fingerprint:
        return {"type": "unavailable"}
    return _messages_divergence(before, prompt)


def _messages_divergence(before: Prompt, prompt: Prompt) -> dict[str, Any] | None:
    """Messages may only grow: the earlier ones must all be there, unchanged."""
    old, new = _section(before, "messages"), _section(prompt, "messages")
    for position, (fingerprint, _) in enumerate(old):
        if position >= len(new) or new[position][0] != fingerprint:
            return _changed("messages_changed", sum(tokens for _, tokens in old[position:]))
    return None


def _changed(kind: str, tokens: int) -> dict[str, Any]:
    return {"type": kind, "cache_missed_input_tokens": tokens}


def _section(prompt: Prompt, section: Section) -> list[tuple[str, int]]:
    return [(part.fingerprint, part.tokens) for part in prompt.parts if part.section == section]


def _tokens(prompt: Prompt, section: Section) -> int:
    return sum(tokens for _, tokens in _section(prompt, section))


def _same(before: Prompt, prompt: Prompt, section: Section) -> bool:
    return _section(before, section) == _section(prompt, section)
