"""When prefixes leave the Claude cache by themselves, and what writing them again costs."""

from datetime import timedelta
from decimal import Decimal

from core.fleet.prefixes import claude_prefixes, rewrite_total
from core.pricing import default_book
from core.store.lake import Lake
from core.store.query import Reader
from tests.core.fleet.conftest import NOON, minutes
from tests.support.rows import make_call, table_of


def prefixes(lake: Lake, *calls: dict[str, object], **asked: str) -> list[object]:
    """Return what these calls tell at noon."""
    lake.commit("calls", table_of("calls", calls))
    with Reader(lake, threads=1) as reader:
        return claude_prefixes(reader, default_book(), source="bodo", now=NOON, **asked)  # type: ignore[return-value]


def test_it_expires_its_ttl_after_the_start_of_the_last_use(lake: Lake) -> None:
    """A read refreshes: written at -50 and read at -10 minutes with 1h, it expires at +50."""
    (found,) = prefixes(
        lake,
        make_call(ts=minutes(-50), cache_write_1h_tokens=6000),
        make_call(ts=minutes(-10), cache_read_tokens=6000),
        make_call(ts=minutes(-5), input_tokens=100),
    )

    assert (found.expires_at, found.live, found.exact, found.tokens) == (minutes(50), True, True, 6000)
    assert found.expires_in_s(NOON) == 3000


def test_writing_it_again_is_priced(lake: Lake) -> None:
    """6000 tokens of Claude Opus 4.5: 1h write at $10 per million, $0.06; the read it replaces was $0.003."""
    (found,) = prefixes(lake, make_call(ts=minutes(-10), cache_read_tokens=6000))

    assert (found.rewrite_usd, found.extra_usd) == (Decimal("0.06"), Decimal("0.057"))


def test_an_expired_prefix_costs_nothing_more(lake: Lake) -> None:
    """A 5m entry used six minutes ago is gone; the total counts live ones only, and says what has no price."""
    found = prefixes(
        lake,
        make_call(ts=minutes(-6), cache_write_5m_tokens=5000, cache_ttl="5m"),
        make_call(ts=minutes(-6), cache_read_tokens=6000, engine="other"),
        make_call(ts=minutes(-6), cache_read_tokens=6000, model="claude-unheard-of"),
    )

    assert sorted((item.engine, item.model, item.live) for item in found) == [
        ("other", "claude-opus-4-5", True),
        ("tutor", "claude-opus-4-5", False),
        ("tutor", "claude-unheard-of", True),
    ]
    assert rewrite_total(found) == (Decimal("0.06"), 1)


def test_an_unknown_ttl_is_unknown(lake: Lake) -> None:
    """Without a TTL neither expiry nor price is made up; a logged time is marked as such."""
    (found,) = prefixes(lake, make_call(ts=minutes(-1), cache_read_tokens=5000, cache_ttl=None, ts_kind="logged"))

    assert (found.expires_at, found.live, found.rewrite_usd, found.exact) == (None, None, None, False)


def test_fingerprints_are_prefixes_of_their_own(lake: Lake) -> None:
    """Two fingerprints of one engine expire on their own; an engine can be asked for."""
    calls = [
        make_call(ts=NOON - timedelta(minutes=at), cache_read_tokens=5000, prefix_fingerprint=name, engine=engine)
        for name, at, engine in (("aa", 1, "tutor"), ("bb", 2, "tutor"), ("cc", 3, "other"))
    ]

    assert [item.prefix_fingerprint for item in prefixes(lake, *calls, engine="tutor")] == ["aa", "bb"]


def test_a_prefix_that_nobody_reads_costs_nothing_more(lake: Lake) -> None:
    """One that is new with every request is written each time anyway: it is told, but not in the total."""
    found = prefixes(
        lake,
        make_call(ts=minutes(-2), cache_write_1h_tokens=6000, prefix_fingerprint="once"),
        make_call(ts=minutes(-3), cache_write_1h_tokens=6000, prefix_fingerprint="kept"),
        make_call(ts=minutes(-1), cache_read_tokens=6000, prefix_fingerprint="kept"),
    )

    assert [(item.prefix_fingerprint, item.uses, item.reads) for item in found] == [("kept", 2, 1), ("once", 1, 0)]
    assert rewrite_total(found) == (Decimal("0.06"), 0)


def test_the_dollars_of_a_text_line_tell_its_ttl(lake: Lake) -> None:
    """A source's default says 1h; the figure of the line that wrote says 5m, and that is when the entry expires."""
    (found,) = prefixes(
        lake,
        make_call(ts=minutes(-4), cache_write_1h_tokens=5000, price_check="other:claude-opus-4-5/5m"),
        make_call(ts=minutes(-2), cache_read_tokens=5000, price_check="agrees"),
    )

    assert (found.cache_ttl, found.expires_at) == ("5m", minutes(3))
    assert found.rewrite_usd == Decimal("0.03125")
