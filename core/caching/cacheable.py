"""Could this call have been cached? The denominator of the request hit rate."""

from __future__ import annotations


def is_cacheable(
    *,
    caching_enabled: bool | None,
    cached_tokens: int,
    prompt_tokens: int,
    prefix_tokens: int | None = None,
    minimum_tokens: int | None = None,
) -> bool | None:
    """Say whether caching was on and the prefix reached the model's minimum; None when it cannot be known.

    `cached_tokens` = cache reads + writes. Any of them proves that the call was cacheable. The minimum is the
    model's smallest cacheable prefix in tokens (below it the API silently does not cache).
    """
    if cached_tokens > 0:
        return True
    if caching_enabled is False:
        return False
    if minimum_tokens is not None and prompt_tokens < minimum_tokens:
        return False
    if prefix_tokens is None or minimum_tokens is None:
        return None
    if prefix_tokens < minimum_tokens:
        return False
    return True if caching_enabled else None
