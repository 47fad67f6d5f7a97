"""The demo's logs, read by the real collector, give back the truth to the token and the picodollar."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from cli.demo import demo_root, demo_sources
from collector.pipeline import Collector
from collector.sources.files import FilesSource
from core import reconcile
from core.pricing import default_book
from core.settings import Settings
from core.store.lake import Lake
from core.store.query import Reader
from simulator.admin import ADMIN_KEY, Admin, Ledger, running_admin
from simulator.admin.ledger import OTHER_WORKSPACE
from simulator.fleet.folder import FleetFolder, read_truth
from simulator.fleet.plan import from_ms
from simulator.fleet.writer import FleetWriter
from tests.support.fleet import NOON_MS

TOKENS = ("input_tokens", "cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens", "output_tokens")
Rows = list[dict[str, Any]]


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A day and a half of the fleet, collected."""
    settings = Settings(store_path=str(tmp_path_factory.mktemp("store")), demo=True)
    root = demo_root(settings)
    FleetWriter(FleetFolder(root), book=default_book(), now_ms=NOON_MS, days=1).write_history(NOON_MS)
    lake = Lake(settings.lake_path)
    for source in demo_sources(settings):
        result = Collector(FilesSource(source), lake, default_book(), defaults=source.defaults).run_pass()
        assert not result.problems and not result.skipped
    return settings


@pytest.fixture(scope="module")
def told(lived: Settings) -> tuple[Rows, Rows]:
    """The rows that the collector made of it, and the truth about what was logged."""
    reader = Reader(Lake(lived.lake_path))
    rows: Rows = reader.rows(reader.table("calls"))
    reader.close()
    return rows, [truth for truth in read_truth(Path(demo_root(lived))) if truth["logged"]]


@pytest.mark.parametrize("source", ["bodo-ws", "bodo-legacy"])
def test_every_logged_call_is_one_row(told: tuple[Rows, Rows], source: str) -> None:
    """As many calls per engine as the truth has: none lost, none told twice by record and cost line."""
    rows, truths = told

    assert Counter(r["engine"] for r in rows if r["source"] == source) == Counter(
        t["engine"] for t in truths if t["source"] == source
    )


def test_records_give_tokens_and_dollars_back(told: tuple[Rows, Rows]) -> None:
    """Call by call, what a record tells is stored and priced exactly."""
    rows = {row["call_id"]: row for row in told[0] if row["id_kind"] == "message"}
    truths = [t for t in told[1] if t["source"] == "bodo-ws" and t["call_id"]]

    assert len(rows) == len(truths) > 1_000
    for truth in truths:
        row = rows[truth["call_id"]]
        assert [row[name] for name in TOKENS] == [truth[name] for name in TOKENS]
        assert row["cost_usd"] == Decimal(truth["cost_usd"])
        assert row["price_check"] == "agrees"


def test_text_lines_give_back_what_they_can(told: tuple[Rows, Rows]) -> None:
    """Where the source's defaults are right, sums agree; where they are wrong (memo), price_check says so."""
    rows = [row for row in told[0] if row["source"] == "bodo-legacy"]
    truths = [t for t in told[1] if t["source"] == "bodo-legacy"]

    for engine in ("notice", "counsel"):
        cost = sum(r["cost_usd"] for r in rows if r["engine"] == engine)
        assert cost == sum(Decimal(t["cost_usd"]) for t in truths if t["engine"] == engine) > 0
    checks = {row["price_check"] for row in rows if row["engine"] == "memo"}
    assert any("claude-opus-4-5/5m" in check for check in checks)


def test_cacheable_is_known_for_what_is_below_the_minimum(told: tuple[Rows, Rows]) -> None:
    """Faq is never cacheable; sales always is, its failed calls aside."""
    cacheable = {
        engine: {row["cacheable"] for row in told[0] if row["engine"] == engine and row["status"] == "ok"}
        for engine in ("faq", "sales")
    }

    assert cacheable == {"faq": {False}, "sales": {True}}


def test_the_bill_of_the_fleet_reconciles_with_its_logs(lived: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The unmodified SDK reads a bill made from the truth, with 5 % more traffic and 12 % off: both are found.

    What remains on the settled day is known too: calls that were never logged, streams that broke off before their
    output was told, and writes of a text-only source whose TTL its settings get wrong, which are no unlogged traffic.
    """
    truths = [truth for truth in read_truth(Path(demo_root(lived))) if truth["provider"] == "anthropic"]
    ledger = Ledger.of_truths(truths, default_book(), unlogged_share=Decimal("0.05"), discount=Decimal("0.12"))
    monkeypatch.setenv("ANTHROPIC_ADMIN_KEY", ADMIN_KEY)
    now = from_ms(NOON_MS)
    with running_admin(Admin(ledger, now=lambda: now)) as admin:
        (found,) = reconcile.run(replace(lived, anthropic_base_url=admin.url), ["anthropic"], now=now)
    total = found.total
    settled = [t for t in truths if t["cause"] != "error" and from_ms(t["ts"]).date() < now.date()]
    others = [c for c in ledger.charges if c.workspace_id == OTHER_WORKSPACE and c.at.date() < now.date()]
    silent = [t for t in settled if not t["logged"]]
    cut_off = sum(t["output_tokens"] for t in settled if t["logged"] and not t["complete"])

    assert found.provisional_days == (now.date(),)
    assert total.billed_requests == len(settled) + len(others)
    assert total.own_requests == len(settled) - len(silent)
    assert len(others) / total.billed_requests == pytest.approx(0.05, abs=0.005)
    missing = sum(sum(c.tokens) for c in others) + sum(t[name] for t in silent for name in TOKENS)
    assert missing <= (total.unlogged_tokens or 0) <= missing + cut_off
    assert total.overlogged_tokens == 0
    assert total.implied_discount == pytest.approx(0.12)
    writes = {kind: t for (model, kind), t in found.by_type if model == "claude-opus-4-5" and "write" in kind}
    assert writes["cache_write_5m"].own_tokens == 0  # the engine memo writes for 5 minutes, and is read as 1 hour
    assert (writes["cache_write_1h"].difference_tokens or 0) > 0
