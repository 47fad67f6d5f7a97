"""A caller that cannot know when the answer will begin says so afterwards."""

import sys

from core.caching.cache_model import Block, CacheModel

PREFIX = [Block("system", 1000, "5m"), Block("question", 5)]


def test_nothing_is_readable_before_the_response_began() -> None:
    """Two requests in a row both write while the first answer has not begun."""
    model = CacheModel()
    model.request(0, blocks=PREFIX, response_begins_ms=sys.maxsize)

    second = model.request(500, blocks=PREFIX, response_begins_ms=sys.maxsize)

    assert (second.read, second.write_5m, second.cause) == (0, 1000, "concurrent_first_write")


def test_the_entry_is_readable_from_the_very_millisecond_the_response_began() -> None:
    """The millisecond of the first byte reads, the one before does not."""
    model = CacheModel()
    model.request(0, blocks=PREFIX, response_begins_ms=sys.maxsize)
    model.response_began(800, blocks=PREFIX)

    assert model.request(799, blocks=PREFIX, response_begins_ms=sys.maxsize).read == 0
    assert model.request(800, blocks=PREFIX).read == 1000


def test_the_lifetime_still_counts_from_the_start_of_the_request() -> None:
    """A slow first answer eats into the lifetime: it ends 5 minutes after the start, not after the first byte."""
    model = CacheModel()
    model.request(0, blocks=PREFIX, response_begins_ms=sys.maxsize)
    model.response_began(60_000, blocks=PREFIX)

    assert model.request(300_001, blocks=PREFIX).cause == "expired"


def test_a_response_that_wrote_nothing_makes_nothing_readable() -> None:
    """Below the minimum there is no entry to open."""
    model = CacheModel(minimum_tokens=1001)
    model.request(0, blocks=PREFIX, response_begins_ms=sys.maxsize)
    model.response_began(1, blocks=PREFIX)

    assert model.request(2, blocks=PREFIX).cause == "below_minimum"


def test_the_first_of_two_writers_to_answer_opens_the_entry() -> None:
    """Of two concurrent writers, whichever answers first makes the entry readable for everybody."""
    model = CacheModel()
    model.request(0, blocks=PREFIX, response_begins_ms=sys.maxsize)
    model.request(10, blocks=PREFIX, response_begins_ms=sys.maxsize)
    model.response_began(400, blocks=PREFIX)

    assert model.request(401, blocks=PREFIX).read == 1000
