"""Reading page after page: all of them once, and never round in circles."""

from collections.abc import Callable

import pytest

from core.errors import TryAgain
from core.reconcile import pages as module
from core.reconcile.pages import pages

Asked = list[str | None]


def book(*following: str | None) -> tuple[Asked, Callable[[str | None], int], Callable[[int], str | None]]:
    """Pages numbered from 0, each naming the next one's token; and what was asked for."""
    asked: Asked = []

    def ask(token: str | None) -> int:
        asked.append(token)
        return len(asked) - 1

    return asked, ask, lambda page: following[page]


def test_every_page_is_read_once_in_order() -> None:
    """The first is asked for without a token, the others by the token that the page before named."""
    asked, ask, following = book("b", "c", None)

    assert list(pages(ask, following)) == [0, 1, 2]
    assert asked == [None, "b", "c"]


def test_a_token_that_comes_again_is_no_end() -> None:
    """A sum over pages that repeat would be wrong without anybody noticing."""
    _, ask, following = book("b", "c", "b", None)

    with pytest.raises(TryAgain, match="REC-502"):
        list(pages(ask, following))


def test_pages_without_end_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many new tokens come."""
    monkeypatch.setattr(module, "MOST_PAGES", 3)
    _, ask, following = book(*(str(number) for number in range(9)))

    with pytest.raises(TryAgain, match="a page that repeats"):
        list(pages(ask, following))
