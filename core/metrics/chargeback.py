"""Chargeback: cost and savings by group, with the cache writes that several groups share allocated by a stated rule.

A prefix that one group writes and others read is paid for by whoever happened to come first. The rules:

- `first-toucher`: every write stays with the group whose call wrote it (the plain breakdown).
- `by-reads`: the writes of a prefix go to the groups that read it, in proportion to the tokens they read.
- `even`: the writes of a prefix go to all groups that wrote or read it, in equal parts.

A write moves as a whole: its cost, and what its tokens would have cost without a cache. So no-cache cost − cost = net
savings holds for every group, and sums over the groups are the totals, to the last digit, under every rule.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Any, Literal, get_args
from zoneinfo import ZoneInfo

import ibis
import ibis.expr.types as ir

from core.errors import FixSettings
from core.metrics import aggregate
from core.metrics.catalog import measures_of
from core.metrics.scope import Scope, asked
from core.store.query import Reader

Rule = Literal["by-reads", "first-toucher", "even"]
RULES: tuple[str, ...] = get_args(Rule)
COLUMNS = {
    "calls": "count",
    "cost_usd": "usd",
    "no_cache_cost_usd": "usd",
    "gross_savings_usd": "usd",
    "write_premium_usd": "usd",
    "net_savings_usd": "usd",
    "direct_cost_usd": "usd",
    "written_usd": "usd",
    "allocated_writes_usd": "usd",
    "cache_read_tokens": "tokens",
    "cache_write_tokens": "tokens",
    "unpriced_calls": "count",
    "calls_by_defaults": "count",
}
"""What a row holds, with its unit: cost = direct cost (everything but writes) + allocated writes."""

_EXACT = Context(prec=60, rounding=ROUND_HALF_EVEN)
_MEASURES = (
    "calls", "priced_calls", "calls_by_defaults", "cost_usd", "no_cache_cost_usd", "gross_savings_usd",
    "write_premium_usd", "net_savings_usd", "cache_write_5m_cost_usd", "cache_write_1h_cost_usd", "cache_read_tokens",
    "cache_write_5m_tokens", "cache_write_1h_tokens",
)  # fmt: skip
_MONEY = ("cost_usd", "no_cache_cost_usd", "gross_savings_usd", "write_premium_usd", "net_savings_usd")
_ZERO = Decimal(0)
Row = dict[str, Any]
Group = tuple[Any, ...]


def check_rule(rule: str) -> None:
    """Refuse a rule that does not exist."""
    if rule not in RULES:
        raise FixSettings(
            f'"{rule}" is not a rule of allocation.',
            code="MET-007",
            mend=f"Accepted: {', '.join(RULES)}.",
            about=(rule,),
        )


def chargeback(reader: Reader, scope: Scope, by: Sequence[str], rule: str = "by-reads") -> list[Row]:
    """Return what each group is charged, the dearest first: the columns of `by` and COLUMNS.

    Calls share a prefix when they have the same fingerprint, model and cache; where no fingerprint is known, the calls
    of one engine do. Dollars are those of priced calls; None for a group that has none and shares nothing.
    """
    check_rule(rule)
    aggregate.check_columns(by)
    measures = {name: measures_of("calls")[name] for name in _MEASURES}
    found = aggregate.groups(reader, "calls", scope, measures, by=by, zone=ZoneInfo("UTC")) or {}
    shared = [] if rule == "first-toucher" else _shared(reader, scope, by)
    moved = move(shared, rule)
    rows = [dict(zip(by, member, strict=True)) | _charged(sums, moved.get(member)) for member, sums in found.items()]
    return sorted(rows, key=lambda row: (-(row["cost_usd"] or _ZERO), *(str(row[name] or "") for name in by)))


def total(rows: Sequence[Mapping[str, Any]]) -> Row:
    """Add up the groups; dollars of no priced call are None."""
    whole: Row = {}
    for name in COLUMNS:
        known = [row[name] for row in rows if row[name] is not None]
        whole[name] = sum(known, _ZERO if COLUMNS[name] == "usd" else 0) if known or COLUMNS[name] != "usd" else None
    return whole


def allocate(amount: int, weights: Sequence[int]) -> list[int]:
    """Split a whole amount in proportion to weights, without loss: the parts sum to it exactly.

    What is left over after rounding down goes, one each, to the largest remainders, the first among equals. Weights
    of nothing but zero split evenly.
    """
    if amount < 0:
        return [-part for part in allocate(-amount, weights)]
    shares = list(weights) if any(weights) else [1] * len(weights)
    whole = sum(shares)
    parts = [amount * share // whole for share in shares]
    order = sorted(range(len(shares)), key=lambda at: (-(amount * shares[at] % whole), at))
    for at in order[: amount - sum(parts)]:
        parts[at] += 1
    return parts


def move(uses: Sequence[Mapping[str, Any]], rule: str) -> dict[Group, tuple[int, int]]:
    """Return, for each group, by how many picodollars its write cost and its write premium change under a rule.

    `uses` has a row for each prefix and group: prefix, group, read_tokens, written and premium (picodollars).
    """
    pools: dict[Any, list[Mapping[str, Any]]] = {}
    for use in uses:
        pools.setdefault(use["prefix"], []).append(use)
    moved: dict[Group, tuple[int, int]] = {}
    for pool in pools.values():
        weights = _weights(pool, rule)
        for name, at in (("written", 0), ("premium", 1)):
            parts = allocate(sum(use[name] for use in pool), weights)
            for use, part in zip(pool, parts, strict=True):
                change = list(moved.get(use["group"], (0, 0)))
                change[at] += part - use[name]
                moved[use["group"]] = (change[0], change[1])
    return moved


def _weights(pool: Sequence[Mapping[str, Any]], rule: str) -> list[int]:
    """Weigh the groups of one prefix; a prefix that nobody read stays with those who wrote it."""
    if rule == "even":
        return [1] * len(pool)
    reads = [use["read_tokens"] for use in pool]
    return reads if rule == "by-reads" and any(reads) else [use["written"] for use in pool]


def _shared(reader: Reader, scope: Scope, by: Sequence[str]) -> list[Row]:
    """Return the uses of prefixes that were written and that more than one group used."""
    found = asked(reader, "calls", scope, shape=("shared prefixes", tuple(by)), build=lambda rows: _uses(rows, by))
    return [
        {
            "prefix": row["prefix"],
            "group": tuple(row[f"by_{name}"] for name in by),
            "read_tokens": int(row["read_tokens"] or 0),
            "written": _pico(row["written"]),
            "premium": _pico(row["premium"]),
        }
        for row in found
    ]


def _uses(rows: ir.Table, by: Sequence[str]) -> ir.Table:
    rows = aggregate.marked("calls", rows)
    written = rows.cache_write_5m_cost_usd.fill_null(0) + rows.cache_write_1h_cost_usd.fill_null(0)
    rows = rows.mutate(prefix=_prefix(rows), written=written).filter(rows.priced)
    rows = rows.filter((rows.cache_read_tokens > 0) | (rows.written > 0))
    uses = rows.group_by(prefix=rows.prefix, **{f"by_{name}": rows[name] for name in by}).aggregate(
        read_tokens=rows.cache_read_tokens.sum(), written=rows.written.sum(), premium=rows.write_premium_usd.sum()
    )
    window = ibis.window(group_by="prefix")
    uses = uses.mutate(groups=uses.count().over(window), pool=uses.written.sum().over(window))
    return uses.filter((uses.groups > 1) & (uses.pool > 0)).order_by(["prefix", *(f"by_{name}" for name in by)])


def _prefix(rows: ir.Table) -> ir.StringValue:
    """Name what can be shared: one prefix of one model in one cache; on Bedrock each region has its own."""
    engine = rows.engine.fill_null("").concat("/", rows.engine.isnull().ifelse(rows.source.fill_null(""), ""))
    what = rows.prefix_fingerprint.notnull().ifelse(
        ibis.literal("fingerprint ").concat(rows.prefix_fingerprint), ibis.literal("engine ").concat(engine)
    )
    place = (rows.provider == "bedrock").ifelse(rows.region.fill_null(""), ibis.literal(""))
    return what.concat("|", rows.model_id.fill_null(""), "|", rows.provider.fill_null(""), "|", place)


def _charged(sums: Mapping[str, Any], moved: tuple[int, int] | None) -> Row:
    row: Row = {name: sums[name] for name in ("calls", *_MONEY, "cache_read_tokens", "calls_by_defaults")}
    row["cache_write_tokens"] = sums["cache_write_5m_tokens"] + sums["cache_write_1h_tokens"]
    row["unpriced_calls"] = sums["calls"] - sums["priced_calls"]
    writes = [sums[name] for name in ("cache_write_5m_cost_usd", "cache_write_1h_cost_usd")]
    row["written_usd"] = None if None in writes else sum(writes, _ZERO)
    row |= {"direct_cost_usd": None, "allocated_writes_usd": None}
    if row["written_usd"] is None:
        return row
    cost, premium = (_usd(change) for change in moved or (0, 0))
    row["direct_cost_usd"] = row["cost_usd"] - row["written_usd"]
    row["allocated_writes_usd"] = row["written_usd"] + cost
    row["cost_usd"] += cost
    row["no_cache_cost_usd"] += cost - premium
    row["write_premium_usd"] += premium
    row["net_savings_usd"] -= premium
    return {name: row[name] for name in COLUMNS}


def _pico(dollars: Decimal | None) -> int:
    return int(_EXACT.scaleb(dollars or _ZERO, 12))


def _usd(picodollars: int) -> Decimal:
    return _EXACT.scaleb(Decimal(picodollars), -12)
