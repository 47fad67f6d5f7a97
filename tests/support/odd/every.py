"""Inputs as the field really writes them, each with what it should give, worked out by hand."""

from __future__ import annotations

from collections.abc import Iterator

from tests.support.odd import answers, bedrock, records, spans, text, wrapped
from tests.support.odd.case import Odd


def every_case() -> Iterator[Odd]:
    """Yield all of them."""
    for part in (text, records, bedrock, spans, answers, wrapped):
        yield from part.cases()
