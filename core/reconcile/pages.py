"""Reading page after page of a provider's answer, without going round in circles."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from core.reconcile.access import unreadable

MOST_PAGES = 10_000
Page = TypeVar("Page")


def token_of(answer: Mapping[str, Any]) -> str | None:
    """Return what the next page is asked for by; None after the last, where `has_more` is false or not told.

    Raises TryAgain (REC-502) where more is promised without a way to it: what is read so far is not the whole.
    """
    more, token = answer.get("has_more"), answer.get("next_page") or None
    if more and token is None:
        raise unreadable("more pages without a token")
    return token if more or more is None else None


def pages(ask: Callable[[str | None], Page], following: Callable[[Page], str | None]) -> Iterator[Page]:
    """Yield every page that `ask` returns for a token; `following` names the next one's, None after the last.

    Raises TryAgain (REC-502) where a token comes again or there is no end to them: no sum of such pages can be trusted.
    """
    token: str | None = None
    seen: set[str] = set()
    while len(seen) < MOST_PAGES:
        page = ask(token)
        yield page
        token = following(page)
        if token is None:
            return
        if token in seen:
            break
        seen.add(token)
    raise unreadable("a page that repeats")
