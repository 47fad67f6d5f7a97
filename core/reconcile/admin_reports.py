"""Anthropic's older Admin reports, usage_report/messages and cost_report, which the SDK has no methods for.

They count no requests, the cost report is daily, gives one amount, and leaves Priority Tier out.
https://platform.claude.com/docs/en/api/admin-api/usage-cost/get-messages-usage-report, …/get-cost-report
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from core.client.sdk import is_simulated
from core.pricing import PriceBook
from core.reconcile.access import unreadable
from core.reconcile.analytics import COSTS, TYPES, dollars
from core.reconcile.model import NO_MODEL, Bill, BilledLine
from core.reconcile.own import midnight, model_name
from core.reconcile.pages import pages, token_of
from core.reconcile.spans import LONGEST, spans
from core.reconcile_settings import ReconcileSettings

if TYPE_CHECKING:
    import anthropic

USAGE = "/v1/organizations/usage_report/messages"
COST = "/v1/organizations/cost_report"
_GAPS = ("no_priority_tier", "cost_daily_only")


def fetch(client: anthropic.Anthropic, settings: ReconcileSettings, book: PriceBook, start: date, end: date) -> Bill:
    """Read the bill of the UTC days of [start, end). Raises the SDK's errors; the caller explains them."""
    reports = _Reports(client)
    lines: list[BilledLine] = []
    by_key = bool(settings.api_key_ids)
    for first, last in spans(start, end, LONGEST):
        span = {"starting_at": _text(first), "ending_at": _text(last), "bucket_width": "1d", "limit": LONGEST.days}
        only = {"workspace_ids": list(settings.workspace_ids), "api_key_ids": list(settings.api_key_ids)}
        for day, row in reports.rows(USAGE, span | {"group_by": ["model"]} | {k: v for k, v in only.items() if v}):
            lines += _usage_lines(book, day, row)
        if by_key:
            continue  # the cost report knows no API keys: all dollars of the workspace would be put on these
        groups = ["description", "workspace_id"] if settings.workspace_ids else ["description"]
        for day, row in reports.rows(COST, span | {"group_by": groups}):
            if not settings.workspace_ids or row.get("workspace_id") in settings.workspace_ids:
                lines.append(_cost_line(book, day, row))
    whole = () if settings.workspace_ids or settings.api_key_ids else ("whole_organization",)
    told = reports.days[USAGE] if by_key else reports.days[USAGE] & reports.days[COST]
    return Bill(
        provider="anthropic",
        via="legacy",
        start=start,
        end=end,
        lines=tuple(lines),
        tells_amount=not by_key,
        estimated_days=frozenset({start + timedelta(days=n) for n in range((end - start).days)} - told),
        gaps=(*whole, *(("dollars_not_by_key",) if by_key else _GAPS)),
        simulated=reports.simulated,
    )


class _Reports:
    """Asks for a report page by page, with the SDK's own retries and key."""

    def __init__(self, client: anthropic.Anthropic) -> None:
        self._client = client
        self.simulated = False
        self.days: dict[str, set[date]] = {USAGE: set(), COST: set()}  # that each report has a bucket for

    def rows(self, path: str, params: Mapping[str, Any]) -> Iterator[tuple[date, Mapping[str, Any]]]:
        """Yield every row with its day."""
        import httpx2

        def ask(page: str | None) -> Mapping[str, Any]:
            more = {} if page is None else {"page": page}
            raw = self._client.get(path, cast_to=httpx2.Response, options={"params": {**params, **more}})
            self.simulated = self.simulated or is_simulated(raw)
            answer: Mapping[str, Any] = raw.json()
            return answer

        for answer in pages(ask, token_of):
            for bucket in answer["data"]:
                day = datetime.fromisoformat(bucket["starting_at"]).astimezone(UTC).date()
                self.days[path].add(day)
                for row in bucket["results"]:
                    yield day, row


def _usage_lines(book: PriceBook, day: date, row: Mapping[str, Any]) -> list[BilledLine]:
    written = row["cache_creation"]
    told = {
        "input": row["uncached_input_tokens"],
        "cache_read": row["cache_read_input_tokens"],
        "cache_write_5m": written["ephemeral_5m_input_tokens"],
        "cache_write_1h": written["ephemeral_1h_input_tokens"],
        "output": row["output_tokens"],
    }
    model = _model(book, row.get("model"))
    return [BilledLine(day, model, name, tokens=int(tokens)) for name, tokens in told.items() if tokens]


def _cost_line(book: PriceBook, day: date, row: Mapping[str, Any]) -> BilledLine:
    if row["currency"] != "USD":
        raise unreadable(f"a currency of {str(row['currency'])[:10]!r}")
    cost_type = row.get("cost_type")
    known = TYPES.get(row.get("token_type") or "") or (str(cost_type) if cost_type in COSTS else "other")
    return BilledLine(day, _model(book, row.get("model")), known, amount_usd=dollars(row["amount"]))


def _model(book: PriceBook, name: str | None) -> str:
    return NO_MODEL if not name else model_name(book, name, "anthropic")


def _text(day: date) -> str:
    return midnight(day).isoformat().replace("+00:00", "Z")
