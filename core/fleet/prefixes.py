"""When each prefix leaves the Claude cache by itself, and what writing it again costs. Nobody can clear that cache.

An entry lives for its TTL from the *start* of the last request that wrote or read it
(https://docs.claude.com/en/docs/build-with-claude/prompt-caching). Changing one byte of the prefix starts a new entry,
which must be written: that price is what a prefix-epoch bump costs.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import ibis.expr.types as ir

from core.metrics.scope import Scope, asked
from core.pricing import PriceBook, price_usage
from core.store.query import Reader
from core.usage import Usage

TTLS = {"5m": timedelta(minutes=5), "1h": timedelta(hours=1)}
_OTHER = "other:"  # price_check of a line whose own dollars fit another model or TTL than the source's defaults
LOOKBACK = timedelta(hours=2)
"""How far back calls are read: the longest TTL, and as much again of what has just expired."""

NOBODY_CAN_CLEAR = (
    "Nobody can clear the Claude cache: an entry expires its TTL after the start of the last request that used it, "
    "or is left behind when the prefix changes."
)
Prices = dict[tuple[str | None, str | None, str | None, int], tuple[Decimal | None, Decimal | None]]
_PREFIX = ("engine", "provider", "model", "prefix_fingerprint")


@dataclass(frozen=True, slots=True)
class ClaudePrefix:
    """One prefix in the Claude cache, as its last request tells. Records name it; text lines only its engine."""

    engine: str | None
    provider: str | None
    model: str | None
    prefix_fingerprint: str | None
    cache_ttl: str | None  # None: neither the lines nor the settings say
    tokens: int
    uses: int  # requests of the lookback that wrote or read it
    reads: int
    last_used: datetime
    exact: bool  # False: the line tells when it was logged, so the entry may expire a little earlier
    expires_at: datetime | None
    live: bool | None  # None: unknown, because the TTL is
    rewrite_usd: Decimal | None  # writing it once; None: unpriced
    extra_usd: Decimal | None  # more than the read that a warm request would have paid

    def expires_in_s(self, now: datetime) -> float | None:
        """Seconds until it expires: 0 when it has, None when its TTL is unknown."""
        return None if self.expires_at is None else max(0.0, (self.expires_at - now).total_seconds())


def claude_prefixes(
    reader: Reader,
    book: PriceBook,
    *,
    source: str,
    now: datetime,
    engine: str | None = None,
    lookback: timedelta = LOOKBACK,
) -> list[ClaudePrefix]:
    """Return the source's prefixes that were written or read in the lookback, the last to expire first."""
    engines = () if engine is None else (engine,)
    scope = Scope(start=now - lookback, end=None, sources=(source,), engines=engines)
    told = asked(reader, "calls", scope, shape="claude prefixes", build=_used)
    prices: Prices = {}
    found = [_prefix(row, book, now, prices) for row in told]
    return sorted(found, key=lambda item: (item.expires_at or item.last_used, item.engine or ""), reverse=True)


def _used(rows: ir.Table) -> ir.Table:
    written = rows.cache_write_5m_tokens.fill_null(0) + rows.cache_write_1h_tokens.fill_null(0)
    rows = rows.mutate(held=rows.cache_read_tokens.fill_null(0) + written)
    rows = rows.filter((rows.status == "ok") & (rows.held > 0))
    return rows.group_by(list(_PREFIX)).aggregate(
        last=rows.ts.max(),
        tokens=rows.held.last(order_by=rows.ts),
        uses=rows.count(),
        reads=rows.count(where=rows.cache_read_tokens > 0),
        ts_kind=rows.ts_kind.last(order_by=rows.ts),
        cache_ttl=rows.cache_ttl.last(order_by=rows.ts),
        wrote_1h=(rows.cache_write_1h_tokens > 0).any(),
        check=rows.price_check.last(where=(written > 0) & rows.price_check.notnull(), order_by=rows.ts),
    )


def rewrite_total(prefixes: list[ClaudePrefix]) -> tuple[Decimal | None, int]:
    """Return what writing every live prefix again costs, and how many of them have no price.

    A prefix that nobody has read is left out: it is new with every request and is written each time anyway.
    Where no live prefix is known, or none has a price, what it costs is unknown.
    """
    live = [prefix for prefix in prefixes if prefix.live is not False]
    read = [prefix for prefix in live if prefix.reads]
    priced = [prefix.rewrite_usd for prefix in read if prefix.rewrite_usd is not None]
    unknown = not live or (read and not priced)
    return None if unknown else sum(priced, Decimal(0)), len(read) - len(priced)


def prefix_rows(prefixes: list[ClaudePrefix], *, now: datetime) -> list[dict[str, Any]]:
    """Return one flat row for each prefix: what a table on a page or a terminal shows."""
    return [
        {
            "engine": prefix.engine,
            "provider": prefix.provider,
            "model": prefix.model,
            "prefix_fingerprint": prefix.prefix_fingerprint,
            "cache_ttl": prefix.cache_ttl,
            "tokens": prefix.tokens,
            "uses": prefix.uses,
            "reads": prefix.reads,
            "last_used": prefix.last_used,
            "expires_at": prefix.expires_at,
            "expires_in_s": prefix.expires_in_s(now),
            "exact": prefix.exact,
            "live": prefix.live,
            "rewrite_usd": prefix.rewrite_usd,
            "extra_usd": prefix.extra_usd,
        }
        for prefix in prefixes
    ]


def _prefix(row: dict[str, Any], book: PriceBook, now: datetime, prices: Prices) -> ClaudePrefix:
    ttl = _told(row["check"]) or (row["cache_ttl"] if row["cache_ttl"] in TTLS else "1h" if row["wrote_1h"] else None)
    expires_at = None if ttl is None else row["last"] + TTLS[ttl]
    asked = (row["provider"], row["model"], ttl, row["tokens"])
    if asked not in prices:
        prices[asked] = _rewrite(*asked, book, now)
    write, extra = prices[asked]
    return ClaudePrefix(
        **{name: row[name] for name in _PREFIX},
        cache_ttl=ttl,
        tokens=row["tokens"],
        uses=row["uses"],
        reads=row["reads"],
        last_used=row["last"],
        exact=row["ts_kind"] == "start",
        expires_at=expires_at,
        live=None if expires_at is None else expires_at > now,
        rewrite_usd=write,
        extra_usd=extra,
    )


def _told(check: str | None) -> str | None:
    """Return the TTL that the dollars of the last writing line tell against the defaults, if they tell just one."""
    if check is None or not check.startswith(_OTHER):
        return None
    lifetimes = {part.rpartition("/")[2] for part in check.removeprefix(_OTHER).split(",")}
    return lifetimes.pop() if len(lifetimes) == 1 and lifetimes <= TTLS.keys() else None


def _rewrite(
    provider: str | None, model: str | None, ttl: str | None, tokens: int, book: PriceBook, now: datetime
) -> tuple[Decimal | None, Decimal | None]:
    """Price one write of the prefix now, and what it costs more than the read."""
    if model is None or ttl is None:
        return None, None
    written = Usage(cache_write_1h_tokens=tokens) if ttl == "1h" else Usage(cache_write_5m_tokens=tokens)
    write = price_usage(book, written, provider=provider, model=model, at=now).cost_usd
    read = price_usage(book, Usage(cache_read_tokens=tokens), provider=provider, model=model, at=now).cost_usd
    return write, None if write is None or read is None else write - read
