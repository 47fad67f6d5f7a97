"""Groups charges into the rows of the four reports.

https://platform.claude.com/docs/en/build-with-claude/usage-cost-analytics-api (beta analytics-usage-cost-2026-08-24)
https://platform.claude.com/docs/en/api/admin-api/usage-cost/get-messages-usage-report and …/get-cost-report
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from simulator.admin.ledger import TOKEN_TYPES, Charge, Ledger

WIDTHS = {"1m": timedelta(minutes=1), "1h": timedelta(hours=1), "1d": timedelta(days=1)}
GROUPS: dict[str, Callable[[Charge], Any]] = {
    "model": lambda charge: charge.model,
    "workspace_id": lambda charge: charge.workspace_id,
    "api_key_id": lambda charge: charge.api_key_id,
    "service_tier": lambda charge: charge.service_tier,
    "context_window": lambda charge: charge.context_window,
}
"""The dimensions that the simulated traffic differs in; those it does not, the app takes and answers with null."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Row = dict[str, Any]
Member = tuple[datetime, tuple[Any, ...]]


def analytics_usage(
    charges: Iterable[Charge], *, width: timedelta, by: Sequence[str], known: Sequence[str]
) -> list[Row]:
    """Return one row for each bucket and combination that has usage."""
    return [
        {
            "starting_at": text(start),
            "ending_at": text(start + width),
            "group": _group(known, by, values),
            "usage": {
                **_tokens(members),
                "total_tokens": sum(sum(charge.tokens) for charge in members),
                "requests": len(members),
            },
        }
        for (start, values), members in _grouped(charges, width, by)
    ]


def analytics_cost(
    charges: Iterable[Charge],
    ledger: Ledger,
    *,
    width: timedelta,
    by: Sequence[str],
    known: Sequence[str],
) -> list[list[Row]]:
    """Return the rows of each bucket and combination; cost and token types fan out inside one combination."""
    dimensions = [name for name in by if name not in ("cost_type", "token_type")]
    return [
        [
            {
                "starting_at": text(start),
                "ending_at": text(start + width),
                "group": _group(known, dimensions, values) | {"cost_type": cost_type, "token_type": token_type},
                "cost": {
                    "amount": cents(amount * (1 - ledger.discount)),
                    "list_amount": cents(amount),
                    "currency": "USD",
                    "requests": len(members) if cost_type is None else None,
                },
            }
            for cost_type, token_type, amount in _parts(members, by)
        ]
        for (start, values), members in _grouped(charges, width, dimensions)
    ]


def usage_report(charges: Iterable[Charge], *, width: timedelta, by: Sequence[str]) -> dict[datetime, list[Row]]:
    """Return the results of each bucket of the older usage report: it counts no requests."""
    found: dict[datetime, list[Row]] = defaultdict(list)
    keys = ("api_key_id", "workspace_id", "model", "service_tier", "context_window")
    for (start, values), members in _grouped(charges, width, by):
        found[start].append(_tokens(members) | dict.fromkeys(keys) | dict(zip(by, values, strict=True)))
    return found


def cost_report(charges: Iterable[Charge], ledger: Ledger, *, by: Sequence[str]) -> dict[datetime, list[Row]]:
    """Return the results of each day of the older cost report. Priority Tier is not in it."""
    found: dict[datetime, list[Row]] = defaultdict(list)
    described = "description" in by
    groups = [*(("model", "service_tier", "context_window") if described else ()),
              *(name for name in by if name == "workspace_id")]  # fmt: skip
    billed = (charge for charge in charges if charge.service_tier != "priority")
    for (start, values), members in _grouped(billed, WIDTHS["1d"], groups):
        named = dict(zip(groups, values, strict=True))
        parts = _parts(members, ("cost_type", "token_type") if described else ())
        for cost_type, token_type, amount in parts:
            found[start].append(
                {
                    "currency": "USD",
                    "amount": cents(amount * (1 - ledger.discount)),
                    "workspace_id": named.get("workspace_id"),
                    "description": f"{named['model']} Usage - {token_type or cost_type}" if described else None,
                    "cost_type": cost_type,
                    "context_window": named.get("context_window"),
                    "model": named.get("model"),
                    "service_tier": named.get("service_tier"),
                    "token_type": token_type,
                }
            )
    return found


def text(moment: datetime) -> str:
    """Write a moment as the API does."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def cents(dollars: Decimal) -> str:
    """Write dollars as fractional cents."""
    return format((dollars * 100).normalize(), "f")


def floor(moment: datetime, width: timedelta) -> datetime:
    """Return the start of the bucket that holds a moment."""
    return moment - (moment - _EPOCH) % width


def _grouped(charges: Iterable[Charge], width: timedelta, by: Sequence[str]) -> list[tuple[Member, list[Charge]]]:
    found: dict[Member, list[Charge]] = defaultdict(list)
    for charge in charges:
        values = tuple(GROUPS[name](charge) if name in GROUPS else None for name in by)
        found[floor(charge.at, width), values].append(charge)
    return sorted(found.items(), key=lambda item: (item[0][0], -sum(sum(charge.tokens) for charge in item[1])))


def _group(known: Sequence[str], by: Sequence[str], values: Sequence[Any]) -> Row:
    return dict.fromkeys(known) | dict(zip(by, values, strict=True))


def _tokens(members: Iterable[Charge]) -> Row:
    sums = [0] * len(TOKEN_TYPES)
    searches = 0
    for charge in members:
        searches += charge.web_searches
        for at, tokens in enumerate(charge.tokens):
            sums[at] += tokens
    return {
        "uncached_input_tokens": sums[0],
        "cache_read_input_tokens": sums[1],
        "cache_creation": {"ephemeral_5m_input_tokens": sums[2], "ephemeral_1h_input_tokens": sums[3]},
        "output_tokens": sums[4],
        "server_tool_use": {"web_search_requests": searches},
    }


def _parts(members: Sequence[Charge], by: Sequence[str]) -> list[tuple[str | None, str | None, Decimal]]:
    """Return (cost type, token type, list dollars), as far as they are asked for; nothing that cost nothing."""
    sums = [sum((charge.list_usd[at] for charge in members), Decimal(0)) for at in range(len(TOKEN_TYPES))]
    searches = sum((charge.web_search_usd for charge in members), Decimal(0))
    tokens = sum(sums, Decimal(0))
    if "token_type" in by:
        parts: list[tuple[str | None, str | None, Decimal]] = [
            ("tokens", name, amount) for name, amount in zip(TOKEN_TYPES, sums, strict=True)
        ]
        parts += [("web_search", None, searches)] if "cost_type" in by else []
    elif "cost_type" in by:
        parts = [("tokens", None, tokens), ("web_search", None, searches)]
    else:
        parts = [(None, None, tokens + searches)]
    return [part for part in parts if part[2]]
