"""The routes of the simulated Admin API: who may ask, what may be asked, pages, and ordered faults."""

from __future__ import annotations

import base64
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from simulator.admin import reports
from simulator.admin.ledger import Charge, Ledger
from simulator.admin.reports import WIDTHS
from simulator.messages.errors import ApiError, authentication, invalid_request, not_found, overloaded, rate_limited

ADMIN_KEY = "sk-ant-sim-admin-0000"
KEY_PREFIX = "sk-ant-sim"
BETA = "analytics-usage-cost-2026-08-24"
_LONGEST = timedelta(days=31)
_EARLIEST = datetime(2026, 1, 1, tzinfo=UTC)
_USAGE_GROUPS = (
    "actor", "actor_type", "agent_id", "api_key_id", "claude_tag_category", "claude_tag_user_id", "context_window",
    "deployment_id", "environment_id", "inference_geo", "model", "organization_id", "product", "rbac_group_id",
    "service_tier", "session_id", "slack_channel_id", "speed", "user_profile_id", "workspace_id",
)  # fmt: skip
_COST_GROUPS = (*_USAGE_GROUPS, "cost_type", "token_type")
_REPORT_GROUPS = ("account_id", "api_key_id", "context_window", "inference_geo", "model", "service_account_id",
                  "service_tier", "speed", "workspace_id")  # fmt: skip
_REPORT_LIMITS = {"1m": (60, 1440), "1h": (24, 168), "1d": (7, 31)}

Answer = Callable[[Request], dict[str, Any]]


@dataclass(slots=True)
class Admin:
    """The organization behind the routes."""

    ledger: Ledger | Callable[[], Ledger]  # a function is asked anew for every answer
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    lag: timedelta = timedelta(minutes=5)
    analytics: bool = True  # False: an organization or gateway without the newer API
    faults: deque[int] = field(default_factory=deque)  # statuses to answer with first
    asked: list[str] = field(default_factory=list)  # path and query of every request, for tests

    def charges(self, start: datetime, end: datetime, query: QueryParams) -> list[Charge]:
        """Return the charges of a question; nothing is known yet of the last minutes."""
        workspaces, keys = query.getlist("workspace_ids[]"), query.getlist("api_key_ids[]")
        reached = self.now() - self.lag
        return [
            charge
            for charge in self.book().between(start, min(end, reached))
            if (not workspaces or charge.workspace_id in workspaces) and (not keys or charge.api_key_id in keys)
        ]

    def book(self) -> Ledger:
        """Return the ledger as it is now."""
        return self.ledger if isinstance(self.ledger, Ledger) else self.ledger()


def routes(admin: Admin) -> list[Route]:
    """Return the four reports."""
    answers: dict[str, Answer] = {
        "analytics/usage": lambda request: _analytics(admin, request, cost=False),
        "analytics/cost": lambda request: _analytics(admin, request, cost=True),
        "usage_report/messages": lambda request: _usage_report(admin, request),
        "cost_report": lambda request: _cost_report(admin, request),
    }
    return [
        Route(f"/v1/organizations/{path}", _endpoint(admin, answer), methods=["GET"])
        for path, answer in answers.items()
    ]


def _endpoint(admin: Admin, answer: Answer) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        admin.asked.append(f"{request.url.path}?{request.url.query}")
        request_id = f"req_sim_{len(admin.asked):06d}"
        try:
            _fault(admin)
            _authorize(request)
            response = JSONResponse(answer(request))
        except ApiError as error:
            response = JSONResponse(error.body(request_id), status_code=error.status, headers=error.headers)
        response.headers["request-id"] = request_id
        return response

    return endpoint


def _fault(admin: Admin) -> None:
    if not admin.faults:
        return
    status = admin.faults.popleft()
    if status == 429:
        raise rate_limited(0.01)
    raise overloaded() if status == 529 else ApiError(status, "api_error", "an ordered fault (simulated)")


def _authorize(request: Request) -> None:
    bearer = request.headers.get("authorization", "").removeprefix("Bearer ").strip()
    key = request.headers.get("x-api-key") or bearer
    if not key.startswith(KEY_PREFIX):
        raise authentication("invalid x-api-key (a simulator takes no real keys)")
    if not key.startswith(f"{KEY_PREFIX}-admin"):
        raise ApiError(403, "permission_error", "This key may not read usage and cost reports.")


def _analytics(admin: Admin, request: Request, *, cost: bool) -> dict[str, Any]:
    if not admin.analytics:
        raise not_found("Not found")
    if BETA not in request.headers.get("anthropic-beta", ""):
        raise invalid_request(f"This endpoint is in beta: send the header anthropic-beta: {BETA}.")
    query = request.query_params
    by = _groups(query, _COST_GROUPS if cost else _USAGE_GROUPS)
    if len([name for name in by if name not in ("cost_type", "token_type")]) > 5:
        raise invalid_request("group_by: at most 5 dimensions")
    start, end = _moment(query, "starting_at"), _moment(query, "ending_at")
    if start < max(_EARLIEST, admin.now() - timedelta(days=365)):
        raise invalid_request("starting_at: must be within the last 365 days and no earlier than 2026-01-01")
    width = _width(query, "time_bucket_width")
    if end - start > (timedelta(hours=24) if width == WIDTHS["1m"] else _LONGEST):
        raise invalid_request("The range may span at most 31 days, or 24 hours with time_bucket_width=1m.")
    limit = _limit(query, default=20, most=1000)
    charges = admin.charges(start, end, query)
    if cost:
        combinations = reports.analytics_cost(charges, admin.book(), width=width, by=by, known=_COST_GROUPS)
    else:
        rows = reports.analytics_usage(charges, width=width, by=by, known=_USAGE_GROUPS)
        combinations = [[row] for row in rows]
    combinations = _ordered(combinations, query, cost=cost)
    at = _offset(query)
    page = combinations[at : at + limit]
    more = at + limit < len(combinations)
    return {
        "data": [row for rows in page for row in rows],
        "has_more": more,
        "next_page": _token(at + limit) if more else None,
        "data_refreshed_at": reports.text(admin.now() - admin.lag),
    }


def _ordered(combinations: list[Any], query: QueryParams, *, cost: bool) -> list[Any]:
    """Rank as asked: by time, else by spend or tokens; the biggest first unless asked otherwise."""
    descending = query.get("order", "desc") == "desc"
    if query.get("order_by") == "time":
        return sorted(combinations, key=lambda rows: rows[0]["starting_at"] if rows else "", reverse=descending)

    def size(rows: list[dict[str, Any]]) -> float:
        return sum(float(row["cost"]["amount"]) if cost else row["usage"]["total_tokens"] for row in rows)

    return sorted(combinations, key=size, reverse=descending)


def _usage_report(admin: Admin, request: Request) -> dict[str, Any]:
    query = request.query_params
    name = query.get("bucket_width", "1d")
    width = _width(query, "bucket_width", default="1d")
    default, most = _REPORT_LIMITS[name]
    by = _groups(query, _REPORT_GROUPS)
    start, end = _moment(query, "starting_at"), _moment(query, "ending_at", default=admin.now())
    results = reports.usage_report(admin.charges(start, end, query), width=width, by=by)
    return _buckets(query, results, start, end, width, _limit(query, default=default, most=most))


def _cost_report(admin: Admin, request: Request) -> dict[str, Any]:
    query = request.query_params
    if query.get("bucket_width", "1d") != "1d":
        raise invalid_request("bucket_width: only 1d is supported")
    by = _groups(query, ("description", "workspace_id"))
    start, end = _moment(query, "starting_at"), _moment(query, "ending_at", default=admin.now())
    results = reports.cost_report(admin.charges(start, end, QueryParams()), admin.book(), by=by)
    return _buckets(query, results, start, end, WIDTHS["1d"], _limit(query, default=7, most=31))


def _buckets(
    query: QueryParams,
    results: dict[datetime, list[dict[str, Any]]],
    start: datetime,
    end: datetime,
    width: timedelta,
    limit: int,
) -> dict[str, Any]:
    """Return a page of buckets: they are listed even where nothing was used."""
    first = reports.floor(start, width)
    count = max(0, -((first - end) // width))
    at = _offset(query)
    shown = [first + width * n for n in range(at, min(at + limit, count))]
    more = at + limit < count
    return {
        "data": [
            {
                "starting_at": reports.text(begin),
                "ending_at": reports.text(begin + width),
                "results": results.get(begin, []),
            }
            for begin in shown
        ],
        "has_more": more,
        "next_page": _token(at + limit) if more else None,
    }


def _groups(query: QueryParams, accepted: Sequence[str]) -> list[str]:
    by = query.getlist("group_by[]")
    for name in by:
        if name not in accepted:
            raise invalid_request(f"group_by: {name!r} is not one of {', '.join(accepted)}")
    return by


def _width(query: QueryParams, name: str, *, default: str | None = None) -> timedelta:
    told = query.get(name, default)
    if told not in WIDTHS:
        raise invalid_request(f"{name}: expected one of {', '.join(WIDTHS)}")
    return WIDTHS[told]


def _moment(query: QueryParams, name: str, *, default: datetime | None = None) -> datetime:
    told = query.get(name)
    if told is None and default is not None:
        return default
    try:
        moment = datetime.fromisoformat(told or "")
    except ValueError:
        raise invalid_request(f"{name}: expected an RFC 3339 time") from None
    if moment.tzinfo is None:
        raise invalid_request(f"{name}: expected a time with its zone")
    return moment.astimezone(UTC)


def _limit(query: QueryParams, *, default: int, most: int) -> int:
    told = query.get("limit", str(default))
    if not told.isdigit() or not 1 <= int(told) <= most:
        raise invalid_request(f"limit: expected 1 to {most}")
    return int(told)


def _token(offset: int) -> str:
    return "page_" + base64.urlsafe_b64encode(str(offset).encode()).decode()


def _offset(query: QueryParams) -> int:
    token = query.get("page")
    if token is None:
        return 0
    try:
        return int(base64.urlsafe_b64decode(token.removeprefix("page_")))
    except ValueError:
        raise invalid_request("page: not a token of a previous answer") from None
