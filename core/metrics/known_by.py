"""What the dollars of a scope rest on: its calls, and those whose model or TTL their source's defaults tell."""

from __future__ import annotations

from typing import Any

from core.metrics import aggregate
from core.metrics.catalog import MEASURES
from core.metrics.scope import Scope
from core.store.query import Reader

KNOWN_BY = ("calls", "calls_by_defaults", "model_by_defaults", "ttl_by_defaults", "cost_by_defaults_usd")
"""Their names, as a summary has them too."""


def known_by(reader: Reader, scope: Scope) -> dict[str, Any]:
    """Return those measures of `summary` alone, in one scan: for what shows other dollars than its own."""
    return aggregate.totals(reader, "calls", scope, {name: MEASURES[name] for name in KNOWN_BY})
