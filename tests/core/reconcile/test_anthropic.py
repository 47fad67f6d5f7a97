"""A reconciliation with Anthropic: the unmodified SDK against a server that answers in the published schemas."""

import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from core import reconcile
from core.errors import CachewiseError, FixSettings, TryAgain
from core.fleet import recorded_actions
from core.reconcile import Reconciliation
from core.reconcile.analytics import dollars
from core.reconcile_settings import ReconcileSettings
from core.settings import Settings
from core.store.lake import Lake
from core.store.query import Reader
from simulator.admin import ADMIN_KEY, RunningAdmin, app
from simulator.admin.ledger import SERVICE_KEY, SERVICE_WORKSPACE
from tests.support.billing import NOW, billed, call_of, lake_of, truths
from tests.support.rows import make_unpriced_call


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_ADMIN_KEY", ADMIN_KEY)


@pytest.fixture
def admin() -> Iterator[RunningAdmin]:
    """An organization with the fleet's calls, a fifth more from elsewhere, and 12 % off."""
    with billed(truths(), unlogged="0.2", discount="0.12") as running:
        yield running


def run(url: str, folder: Path, *, days: dict[str, date] | None = None, **settings: Any) -> Reconciliation:
    """Reconcile with the server at `url`."""
    told = Settings(store_path=str(folder), anthropic_base_url=url, reconcile=ReconcileSettings(**settings))
    (found,) = reconcile.run(told, ["anthropic"], now=NOW, actor="tester", **(days or {}))
    return found


def test_what_the_logs_have_is_found_to_the_last_token_and_cent(tmp_path: Path) -> None:
    """No unlogged traffic, no discount: both sides agree on every line, in tokens, requests and list dollars."""
    lake_of(tmp_path, truths())
    with billed(truths()) as running:
        found = run(running.url, tmp_path)

    assert found.via == "analytics"
    assert len(found.lines) > 30
    assert all((line.own_tokens, line.own_usd) == (line.billed_tokens, line.list_usd) for line in found.lines)
    total = found.total
    assert (total.variance_tokens, total.variance_usd, total.unlogged_share, total.implied_discount) == (0, 0, 0, 0)
    assert total.own_requests == total.billed_requests == 36
    assert found.simulated
    assert found.provisional_days == (date(2026, 11, 20),)


def test_unlogged_traffic_and_discount_are_measured(admin: RunningAdmin, tmp_path: Path) -> None:
    """A fifth of the provider's requests are not in the logs; 12 % off is told apart from it."""
    lake_of(tmp_path, truths())
    found = run(admin.url, tmp_path)
    total = found.total
    ledger = admin.admin.book()
    settled = [charge for charge in ledger.charges if charge.at.date() < NOW.date()]
    others = sum(sum(charge.tokens) for charge in settled if charge.workspace_id != SERVICE_WORKSPACE)

    assert total.unlogged_tokens == others > 0
    assert total.billed_tokens == sum(sum(charge.tokens) for charge in settled)
    assert total.billed_requests == len(settled) == 44
    assert total.implied_discount == pytest.approx(0.12)
    assert total.list_usd == sum((sum(charge.list_usd) for charge in settled), Decimal(0))
    assert "whole_organization" in found.gaps


def test_calls_that_were_not_logged_show_as_unlogged(tmp_path: Path) -> None:
    """Half the calls never reached the log: half the requests are missing, and no line is over."""
    told = truths(logged_every=2)
    lake_of(tmp_path, told)
    with billed(told) as running:
        total = run(running.url, tmp_path).total

    assert total.billed_requests == 2 * (total.own_requests or 0)
    assert total.overlogged_tokens == 0
    assert total.unlogged_tokens == -(total.difference_tokens or 0) > 0


@pytest.mark.parametrize("only", [{"workspace_ids": (SERVICE_WORKSPACE,)}, {"api_key_ids": (SERVICE_KEY,)}])
def test_the_bill_can_be_narrowed(admin: RunningAdmin, tmp_path: Path, only: dict[str, Any]) -> None:
    """To a workspace or a key: what others used is then no variance, and no gap is named."""
    lake_of(tmp_path, truths())
    found = run(admin.url, tmp_path, **only)

    assert found.total.unlogged_tokens == 0
    assert found.total.difference_usd == 0
    assert "whole_organization" not in found.gaps


def test_pages_are_followed_and_throttling_is_waited_out(
    admin: RunningAdmin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same figures in pages of three, with a 429 and a 529 on the way; the SDK retries by itself."""
    lake_of(tmp_path, truths())
    whole = run(admin.url, tmp_path)
    monkeypatch.setattr("core.reconcile.analytics._PAGE", 3)
    admin.admin.faults.extend([429])
    asked = len(admin.admin.asked)
    paged = run(admin.url, tmp_path)

    assert paged == whole
    assert len(admin.admin.asked) - asked > 6
    assert not admin.admin.faults


@pytest.mark.parametrize("api", ["analytics", "legacy", "auto"])
def test_half_a_report_is_never_taken_for_the_whole(
    admin: RunningAdmin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, api: str
) -> None:
    """A page that promises more and does not say where ends the run: its sums would look like missing traffic."""
    lake_of(tmp_path, truths())
    monkeypatch.setattr("core.reconcile.analytics._PAGE", 3)
    monkeypatch.setattr("simulator.admin.app._limit", lambda *_, **__: 1)
    monkeypatch.setattr("simulator.admin.app._token", lambda _: None)

    with pytest.raises(TryAgain, match="REC-502"):
        run(admin.url, tmp_path, api=api)


def test_a_day_that_a_report_leaves_out_is_not_one_without_usage(
    admin: RunningAdmin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The older reports list every day, so one that is missing is provisional, and in no total."""
    lake_of(tmp_path, truths())
    whole = run(admin.url, tmp_path, api="legacy")
    answered = app._cost_report
    monkeypatch.setattr(app, "_cost_report", lambda *asked: (found := answered(*asked)) | {"data": found["data"][1:]})
    found = run(admin.url, tmp_path, api="legacy")

    assert found.provisional_days == (whole.start, *whole.provisional_days)
    assert found.total.own_usd < whole.total.own_usd  # type: ignore[operator]


@pytest.mark.parametrize("amount", ["NaN", "Infinity", "12,5", ""])
def test_an_amount_that_is_no_number_is_refused(amount: str) -> None:
    """It would make every sum unknown, or endless."""
    with pytest.raises(TryAgain, match="REC-502"):
        dollars(amount)


def test_the_older_reports_are_asked_where_the_newer_api_is_not(tmp_path: Path) -> None:
    """Tokens agree; requests and list prices are unknown, and the discount cannot be told apart: all of it is named."""
    lake_of(tmp_path, truths())
    with billed(truths(), discount="0.12", analytics=False) as running:
        found = run(running.url, tmp_path)

    assert found.via == "legacy"
    assert found.total.variance_tokens == 0
    assert found.total.billed_requests is None
    assert (found.total.list_usd, found.total.implied_discount) == (None, None)
    assert found.total.amount_usd == (found.total.own_usd or 0) * Decimal("0.88")
    assert {"no_requests", "no_list_price", "no_priority_tier", "cost_daily_only"} <= set(found.gaps)


def test_the_older_reports_are_paged_and_narrowed_too(admin: RunningAdmin, tmp_path: Path) -> None:
    """By workspace with dollars; by key without, as the cost report knows none."""
    lake_of(tmp_path, truths())
    by_workspace = run(admin.url, tmp_path, api="legacy", workspace_ids=(SERVICE_WORKSPACE,))
    by_key = run(admin.url, tmp_path, api="legacy", api_key_ids=(SERVICE_KEY,))

    assert by_workspace.total.unlogged_tokens == 0
    assert by_workspace.total.amount_usd == (by_workspace.total.own_usd or 0) * Decimal("0.88")
    assert by_key.total.unlogged_tokens == 0
    assert by_key.total.amount_usd is None
    assert "dollars_not_by_key" in by_key.gaps


def test_a_long_range_is_asked_in_spans(admin: RunningAdmin, tmp_path: Path) -> None:
    """Of at most 31 days, newer and older reports alike."""
    lake_of(tmp_path, truths())
    days = {"start": date(2026, 9, 1), "end": date(2026, 11, 20)}

    newer = run(admin.url, tmp_path, days=days)
    asked = [line for line in admin.admin.asked if "analytics/usage" in line]
    older = run(admin.url, tmp_path, days=days, api="legacy")

    assert len(asked) == 3
    assert newer.total.billed_tokens == older.total.billed_tokens


def test_priority_tier_is_missing_from_the_older_cost_report(tmp_path: Path) -> None:
    """Its tokens are there and its dollars are not, which the gap says."""
    lake_of(tmp_path, truths())
    with billed(truths()) as running:
        ledger = running.admin.book()
        running.admin.ledger = replace(
            ledger, charges=tuple(replace(charge, service_tier="priority") for charge in ledger.charges)
        )
        found = run(running.url, tmp_path, api="legacy")

    assert found.total.variance_tokens == 0
    assert found.total.amount_usd == 0
    assert "no_priority_tier" in found.gaps


def test_unpriced_and_broken_off_calls_are_told(tmp_path: Path) -> None:
    """Their number is kept, because the variance has a part of them."""
    odd = call_of(truths()[0], call_id="odd", complete=False)
    lake_of(tmp_path, truths(), odd, make_unpriced_call(ts=odd["ts"], model_known_by="defaults"))
    with billed(truths()) as running:
        found = run(running.url, tmp_path)

    assert (found.unpriced_calls, found.incomplete_calls) == (1, 1)
    assert {"own_unpriced", "own_by_defaults", "own_incomplete"} <= set(found.gaps)


def test_the_last_run_is_kept_and_the_audit_log_tells_of_it(admin: RunningAdmin, tmp_path: Path) -> None:
    """A page can show it without asking anybody."""
    lake_of(tmp_path, truths())
    found = run(admin.url, tmp_path)

    with Reader(Lake(tmp_path / "tables")) as reader:
        kept = reconcile.latest(reader, "anthropic")
        rows = reconcile.history(reader)
        (action,) = recorded_actions(reader, action="reconcile")
        assert reconcile.latest(reader, "bedrock") is None

    written = [path.read_bytes() for path in (tmp_path / "tables").rglob("*") if path.is_file()]
    assert written and not any(ADMIN_KEY.encode() in content for content in written)
    assert kept is not None
    assert kept[1] == found
    assert (kept[0]["unlogged_tokens"], kept[0]["settled_days"]) == (found.total.unlogged_tokens, 3)
    assert [row["actor"] for row in rows] == ["tester"]
    assert (action.result, action.target, action.before) == (
        "done", "anthropic", {"from": "2026-11-17", "to": "2026-11-21"},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("status", "code"), [(401, "REC-401"), (403, "REC-403"), (404, "REC-404"), (422, "REC-400"), (500, "REC-503")]
)
def test_refusals_are_told_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, status: int, code: str
) -> None:
    """And audited as failed, without the key anywhere; nothing is kept."""
    monkeypatch.setattr("core.reconcile.access.RETRIES", 0)
    lake_of(tmp_path, truths())
    with caplog.at_level(logging.DEBUG), billed(truths()) as running:
        running.admin.faults.extend([status, status])
        with pytest.raises(CachewiseError) as refused:
            run(running.url, tmp_path)

    assert refused.value.code == code
    assert refused.value.mend
    assert ADMIN_KEY not in f"{refused.value} {caplog.text}"
    with Reader(Lake(tmp_path / "tables")) as reader:
        assert [action.result for action in recorded_actions(reader)] == ["failed"]
        assert reconcile.history(reader) == []


def test_an_ordinary_key_is_told_what_it_lacks(
    admin: RunningAdmin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """403 from both APIs."""
    monkeypatch.setenv("ANTHROPIC_ADMIN_KEY", "sk-ant-sim-0000")
    lake_of(tmp_path, truths())
    with pytest.raises(FixSettings, match="REC-403"):
        run(admin.url, tmp_path)


def test_nobody_there_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a fault that may pass."""
    monkeypatch.setattr("core.reconcile.access.RETRIES", 0)
    lake_of(tmp_path, truths())
    with pytest.raises(CachewiseError, match="REC-503"):
        run("http://127.0.0.1:9", tmp_path)


def test_without_a_key_it_says_what_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is asked or written."""
    monkeypatch.delenv("ANTHROPIC_ADMIN_KEY")
    with pytest.raises(FixSettings, match="What is needed: Set ANTHROPIC_ADMIN_KEY"):
        run("http://127.0.0.1:9", tmp_path)
    assert not (tmp_path / "tables").exists()


def test_the_demo_has_no_real_bill(tmp_path: Path) -> None:
    """Unless a simulated one on this machine."""
    settings = Settings(store_path=str(tmp_path), demo=True)
    with pytest.raises(FixSettings, match="REC-410"):
        reconcile.run(settings, ["anthropic"])
    assert reconcile.demo_problem(replace(settings, anthropic_base_url="http://127.0.0.1:1")) is None


@pytest.mark.parametrize(
    "days", [{"start": date(2026, 11, 21)}, {"start": date(2024, 1, 1)}, {"end": date(2026, 11, 1)}]
)
def test_days_that_cannot_be_reconciled_are_refused(admin: RunningAdmin, tmp_path: Path, days: dict[str, date]) -> None:
    """The future, what is too long ago, and an end before the first logs."""
    lake_of(tmp_path, truths())
    with pytest.raises(FixSettings, match="REC-408"):
        run(admin.url, tmp_path, days=days)
