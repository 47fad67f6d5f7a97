"""/metrics: read by Prometheus's own parser, equal to the pages, bounded, and closed to strangers."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from core.store.lake import Lake
from core.store.schema import TABLES
from dashboard import prometheus
from dashboard.prometheus import MOST_ENGINES, OTHER, Exposition, Figures
from tests.support.doors import ELSEWHERE, HERE, door
from tests.support.rows import make_call, make_failed_call, make_pass, make_store_event, make_unpriced_call, table_of

NOW = datetime(2026, 11, 20, 15, 30, 30, tzinfo=UTC)
HOSTILE = '=cmd|"x"\n<script>\\ \u202e{engine="other"} 1\ncachewise_cost_usd 0\n'
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


@pytest.fixture(autouse=True)
def own_exposition(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is left of another test's text; the time stands still."""
    monkeypatch.setattr(prometheus, "exposition", Exposition(Figures(lambda: NOW)))
    monkeypatch.delenv("CACHEWISE_METRICS_TOKEN", raising=False)


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """Empty tables."""
    monkeypatch.setenv("CACHEWISE_STORE_PATH", str(tmp_path))
    return Lake(tmp_path / "tables")


def read(text: str) -> Samples:
    """Parse OpenMetrics text strictly."""
    families = text_string_to_metric_families(text)
    return {(s.name, frozenset(s.labels.items())): s.value for family in families for s in family.samples}


def asked() -> Samples:
    """Ask as Prometheus on this machine does."""
    answer = door(HERE).get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    return read(answer.text)


def of(samples: Samples, name: str, **labels: str) -> float | None:
    """One sample's value, None where there is none."""
    return samples.get((name, frozenset(labels.items())))


def test_the_figures_are_those_of_the_pages(lake: Lake) -> None:
    """Cost, savings, tokens, hits and coverage of the last hour and of today, each ratio by its parts."""
    recent, earlier = NOW - timedelta(minutes=20), NOW - timedelta(hours=5)
    calls = [
        make_call(ts=recent, input_tokens=100, cache_read_tokens=900, cost_usd=Decimal("0.25")),
        make_call(
            ts=earlier, input_tokens=100, cache_read_tokens=0, cache_write_1h_tokens=900, ttl_known_by="defaults"
        ),
        make_call(ts=NOW - timedelta(days=1), cost_usd=Decimal(5)),
        make_unpriced_call(ts=earlier),
        make_failed_call(ts=earlier),
    ]
    lake.commit("calls", table_of("calls", calls))
    events = [make_store_event(kind, ts=recent) for kind in ("hit", "hit", "miss")]
    lake.commit("prompt_store_events", table_of("prompt_store_events", events))
    until = NOW - timedelta(minutes=2)
    lake.commit("ingest_passes", table_of("ingest_passes", [make_pass(ts=NOW, source="bodo", complete_until=until)]))

    told = asked()

    assert of(told, "cachewise_calls", window="1h") == 1
    assert of(told, "cachewise_calls", window="today") == 3
    assert of(told, "cachewise_priced_calls", window="today") == 2
    assert of(told, "cachewise_failed_calls", window="today") == 1
    assert [of(told, "cachewise_calls_by_defaults", window=window) for window in ("1h", "today")] == [0, 1]
    assert of(told, "cachewise_cost_by_defaults_usd", window="today") == pytest.approx(float(calls[1]["cost_usd"]))
    assert of(told, "cachewise_tokens", window="1h", kind="cache_read") == 900
    assert of(told, "cachewise_prompt_tokens", window="1h") == 1000
    assert of(told, "cachewise_tokens", window="today", kind="cache_write_1h") == 900
    assert of(told, "cachewise_cost_usd", window="today") == pytest.approx(
        float(calls[0]["cost_usd"] + calls[1]["cost_usd"])
    )
    saved = sum(row["no_cache_cost_usd"] - row["cost_usd"] for row in calls[:2])
    assert of(told, "cachewise_net_savings_usd", window="today") == pytest.approx(float(saved))
    assert of(told, "cachewise_prompt_store_lookups", window="1h", result="hit") == 2
    assert of(told, "cachewise_prompt_store_lookups", window="1h", result="miss") == 1
    assert of(told, "cachewise_source_lag_seconds", source="bodo") == 120
    assert of(told, "cachewise_source_complete_until_timestamp_seconds", source="bodo") == until.timestamp()
    assert of(told, "cachewise_source_last_pass_ok", source="bodo") == 1
    assert of(told, "cachewise_engine_calls", engine="tutor") == 3
    assert of(told, "cachewise_alerts_open") == 0


def test_what_is_unknown_has_no_sample(lake: Lake) -> None:
    """Calls without a price have no cost, not a cost of 0."""
    lake.commit("calls", table_of("calls", [make_unpriced_call(ts=NOW - timedelta(minutes=5))]))

    told = asked()

    assert of(told, "cachewise_calls", window="1h") == 1
    assert of(told, "cachewise_cost_usd", window="1h") is None
    assert not any(name == "cachewise_engine_cost_usd" for name, _ in told)


def test_labels_are_bounded_and_hostile_names_are_text(lake: Lake) -> None:
    """A hundred engines are twenty and the others together; a name cannot add a line."""
    at = NOW - timedelta(minutes=5)
    calls = [make_call(ts=at, engine=f"e{n:03d}", cost_usd=Decimal(n)) for n in range(1, 100)]
    calls.append(make_call(ts=at, engine=HOSTILE + "x" * 5000, cost_usd=Decimal(1000)))
    calls.append(make_call(ts=at, engine=None, cost_usd=Decimal(999)))
    lake.commit("calls", table_of("calls", calls))

    told = asked()

    costs = {
        dict(labels)["engine"]: value for (name, labels), value in told.items() if name == "cachewise_engine_cost_usd"
    }
    assert len(costs) == MOST_ENGINES + 1
    assert sum(costs.values()) == pytest.approx(of(told, "cachewise_cost_usd", window="today"))
    assert costs[OTHER] == sum(range(1, 82))
    assert costs["(unknown)"] == 999
    (name,) = [label for label, value in costs.items() if value == 1000]
    assert name.startswith('=cmd|"x"')
    assert name.isprintable()
    assert len(name) < 200


def test_every_open_alert_is_counted(lake: Lake) -> None:
    """However many there are, and only in their last state."""
    rows = [
        {"alert_id": f"r/{n}", "rule": "r", "metric": "cost", "subject": str(n), "state": state, "ts": NOW,
         "attempt": 0, "date": NOW.date(), "row_id": f"{n}/{state}", "opened_at": NOW, "message": "dear"}
        for n in range(600) for state in (("open", "resolved") if n < 10 else ("open",))
    ]  # fmt: skip
    lake.commit("alerts", pa.Table.from_pylist(rows, schema=TABLES["alerts"]))

    assert of(asked(), "cachewise_alerts_open") == 590


def test_many_questions_are_one_answer(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables are asked at most every ten seconds."""
    times = iter([0.0, 9.0, 10.0, 10.0])
    asked_at: list[datetime] = []

    def now() -> datetime:
        asked_at.append(NOW)
        return NOW

    exposition = Exposition(Figures(now), clock=lambda: next(times))
    texts = [exposition.text() for _ in range(3)]

    assert len(asked_at) == 2
    assert texts[0] == texts[1]


@pytest.mark.parametrize(
    ("client", "sent", "token", "status"),
    [
        (HERE, {}, None, 200),
        (HERE, {"Host": "rebound.example"}, None, 401),
        (HERE, {"X-Forwarded-For": "10.1.1.1"}, None, 401),
        (ELSEWHERE, {}, None, 401),
        (ELSEWHERE, {"Authorization": "Bearer "}, None, 401),
        (ELSEWHERE, {"Authorization": "Bearer None"}, None, 401),
        (ELSEWHERE, {}, "let-me-in", 401),
        (ELSEWHERE, {"Authorization": "Bearer let-me"}, "let-me-in", 401),
        (ELSEWHERE, {"Authorization": "Basic let-me-in"}, "let-me-in", 401),
        (ELSEWHERE, {"Authorization": "Bearer let-me-in"}, "let-me-in", 200),
    ],
)
def test_strangers_get_no_figures(
    client: tuple[str, int],
    sent: dict[str, str],
    token: str | None,
    status: int,
    lake: Lake,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """This machine, or the token; a proxy on this machine is not this machine."""
    if token:
        monkeypatch.setenv("CACHEWISE_METRICS_TOKEN", token)

    answer = door(client).get("/metrics", headers=sent)

    assert answer.status_code == status
    assert ("cachewise_" in answer.text) == (status == 200)
    assert (answer.headers.get("www-authenticate") == "Bearer") == (status == 401)


def test_broken_tables_are_an_outage_to_prometheus(broken: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """503 with the code; not zeros."""
    monkeypatch.setenv("CACHEWISE_STORE_PATH", str(broken))

    answer = door(HERE).get("/metrics")

    assert (answer.status_code, answer.text[:4]) == (503, "STO-")
