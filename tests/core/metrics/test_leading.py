"""A dimension with too many members is told by its dearest, and all others are one group that is the true remainder."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from core import metrics
from core.metrics.catalog import METRICS
from core.metrics.leading import leading, others
from core.metrics.scope import Scope
from core.store.query import Reader
from tests.support.lakes import fill
from tests.support.rows import NOON, make_call, make_invocation, make_unpriced_call

MANY = 30


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """Thirty tenants and as many engines, each a cent dearer than the one before; some calls are of nobody."""
    calls = [
        make_call(ts=NOON + timedelta(hours=n), tenant=f"t{n:02d}", engine=f"e{n:02d}", cost_usd=Decimal(n) / 100)
        for n in range(MANY)
    ]
    calls += [make_call(ts=NOON + timedelta(hours=n), tenant=None, cost_usd=Decimal(1)) for n in range(2)]
    calls += [make_unpriced_call(ts=NOON, tenant="t00")]
    invocations = [make_invocation(ts=NOON, engine=f"only {n}") for n in range(3)]
    with Reader(fill(tmp_path_factory.mktemp("leading"), calls=calls, invocations=invocations), threads=1) as opened:
        yield opened


def whole(reader: Reader) -> dict[str, Any]:
    """The totals of everything."""
    return metrics.summary(reader, Scope())


@pytest.mark.parametrize("by", ["tenant", "engine"])
def test_all_others_are_the_true_remainder(reader: Reader, by: str) -> None:
    """The dearest are told as ever, and every count, token and dollar of the rows adds up to the total."""
    rows = metrics.breakdown(reader, Scope(), [by], most=2)
    every, total = metrics.breakdown(reader, Scope(), [by]), whole(reader)

    assert rows[:-1] == every[:2]
    assert others(rows[-1][by]) == len(every) - 2
    sums = {name for name, metric in METRICS.items() if metric.unit in ("count", "tokens", "usd") and name in total}
    for name in {name for name in sums if "_per_" not in name}:
        known = [row[name] for row in rows if row[name] is not None]
        assert not known or sum(known) == total[name], name
    assert sum(row["cost_usd"] for row in rows) == total["cost_usd"] > 0
    last = rows[-1]
    assert last["cost_per_request_usd"] == pytest.approx(last["cost_usd"] / last["priced_calls"])


def test_over_time_they_are_one_too(reader: Reader) -> None:
    """Each bucket has the dearest by name and the others as one."""
    rows = metrics.series(reader, Scope(), "day", by="tenant", most=2).to_pylist()
    every = metrics.series(reader, Scope(), "day").to_pylist()

    assert {others(row["tenant"]) for row in rows} == {None, MANY - 1}
    for day in every:
        own = [row["cost_usd"] for row in rows if row["bucket"] == day["bucket"]]
        assert sum(own) == day["cost_usd"]


def test_where_there_is_room_all_are_told(reader: Reader) -> None:
    """As many as there are is no crowd."""
    assert leading(reader, Scope(), "tenant", most=MANY + 1) is None
    assert metrics.breakdown(reader, Scope(), ["tenant"], most=MANY + 1) == metrics.breakdown(
        reader, Scope(), ["tenant"]
    )
    assert others("t29") is others(None) is others("\0others x") is None


def test_filters_hold_for_the_others(reader: Reader) -> None:
    """Only tenants in scope are counted among them."""
    scope = Scope(tenants=("t01", "t02", "t03"))
    rows = metrics.breakdown(reader, scope, ["tenant"], most=1)
    assert [(row["tenant"], row["calls"]) for row in rows[:1]] == [("t03", 1)]
    assert (others(rows[1]["tenant"]), rows[1]["cost_usd"]) == (2, Decimal("0.03"))
