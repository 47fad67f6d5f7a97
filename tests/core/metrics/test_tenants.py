"""Calls are narrowed by whom they are charged to; those that nobody tagged can be asked for by themselves."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from core import misses, regressions, ttl
from core.metrics import options, series, sources, summary
from core.metrics.scope import NONE, Scope
from core.pricing import default_book
from core.reports.document import cover
from core.reports.request import Desk, Request
from core.store.query import Reader
from tests.support.lakes import fill
from tests.support.rows import NOON, make_call, make_invocation, make_store_event
from tests.support.steady import CHANGE, END, broken, since, traffic
from tests.support.traffic import at, reads, writes


@pytest.fixture
def reader(tmp_path: Path) -> Reader:
    """Two calls of acme, one of a tenant whose name tries to be two, and one of nobody; and what knows no tenant."""
    calls = [make_call(tenant=tenant) for tenant in ("acme", "acme", "x', 'acme", None)]
    return Reader(
        fill(tmp_path, calls=calls, invocations=[make_invocation()], prompt_store_events=[make_store_event()])
    )


@pytest.mark.parametrize(
    ("tenants", "calls"),
    [
        ((), 4),
        (("acme",), 2),
        (("x', 'acme",), 1),
        ((NONE,), 1),
        (("acme", NONE), 3),
        (("nobody here",), 0),
    ],
)
def test_calls_are_narrowed_by_tenant(reader: Reader, tenants: tuple[str, ...], calls: int) -> None:
    """Several at once, and the untagged ones as one of them; the series and the total agree."""
    scope = Scope(tenants=tenants)

    assert summary(reader, scope)["calls"] == calls
    assert sum(series(reader, scope, "day")["calls"].to_pylist()) == calls


def test_what_has_no_tenant_is_unknown_under_one(reader: Reader) -> None:
    """Invocations and prompt-store lines name none: their figures are not those of the tenant, and not zero."""
    found = summary(reader, Scope(tenants=("acme",)))

    assert (found["invocations"], found["prompt_store_hits"], found["cost_per_invocation_usd"]) == (None, None, None)


def test_tenants_are_told_to_choose_from(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    """By name; where there are more than fit, those with the most calls."""
    assert options(reader)["tenants"] == ["acme", "x', 'acme"]

    monkeypatch.setattr(sources, "MOST_TENANTS", 1)
    with Reader(reader.lake) as another:
        assert options(another)["tenants"] == ["acme"]


def test_the_busiest_tenants_are_those_of_all_days(tmp_path: Path) -> None:
    """Not those of one busy day."""
    days = [NOON + timedelta(days=n) for n in range(3)]
    steady = [make_call(ts=day, tenant="steady") for day in days for _ in range(2)]
    burst = [make_call(ts=days[0], tenant="burst") for _ in range(3)]

    with Reader(fill(tmp_path, calls=steady + burst)) as reader:
        assert options(reader)["tenants"] == ["burst", "steady"]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sources, "MOST_TENANTS", 1)
            assert sources._tenants(reader) == ["steady"]


def test_misses_of_a_tenant_are_judged_by_everybody_s_calls(tmp_path: Path) -> None:
    """What another tenant wrote was in the cache: the ledger of one is part of the whole's, by its own column."""
    calls = [
        writes(at(minutes=0), ttl="1h", tenant="acme"),
        reads(at(minutes=5), tenant="zen"),
        writes(at(minutes=90), ttl="1h", tenant="zen"),
        reads(at(minutes=95)),
    ]
    with Reader(fill(tmp_path, calls=calls)) as reader:
        whole = misses.ledger(reader, Scope())
        own = misses.ledger(reader, Scope(tenants=("zen",)))
        untagged = misses.ledger(reader, Scope(tenants=(NONE,)))
        replayed = ttl.lab(reader, Scope(tenants=("zen",)), book=default_book())

    by_tenant = {(row["tenant"], row["cause"]): row["tokens"] for row in misses.groups(whole, ("tenant", "cause"))}
    assert {row["cause"]: row["tokens"] for row in misses.groups(own, ("cause",))} == {
        cause: tokens for (tenant, cause), tokens in by_tenant.items() if tenant == "zen"
    }
    assert {cause for tenant, cause in by_tenant if tenant == "zen"} == {"expired_1h", "dynamic_tail"}
    assert set(untagged["tenant"].to_pylist()) == {None}
    assert sum(replayed.calls) == 2


def test_a_tenant_s_regressions_are_dated_by_the_engine_s_calls(tmp_path: Path) -> None:
    """Gaps between calls are those of the cache all tenants share, whoever is looked at."""
    rows = traffic(since(CHANGE, broken))
    for number, row in enumerate(rows):
        row["tenant"] = ("acme", "zen")[number % 2]

    with Reader(fill(tmp_path, calls=rows), threads=1) as reader:
        (whole,) = regressions.find(reader, Scope(), now=END)
        (own,) = regressions.find(reader, Scope(tenants=("acme",)), now=END)
        assert regressions.find(reader, Scope(tenants=("nobody here",)), now=END) == []

    assert (own.engine, own.metric) == (whole.engine, whole.metric)
    assert abs(own.started_at - CHANGE) < timedelta(hours=2)
    assert own.before == pytest.approx(whole.before, abs=0.01)


@pytest.mark.parametrize(("lang", "untagged"), [("en", "(untagged)"), ("ko", "(태그 없음)")])
def test_a_report_says_whose_calls_it_is_about(reader: Reader, lang: str, untagged: str) -> None:
    """Among the filters of its cover, the untagged ones in words."""
    request = Request(Scope(tenants=("acme", NONE)), lang=lang)  # type: ignore[arg-type]

    told = dict(cover(Desk(reader, default_book()), request, summary(reader, request.scope)))

    assert told["cover.filters"] == f"tenant = acme, {untagged}"
