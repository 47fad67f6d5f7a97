"""A reconciliation from end to end: ask the provider, read the own figures, compare, keep, and tell the audit log."""

from __future__ import annotations

import getpass
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from core.errors import CachewiseError, FixSettings
from core.fleet import audit
from core.pricing import PriceBook, load_book
from core.reconcile import access, admin_reports, analytics, bedrock
from core.reconcile.compare import compare
from core.reconcile.history import keep, to_json
from core.reconcile.model import PROVIDERS, Bill, Provider, Reconciliation
from core.reconcile.own import first_day, models_of, own_figures
from core.settings import Settings
from core.store.lake import Lake
from core.store.query import Reader

ACTION = "reconcile"
DEFAULT_DAYS = 30
REACH = timedelta(days=365)  # how far back the Analytics API answers
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def configured(settings: Settings) -> tuple[Provider, ...]:
    """Return the providers whose bill can be asked for, as configured; nothing is sent for that."""
    ready = {"anthropic": access.has_key(settings), "bedrock": bool(settings.reconcile.regions)}
    return tuple(provider for provider in PROVIDERS if ready[provider])


def demo_problem(settings: Settings) -> FixSettings | None:
    """Return why the demo's figures have no bill, unless a simulated provider on this machine makes one up."""
    host = urlsplit(settings.anthropic_base_url or "").hostname
    if not settings.demo or host in _LOOPBACK:
        return None
    return FixSettings(
        "The demo fleet is simulated: no provider has a bill for it.",
        code="REC-410",
        mend="Configure a real source; docs/reconciliation.md says what else is needed.",
    )


def check(settings: Settings, providers: Sequence[Provider]) -> None:
    """Refuse what cannot be asked for. Raises FixSettings that says what is needed."""
    problem = demo_problem(settings)
    if problem is not None:
        raise problem
    ready = configured(settings)
    if not providers or ("anthropic" in providers and "anthropic" not in ready):
        raise access.no_key(settings)
    if "bedrock" in providers and "bedrock" not in ready:
        raise FixSettings(
            "No region of Bedrock is configured.",
            code="REC-405",
            mend='What is needed: regions = ["us-east-1"] in [reconcile], and docs/policies/reconcile.json.',
        )


def span(
    reader: Reader, provider: Provider, start: date | None, end: date | None, *, now: datetime
) -> tuple[date, date]:
    """Return the UTC days [start, end) to compare: the last 30 with logs unless asked otherwise. Raises FixSettings."""
    today = now.astimezone(UTC).date()
    last = min(end or today + timedelta(days=1), today + timedelta(days=1))
    first = start
    if first is None:
        begun = first_day(reader, provider)
        first = max(last - timedelta(days=DEFAULT_DAYS), begun) if begun else last - timedelta(days=DEFAULT_DAYS)
    if first >= last or first < today - REACH:
        raise FixSettings(
            f"The days {first} to {last} cannot be reconciled.",
            code="REC-408",
            mend=f"Accepted: whole UTC days from {today - REACH} to today, the first before the end.",
            about=(first, last),
        )
    return first, last


def run(
    settings: Settings,
    providers: Sequence[Provider],
    *,
    start: date | None = None,
    end: date | None = None,
    actor: str | None = None,
    lake: Lake | None = None,
    now: datetime | None = None,
) -> list[Reconciliation]:
    """Reconcile each provider; results are kept and the audit log tells of it. Raises what an operator can act on."""
    check(settings, providers)
    present, held = now or datetime.now(UTC), lake or Lake(settings.lake_path)
    book, who = load_book(settings.price_files), actor or _actor()
    found: list[Reconciliation] = []
    with Reader(held) as reader:
        for provider in providers:
            days = span(reader, provider, start, end, now=present)
            found.append(_one(settings, provider, days, reader, book, held, who, present))
    return found


def _one(
    settings: Settings,
    provider: Provider,
    days: tuple[date, date],
    reader: Reader,
    book: PriceBook,
    lake: Lake,
    actor: str,
    now: datetime,
) -> Reconciliation:
    action = audit.new_action(ACTION, provider, actor=actor)
    asked = {"from": days[0].isoformat(), "to": days[1].isoformat()}
    audit.record(lake, action, "started", now=datetime.now(UTC), before=asked)
    try:
        bill = _bill(settings, provider, days, reader, book)
        found = compare(own_figures(reader, book, provider, *days), bill, now=now)
        keep(lake, found, ts=now, actor=actor, price_book=book.version)
    except CachewiseError as error:
        audit.record(lake, action, "failed", now=datetime.now(UTC), after={"error": error.code})
        raise
    except BaseException:
        audit.record(lake, action, "failed", now=datetime.now(UTC), after={"error": "REC-499"})
        raise
    told = to_json(found)
    audit.record(lake, action, "done", now=datetime.now(UTC), after={"via": told["via"], "total": told["total"]})
    return found


def _bill(settings: Settings, provider: Provider, days: tuple[date, date], reader: Reader, book: PriceBook) -> Bill:
    if provider == "bedrock":
        return bedrock.fetch(settings.reconcile, book, models_of(reader, provider, *days), *days)
    with access.open_admin(settings) as client:
        bill = _anthropic(client, settings, book, days)
    url = settings.anthropic_base_url
    return replace(bill, endpoint=urlsplit(url).netloc.rpartition("@")[2] if url else None)


def _anthropic(client: Any, settings: Settings, book: PriceBook, days: tuple[date, date]) -> Bill:
    """Ask the Analytics API; where it does not exist or is not open to this key, the older reports."""
    wanted = settings.reconcile.api
    if wanted != "legacy":
        try:
            with access.explained():
                return analytics.fetch(client, settings.reconcile, book, *days)
        except CachewiseError as error:
            if wanted == "analytics" or error.code not in ("REC-400", "REC-403", "REC-404", "REC-502"):
                raise
    with access.explained():
        return admin_reports.fetch(client, settings.reconcile, book, *days)


def spent_usd(settings: Settings, providers: Sequence[Provider]) -> Decimal:
    """Return the least that asking costs: Cost Explorer's requests are billed, the rest is free."""
    asks = "bedrock" in providers and settings.reconcile.cost_explorer
    return Decimal("0.01") if asks else Decimal(0)


def _actor() -> str:
    try:
        return f"{getpass.getuser()} (command line)"
    except (OSError, KeyError):
        return "(command line)"
