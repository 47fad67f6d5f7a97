"""A small fleet whose truth is known: the same calls as rows of the tables and as what the provider bills."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from core.pricing import default_book, price_usage
from core.store.lake import Lake
from core.usage import Usage
from simulator.admin import Admin, Ledger, RunningAdmin, running_admin
from tests.support.rows import Row, make_call, make_pass, table_of

NOW = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)
DAYS = 4  # of which the last is not over
_MODELS = ("claude-opus-4-5", "claude-sonnet-5-5")
_PRICES = ("cost", "input_cost", "cache_read_cost", "cache_write_5m_cost", "cache_write_1h_cost", "output_cost",
           "tools_cost", "no_cache_cost", "gross_savings", "write_premium", "net_savings")  # fmt: skip


def truths(*, provider: str = "anthropic", logged_every: int = 1) -> list[dict[str, Any]]:
    """Twelve calls a day of two models; only each `logged_every`-th was logged."""
    midnight = NOW.replace(hour=0) - timedelta(days=DAYS - 1)
    return [
        {
            "call_id": f"msg_{provider}_{number}",
            "ts": int((midnight + timedelta(hours=2 * number + 1)).timestamp() * 1000),
            "provider": provider,
            "model": _MODELS[number % 2],
            "cause": "hit" if number % 4 else "expired",
            "input_tokens": 100 + number,
            "cache_read_tokens": 0 if number % 4 == 0 else 5000,
            "cache_write_5m_tokens": 700 if number % 8 == 0 else 0,
            "cache_write_1h_tokens": 5000 if number % 4 == 0 else 0,
            "output_tokens": 50 + number,
            "logged": number % logged_every == 0,
        }
        for number in range(12 * DAYS)
        if midnight + timedelta(hours=2 * number + 1) < NOW
    ]


def call_of(truth: dict[str, Any], **more: Any) -> Row:
    """What the collector would have stored of a call."""
    counts = {name: truth[name] for name in truth if name.endswith("_tokens")}
    at = datetime.fromtimestamp(truth["ts"] / 1000, UTC)
    priced = price_usage(default_book(), Usage(**counts), provider=truth["provider"], model=truth["model"], at=at)
    money = {f"{name}_usd": getattr(priced, f"{name}_usd") for name in _PRICES}
    return make_call(
        **{
            "call_id": truth["call_id"],
            "ts": at,
            "provider": truth["provider"],
            "model": truth["model"],
            "model_id": priced.model_id,
            **counts,
            **money,
            **more,
        }
    )


def lake_of(folder: Path, told: list[dict[str, Any]], *more: Row) -> Lake:
    """A lake in `folder`/tables that holds the logged ones, read until NOW."""
    lake = Lake(folder / "tables")
    calls = [call_of(truth) for truth in told if truth["logged"]]
    lake.commit("calls", table_of("calls", [*calls, *more]))
    lake.commit("ingest_passes", table_of("ingest_passes", [make_pass(ts=NOW, complete_until=NOW)]))
    return lake


@contextmanager
def billed(
    told: list[dict[str, Any]], *, unlogged: str = "0", discount: str = "0", **admin: Any
) -> Iterator[RunningAdmin]:
    """A running Admin API that bills these calls."""
    ledger = Ledger.of_truths(told, default_book(), unlogged_share=Decimal(unlogged), discount=Decimal(discount))
    with running_admin(Admin(ledger, now=lambda: NOW, **admin)) as running:
        yield running
