"""The other questions of the pages: series, latency, markers, freshness, options, single calls."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest

from core.errors import FixSettings
from core.metrics import (
    calls_page,
    freshness,
    latency,
    latency_series,
    markers,
    options,
    series,
    store_series,
)
from core.metrics.scope import Scope
from core.store.query import Reader
from tests.support.lakes import fill
from tests.support.rows import NOON, make_call, make_failed_call, make_invocation, make_pass, make_store_event

HOUR = timedelta(hours=1)


def test_a_series_has_typed_columns_and_a_dimension(tmp_path: Path) -> None:
    """Counts are whole numbers, dollars DECIMAL(38,12), the bucket UTC; also when there is no row."""
    calls = [make_call(engine="b", cache_read_tokens=300), make_call(engine="a"), make_call(engine="a", ts=NOON + HOUR)]
    with Reader(fill(tmp_path, calls=calls)) as reader:
        table = series(reader, Scope(), "hour", "engine")
        nothing = series(reader, Scope(engines=("none",)), "hour", "engine")

    assert nothing.num_rows == 0
    assert nothing.schema == table.schema
    assert table.schema.field("bucket").type == pa.timestamp("us", tz="UTC")
    assert table.schema.field("cost_per_request_usd").type == pa.decimal128(38, 12)
    assert table.select(["bucket", "engine", "calls", "token_hit_rate", "cost_usd"]).to_pylist() == [
        {"bucket": NOON, "engine": "a", "calls": 1, "token_hit_rate": 0.0, "cost_usd": Decimal("0.00075")},
        {"bucket": NOON, "engine": "b", "calls": 1, "token_hit_rate": 0.75, "cost_usd": Decimal("0.0009")},
        {"bucket": NOON + HOUR, "engine": "a", "calls": 1, "token_hit_rate": 0.0, "cost_usd": Decimal("0.00075")},
    ]


def test_a_series_splits_by_columns_only(tmp_path: Path) -> None:
    """Time is its bucket."""
    with Reader(fill(tmp_path)) as reader, pytest.raises(FixSettings, match="MET-004"):
        series(reader, Scope(), "hour", "day")


def test_the_prompt_store_over_time(tmp_path: Path) -> None:
    """Hits and misses by bucket; nothing, rather than something wrong, under a model filter."""
    events = [make_store_event(), make_store_event("miss"), make_store_event(ts=NOON + HOUR)]
    with Reader(fill(tmp_path, prompt_store_events=events)) as reader:
        rows = store_series(reader, Scope(), "hour").to_pylist()
        assert store_series(reader, Scope(models=("m",)), "hour").num_rows == 0

    assert [(row["prompt_store_hits"], row["prompt_store_misses"], row["prompt_store_hit_rate"]) for row in rows] == [
        (1, 1, 0.5),
        (1, 0, 1.0),
    ]


def test_response_time_over_time(tmp_path: Path) -> None:
    """Quantiles, how many, and how many of them cold."""
    rows = [make_invocation(duration_ms=100.0), make_invocation(duration_ms=200.0, init_ms=100.0, cold=True)]
    with Reader(fill(tmp_path, invocations=rows)) as reader:
        found = latency_series(reader, Scope(), "day").to_pylist()

    assert [(row["p50"], row["count"], row["cold_count"]) for row in found] == [(200.0, 2, 1)]


def test_latency_tells_cold_from_warm_and_read_from_unread(tmp_path: Path) -> None:
    """By hand: medians of each side, with their counts; failed calls have no first token."""
    invocations = [make_invocation(duration_ms=100.0), make_invocation(duration_ms=300.0)]
    invocations += [make_invocation(duration_ms=500.0, restore_ms=250.0, cold=True)]
    calls = [make_call(cache_read_tokens=9, ttft_ms=400.0, latency_ms=4000.0), make_call(ttft_ms=900.0), make_call()]
    events = [make_store_event(), make_store_event("miss", fetch_ms=120.0)]
    lake = fill(tmp_path, invocations=invocations, calls=[*calls, make_failed_call()], prompt_store_events=events)

    with Reader(lake) as reader:
        found = latency(reader, Scope())[0]

    medians = {name: (part["p50"], part["count"]) for name, part in found.items() if isinstance(part, dict)}
    assert medians == {
        "response_time_ms": (300.0, 3),
        "cold_response_time_ms": (750.0, 1),
        "warm_response_time_ms": (200.0, 2),
        "start_up_ms": (250.0, 1),
        "ttft_read_ms": (400.0, 1),
        "ttft_unread_ms": (900.0, 1),
        "call_latency_read_ms": (4000.0, 1),
        "call_latency_unread_ms": (None, 0),
        "prompt_store_miss_ms": (120.0, 1),
    }
    assert found["db_time_saved_ms"] == 120.0


def test_latency_by_model_knows_calls_only(tmp_path: Path) -> None:
    """Invocations have no model: their part is unknown."""
    with Reader(fill(tmp_path, calls=[make_call(ttft_ms=1.0)], invocations=[make_invocation()])) as reader:
        (row,) = latency(reader, Scope(), "model")

    assert (row["model"], row["ttft_unread_ms"]["count"], row["response_time_ms"]["count"]) == (
        "claude-opus-4-5",
        1,
        None,
    )


def test_markers_are_deploys_and_clears(tmp_path: Path) -> None:
    """The first version is where the data begins, $LATEST is no deploy, many environments clear as one."""
    invocations = [
        make_invocation(function_version=v, ts=NOON + HOUR * n) for n, v in enumerate(["1", "$LATEST", "2", "1"])
    ]
    calls = [make_call(function_version="2", ts=NOON + HOUR * 5), make_call(function_version="3", ts=NOON + HOUR * 6)]
    clears = [make_store_event("clear", engine=None, ts=NOON + timedelta(seconds=n)) for n in (1, 2, 90)]
    lake = fill(tmp_path, invocations=invocations, calls=calls, prompt_store_events=clears)

    with Reader(lake) as reader:
        found = [(m["kind"], m["label"], m["ts"]) for m in markers(reader, Scope())]
        late = [m["label"] for m in markers(reader, Scope(start=NOON + HOUR * 3, engines=("other",)))]

    assert found == [
        ("clear", "all engines", NOON + timedelta(seconds=1)),
        ("clear", "all engines", NOON + timedelta(seconds=90)),
        ("deploy", "bodo-ws 2", NOON + HOUR * 2),
        ("deploy", "bodo-ws 3", NOON + HOUR * 6),
    ]
    assert late == ["bodo-ws 3"]


def test_freshness_tells_the_last_pass_and_adds_up_reasons(tmp_path: Path) -> None:
    """A failed pass is the latest, but what was complete stays complete."""
    skipped = '{"recognised":{},"ignored":{},"skipped":{"broken JSON":2,"too long":1}}'
    passes = [
        make_pass(ts=NOON - timedelta(days=2), lines_skipped=3, outcomes_json=skipped),
        make_pass(ts=NOON - HOUR, lines_skipped=3, outcomes_json=skipped),
        make_pass(ts=NOON, status="failed", error_code="COL-401", complete_until=None, lines_read=0),
        make_pass(source="archive", ts=NOON - timedelta(days=3)),
    ]
    with Reader(fill(tmp_path, ingest_passes=passes)) as reader:
        archive, bodo = freshness(reader, now=NOON + HOUR)

    assert (archive["source"], archive["last_24h"]["lines_read"], archive["total"]["lines_read"]) == ("archive", 0, 10)
    assert (bodo["status"], bodo["error_code"], bodo["last_pass_at"]) == ("failed", "COL-401", NOON)
    assert bodo["complete_until"] == NOON - HOUR
    assert bodo["total"]["skipped_by_reason"] == {"broken JSON": 4, "too long": 2}
    assert bodo["last_24h"]["skipped_by_reason"] == {"broken JSON": 2, "too long": 1}
    assert bodo["last_24h"]["lines_read"] == 10


def test_options_are_what_was_seen(tmp_path: Path) -> None:
    """Over all tables, without nulls, in order."""
    lake = fill(
        tmp_path,
        calls=[make_call(engine="b"), make_call(engine=None, provider="bedrock", ts=NOON + HOUR)],
        invocations=[make_invocation(engine="a", function_version="7")],
    )
    with Reader(lake) as reader:
        found = options(reader)

    assert found["engines"] == ["a", "b"]
    assert found["providers"] == ["anthropic", "bedrock"]
    assert found["function_versions"] == ["1", "7"]
    assert (found["first_ts"], found["last_ts"]) == (NOON, NOON + HOUR)


def test_single_calls_come_in_order(tmp_path: Path) -> None:
    """The newest first, or by any column, unknown values last."""
    calls = [make_call(call_id=f"m{n}", ts=NOON + HOUR * n, ttft_ms=t) for n, t in enumerate([5.0, None, 9.0])]
    with Reader(fill(tmp_path, calls=calls)) as reader:
        newest = calls_page(reader, Scope(), limit=2)
        slowest = calls_page(reader, Scope(), order="ttft_ms desc")
        with pytest.raises(FixSettings, match=r"MET-005.*ts desc"):
            calls_page(reader, Scope(), order="ts; DROP TABLE")
        with pytest.raises(FixSettings, match="MET-005"):
            calls_page(reader, Scope(), limit=0)

    assert newest["call_id"].to_pylist() == ["m2", "m1"]
    assert slowest["call_id"].to_pylist() == ["m2", "m0", "m1"]
    assert newest.schema.field("cost_usd").type == pa.decimal128(18, 12)
