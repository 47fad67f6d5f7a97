"""The simulated Admin API keeps to the published schemas and limits, as the SDK's types have them."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest
from anthropic.types.beta.organization.analytics.beta_analytics_cost_item import BetaAnalyticsCostItem
from anthropic.types.beta.organization.analytics.beta_analytics_usage_item import BetaAnalyticsUsageItem

from simulator.admin import ADMIN_KEY, Admin, RunningAdmin, routes
from simulator.admin.app import BETA
from simulator.admin.fleet import FleetBill
from simulator.messages import new_service
from simulator.messages.app import build_app
from simulator.messages.server import serving
from tests.support.billing import NOW, billed, truths

ORG = "/v1/organizations"
DAYS = {"starting_at": "2026-11-17T00:00:00Z", "ending_at": "2026-11-20T00:00:00Z"}
DAILY = {**DAYS, "time_bucket_width": "1d"}
SIX = ["model", "speed", "actor", "product", "agent_id", "session_id"]


@pytest.fixture(scope="module")
def admin() -> Iterator[RunningAdmin]:
    """The small fleet, billed with a tenth off."""
    with billed(truths(), discount="0.1") as running:
        yield running


def ask(admin: RunningAdmin, path: str, query: dict[str, Any], *, key: str = ADMIN_KEY, beta: str = BETA) -> Any:
    """Ask as any HTTP client would."""
    headers = {"x-api-key": key, "anthropic-beta": beta, "anthropic-version": "2023-06-01"}
    return httpx2.get(f"{admin.url}{ORG}/{path}", params=query, headers=headers)


def test_rows_are_the_types_of_the_sdk(admin: RunningAdmin) -> None:
    """Strictly read, with no field that the SDK does not know; amounts are fractional cents as text."""
    usage = ask(admin, "analytics/usage", DAILY | {"group_by[]": ["model"], "limit": 1000}).json()
    by = ["model", "cost_type", "token_type"]
    cost = ask(admin, "analytics/cost", DAILY | {"group_by[]": by, "limit": 1000}).json()

    for answer, kind in ((usage, BetaAnalyticsUsageItem), (cost, BetaAnalyticsCostItem)):
        assert set(answer) == {"data", "has_more", "next_page", "data_refreshed_at"}
        for row in answer["data"]:
            item = kind.model_validate(row)
            assert not item.model_extra
            assert not item.group.model_extra
    assert sum(row["usage"]["requests"] for row in usage["data"]) == 36
    assert all(isinstance(row["cost"]["amount"], str) for row in cost["data"])


def test_the_biggest_comes_first_unless_time_is_asked_for(admin: RunningAdmin) -> None:
    """As the API ranks rows."""
    query = DAILY | {"group_by[]": ["model"], "limit": 1000}
    ranked = [row["usage"]["total_tokens"] for row in ask(admin, "analytics/usage", query).json()["data"]]
    timed = [
        row["starting_at"]
        for row in ask(admin, "analytics/usage", query | {"order_by": "time", "order": "asc"}).json()["data"]
    ]

    assert ranked == sorted(ranked, reverse=True)
    assert timed == sorted(timed)


def test_fan_out_rows_do_not_count_toward_the_limit(admin: RunningAdmin) -> None:
    """A page of one combination has all its token types."""
    by = ["model", "cost_type", "token_type"]
    page = ask(admin, "analytics/cost", DAILY | {"group_by[]": by, "limit": 1}).json()

    assert len(page["data"]) > 1
    assert len({(row["starting_at"], row["group"]["model"]) for row in page["data"]}) == 1
    assert page["has_more"]


def test_older_reports_list_every_bucket(admin: RunningAdmin) -> None:
    """Empty ones too, and page by buckets."""
    query = {"starting_at": "2026-11-10T00:00:00Z", "ending_at": "2026-11-20T00:00:00Z", "bucket_width": "1d"}
    first = ask(admin, "usage_report/messages", query).json()
    second = ask(admin, "usage_report/messages", query | {"page": first["next_page"]}).json()

    assert [len(page["data"]) for page in (first, second)] == [7, 3]
    assert [bool(bucket["results"]) for bucket in (*first["data"], *second["data"])] == [False] * 7 + [True] * 3
    assert not second["has_more"]


@pytest.mark.parametrize(
    ("path", "query", "status"),
    [
        ("analytics/usage", DAILY | {"group_by[]": ["colour"]}, 400),
        ("analytics/usage", DAILY | {"limit": 1001}, 400),
        ("analytics/usage", DAYS, 400),
        ("analytics/usage", DAILY | {"starting_at": "2026-10-01T00:00:00Z"}, 400),
        ("analytics/usage", DAILY | {"starting_at": "2025-12-31T00:00:00Z"}, 400),
        ("analytics/cost", DAILY | {"group_by[]": SIX}, 400),
        ("analytics/cost", DAILY | {"page": "nonsense"}, 400),
        ("cost_report", DAYS | {"bucket_width": "1h"}, 400),
        ("cost_report", DAYS | {"group_by[]": ["model"]}, 400),
        ("usage_report/messages", DAYS | {"limit": 32}, 400),
    ],
)  # fmt: skip
def test_what_the_api_refuses_is_refused(admin: RunningAdmin, path: str, query: dict[str, Any], status: int) -> None:
    """In the API's form of an error."""
    answer = ask(admin, path, query)

    assert answer.status_code == status
    assert answer.json()["error"]["type"] == "invalid_request_error"


def test_keys_and_the_beta_header_are_asked_for(admin: RunningAdmin) -> None:
    """No real key is taken, an ordinary one may not read, and the newer API is a beta."""
    assert ask(admin, "cost_report", DAYS, key="sk-something").status_code == 401
    assert ask(admin, "cost_report", DAYS, key="sk-ant-sim-0000").status_code == 403
    assert ask(admin, "analytics/usage", DAILY, beta="").status_code == 400
    assert ask(admin, "cost_report", DAYS).headers["x-cachewise-simulated"] == "true"


def test_the_last_minutes_are_not_known_yet(admin: RunningAdmin) -> None:
    """And it says how far its figures reach."""
    told = ask(admin, "analytics/usage", DAILY | {"limit": 1}).json()["data_refreshed_at"]

    assert datetime.fromisoformat(told) == datetime(2026, 11, 20, 14, 55, tzinfo=UTC)


def test_a_demo_folder_is_billed_beside_the_messages_api(tmp_path: Path) -> None:
    """`--fleet` serves the reports of a folder that grows, labelled once, at the address of the Messages API."""
    folder = tmp_path / "truth"
    folder.mkdir()
    told = [json.dumps(truth) for truth in truths()]
    admin = Admin(FleetBill(tmp_path), now=lambda: NOW)
    with serving(build_app(new_service(), more=routes(admin))) as url:
        asked = RunningAdmin(url, admin)
        billed_calls = []
        for count in (10, len(told)):
            (folder / "2026-11-20T00.jsonl").write_text("\n".join(told[:count]) + "\n")
            answer = ask(asked, "analytics/usage", DAILY | {"limit": 1000})
            billed_calls.append(sum(row["usage"]["requests"] for row in answer.json()["data"]))

    assert answer.headers.get_list("x-cachewise-simulated") == ["true"]
    assert billed_calls == [10, 36]
