"""What a call's own line does not say is taken from its source's defaults: the one rule of how.

It serves a line when it is read (collector/rows.py) and a stored call when newer defaults are laid over it
(core/care/assume.py). Whatever the line did say stays; the tokens stay; unknown stays unknown.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from core.caching.cacheable import is_cacheable
from core.settings import LineDefaults

Minimum = Callable[[str, str | None], int | None]
"""From model and provider to the smallest prefix in tokens that is cached."""


@dataclass(frozen=True, slots=True)
class Said:
    """What the line itself said of a call. None: it did not say."""

    provider: str | None
    model: str | None
    cache_ttl: str | None
    caching_enabled: bool | None
    written_tokens: int
    split: tuple[int | None, int | None] | None  # of what was written: (5m, 1h)
    read_tokens: int
    prompt_tokens: int
    prefix_tokens: int | None


@dataclass(frozen=True, slots=True)
class Filled:
    """The same with the defaults filled in."""

    provider: str | None
    model: str | None
    model_known_by: str | None
    cache_ttl: str | None
    ttl_known_by: str | None
    write_5m_tokens: int | None
    write_1h_tokens: int | None
    caching_enabled: bool | None
    cacheable: bool | None


def fill(said: Said, defaults: LineDefaults, minimum: Minimum) -> Filled:
    """Return what is known of a call with its source's defaults behind what it said."""
    provider, model = said.provider or defaults.provider, said.model or defaults.model
    ttl = said.cache_ttl or defaults.cache_ttl
    write_5m, write_1h = said.split or booked(said.written_tokens, ttl)
    enabled = said.caching_enabled if said.caching_enabled is not None else defaults.caching_enabled
    return Filled(
        provider,
        model,
        known_by(said.model, model),
        ttl,
        known_by(said.cache_ttl, ttl),
        write_5m,
        write_1h,
        enabled,
        is_cacheable(
            caching_enabled=enabled,
            cached_tokens=said.read_tokens + said.written_tokens,
            prompt_tokens=said.prompt_tokens,
            prefix_tokens=said.prefix_tokens,
            minimum_tokens=minimum(model, provider) if model else None,
        ),
    )


def booked(written: int, ttl: str | None) -> tuple[int | None, int | None]:
    """Book writes whose lifetime the line does not tell under the TTL in force; None: nobody says which."""
    if not written:
        return 0, 0
    return {"5m": (written, 0), "1h": (0, written)}.get(ttl or "", (None, None))


def known_by(said: str | None, value: str | None) -> str | None:
    """Return who told a value: the line itself (`record`), or the defaults; None when it is unknown."""
    if said is not None:
        return "record"
    return "defaults" if value is not None else None
