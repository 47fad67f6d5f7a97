"""Reading page after page of a provider's answer, without going round in circles."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

from core.reconcile.access import unreadable

MOST_PAGES = 10_000
Page = TypeVar("Page")


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
