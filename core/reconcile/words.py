"""What a comparison cannot tell, in English, for the command line; the dashboard has its own words in two languages."""

from __future__ import annotations

_WORDS = {
    "whole_organization": "The bill is of the whole organization or account: other workspaces, the Console and other "
    "services count as unlogged. Name workspace_ids or api_key_ids in [reconcile] to narrow it.",
    "no_priority_tier": "The cost report leaves Priority Tier out: it is prepaid and not billed by the token.",
    "cost_daily_only": "The cost report has whole UTC days only.",
    "context_window": "Claude Haiku 5.5 costs more above 100,000 prompt tokens, a step the usage report does not have; "
    "compare its dollars by the cost rows.",
    "no_list_price": "The provider tells one amount, after discounts: own list prices differ from it by the discount.",
    "no_dollars": "Dollars are not compared: set cost_explorer = true in [reconcile] ($0.01 a request).",
    "dollars_not_by_key": "The cost report knows no API keys, so dollars are not compared.",
    "no_requests": "The provider's report does not count requests.",
    "writes_not_split": "CloudWatch does not tell 5m and 1h writes apart: they are compared as one.",
    "usage_types_unknown": "Some usage types of the bill are not known; their dollars stand under other.",
    "quiet_models": "CloudWatch does not list models that were silent for two weeks, unless the logs name them.",
    "own_unpriced": "Some logged calls have no price: their tokens are compared, their dollars are missing.",
    "own_by_defaults": "Some log lines tell no model or TTL: those of the source's defaults are held against the bill.",
    "own_incomplete": "Some logged streams broke off: their output is billed, and unknown here.",
    "own_prices": "Negotiated prices are in force, so the own cost is held against the amount after discounts.",
}


def gap(name: str) -> str:
    """Return the sentence about a gap."""
    return _WORDS.get(name, name)
