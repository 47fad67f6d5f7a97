"""Calls are summed piece by piece: what is seen does not depend on where the pieces end."""

from __future__ import annotations

import sys
from dataclasses import fields
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest

from core.metrics.scope import Scope
from core.regressions.lane import Lane, added
from core.regressions.observe import observe
from core.store.query import Reader
from core.traffic import Coded
from tests.support.lakes import fill
from tests.support.rows import Row, make_call, make_invocation
from tests.support.steady import END, MONDAY, traffic

_RNG = Random(4)
_MODULE = sys.modules["core.regressions.observe"]  # the package has a function of the same name


def _vary(ts: Any, call: dict[str, Any], rng: Random) -> None:
    call |= {
        "function_version": rng.choice(["1", "2", None]),
        "prefix_fingerprint": rng.choice(["a", "b", None]),
        "tenant": rng.choice(["acme", "globex", None]),
        "caching_enabled": rng.choice([True, False, None]),
    }


def _silent(ts: Any, call: dict[str, Any], rng: Random) -> None:
    _vary(ts, call, rng)
    call |= {"ttft_ms": None, "latency_ms": None}


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Three days of two engines, of which one's calls tell no time, with its invocations."""
    calls: list[Row] = [*traffic(_vary, days=3), *traffic(_silent, days=3, seed=6, engine="memo")]
    invocations = [
        make_invocation(ts=row["ts"] + timedelta(seconds=1), engine="memo", duration_ms=_RNG.uniform(500, 900), calls=1,
                        function_version=row["function_version"])
        for row in calls if row["engine"] == "memo"
    ]  # fmt: skip
    folder: Path = tmp_path_factory.mktemp("observe")
    with Reader(fill(folder, calls=calls, invocations=invocations), threads=1) as opened:
        yield opened


def _columns(lane: Lane) -> dict[str, Any]:
    """Everything in a lane, words written out."""
    told: dict[str, Any] = {}
    for item in fields(lane):
        value = getattr(lane, item.name)
        for name, part in value.items() if isinstance(value, dict) else [("", value)]:
            told[f"{item.name} {name}"] = part.arrow().to_pylist() if isinstance(part, Coded) else part
    return told


@pytest.mark.parametrize("scope", [Scope(), Scope(tenants=("acme",)), Scope(MONDAY + timedelta(hours=30.5), END)])
def test_pieces_give_what_the_whole_gives(reader: Reader, scope: Scope, monkeypatch: pytest.MonkeyPatch) -> None:
    """Gaps and fingerprints are carried over the edge of a piece; lanes are looked through a few at a time."""
    with observe(reader, scope) as whole:
        expected, versions = {(lane.engine, lane.model): _columns(lane) for lane in whole}, whole.versions
    monkeypatch.setattr(_MODULE, "AT_ONCE", 60)
    with observe(reader, scope) as parts:
        assert len(parts) == len(expected) == 2
        for lane in [*parts, *parts]:
            for name, column in _columns(lane).items():
                told = expected[lane.engine, lane.model][name]
                if isinstance(column, np.ndarray) and column.dtype == np.float64:
                    np.testing.assert_allclose(column, told, rtol=1e-12, err_msg=name)
                else:
                    assert list(column) == list(told), name
        assert parts.versions == versions
    if not scope.tenants:
        assert expected["memo", "claude-opus-4-5"]["latency_of "] == "duration_ms"
        assert expected["memo", "claude-opus-4-5"]["timed "].sum() > 0


def test_millions_in_five_minutes_are_cut_and_not_turned_over(tmp_path: Path) -> None:
    """Eleven calls of most of a million dollars each are told as nine million; sums of such are exact."""
    calls = [make_call(ts=MONDAY + timedelta(seconds=n), cost_usd=Decimal(900_000)) for n in range(12)]
    calls += [make_call(ts=MONDAY + timedelta(hours=n), cost_usd=Decimal(900_000)) for n in range(1, 30)]
    with Reader(fill(tmp_path, calls=calls), threads=1) as opened, observe(opened, Scope()) as lanes:
        (lane,) = lanes
    assert added(lane.cost) == (9_000_000 + 30 * 900_000) * 10**12  # the first had no call before it, and a row alone
    assert lane.cost.min() > 0


def test_sums_leave_nothing_behind(reader: Reader) -> None:
    """The folder in which they wait is gone afterwards."""
    with observe(reader, Scope()) as lanes:
        folder = Path(lanes._shelf._folder.name)
        assert any(folder.iterdir())
    assert not folder.exists()
