from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from core.alert_settings import AlertRule, AlertSettings, AlertTarget, Budget, Quiet
from core.alerts import Outcome, alerts, evaluate, run_round, send_test
from core.alerts.rounds import is_quiet
from core.errors import FixSettings
from core.store.lake import Lake
from core.store.query import Reader
from tests.support.lakes import fill
from tests.support.receiver import Receiver, receiving
from tests.support.rows import NOON, Row, make_call, make_failed_call, make_pass, make_store_event, table_of
from tests.support.steady import CHANGE, broken, since, traffic

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
HITS = AlertRule("hits", "hit_rate", below=Decimal("0.8"), least_calls=5, targets=("ops",))


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver on this machine."""
    with receiving() as running:
        yield running


def configured(receiver: Receiver, *rules: AlertRule, budget: Budget | None = None) -> AlertSettings:
    """Rules that tell the receiver."""
    return AlertSettings(rules, (AlertTarget("ops", "webhook", receiver.url),), budget)


def at(lake: Lake, settings: AlertSettings, now: datetime) -> Outcome:
    """Run one round."""
    with Reader(lake, threads=1) as reader:
        return run_round(lake, reader, settings, now=now, sleep=lambda _: None)


def calls(start: datetime, count: int, *, read: int, **fixed: object) -> list[Row]:
    """Calls a minute apart; of each prompt of 1,000 tokens, `read` are read."""
    return [
        make_call(ts=start + n * MINUTE, input_tokens=1_000 - read, cache_read_tokens=read, **fixed)
        for n in range(count)
    ]


def add(lake: Lake, rows: list[Row]) -> None:
    """Let more calls come in."""
    lake.commit("calls", table_of("calls", rows))


def test_an_alert_opens_once_and_resolves_once(tmp_path: Path, receiver: Receiver) -> None:
    """Three rounds of the same breach tell once; when it is over, that is told once too."""
    lake = fill(tmp_path, calls=calls(NOON, 20, read=100))
    settings = configured(receiver, HITS)
    for minute in (20, 21, 22):
        at(lake, settings, NOON + minute * MINUTE)
    add(lake, calls(NOON + 2 * HOUR, 20, read=950))
    for minute in (140, 141):
        outcome = at(lake, settings, NOON + minute * MINUTE)
    assert [text.split("\n")[0] for text in receiver.texts] == ["OPEN: hits", "RESOLVED: hits"]
    assert "tutor: hit rate 10.0% is below the limit 80.0% over the last 1 hour (20 calls)" in receiver.texts[0]
    assert outcome.open == ()
    with Reader(lake, threads=1) as reader:
        (kept,) = alerts(reader)
    assert (kept.state, kept.delivered, kept.undelivered) == ("resolved", ("ops",), ())
    assert (kept.opened_at, kept.resolved_at) == (NOON + 20 * MINUTE, NOON + 140 * MINUTE)


def test_too_few_calls_change_nothing(tmp_path: Path, receiver: Receiver) -> None:
    """An open alert stays open through an hour of which little is known."""
    lake = fill(tmp_path, calls=[*calls(NOON, 20, read=100), *calls(NOON + 3 * HOUR, 2, read=950)])
    settings = configured(receiver, HITS)
    at(lake, settings, NOON + 20 * MINUTE)
    outcome = at(lake, settings, NOON + 3 * HOUR + 10 * MINUTE)
    assert len(outcome.open) == 1
    assert len(receiver.got) == 1


def test_each_engine_is_judged_for_itself_or_all_together(tmp_path: Path, receiver: Receiver) -> None:
    """One bad engine among two: its own alert, and none of both together."""
    rows = [*calls(NOON, 20, read=100, engine="bad"), *calls(NOON, 180, read=990, engine="good")]
    lake = fill(tmp_path, calls=rows)
    both = replace(HITS, name="both", together=True, window_s=4 * 3600.0)
    each = replace(HITS, window_s=4 * 3600.0)
    outcome = at(lake, configured(receiver, each, both), NOON + 181 * MINUTE)
    assert [(alert.rule, alert.subject) for alert in outcome.open] == [("hits", "bad")]


def test_a_baseline_is_the_same_hour_of_like_days(tmp_path: Path, receiver: Receiver) -> None:
    """A cost per request half as high again as at the same hour of the last working days."""
    past = [row for day in range(1, 8) for row in calls(NOON - timedelta(days=day), 10, read=900)]
    lake = fill(tmp_path, calls=[*past, *calls(NOON, 10, read=0)])
    rule = AlertRule("cost", "cost_per_request", baseline=Decimal("0.5"), least_calls=5, targets=("ops",))
    outcome = at(lake, configured(receiver, rule), NOON + 20 * MINUTE)
    (alert,) = outcome.open
    assert alert.threshold == pytest.approx(1.5 * float(past[0]["cost_usd"]))


def test_without_like_days_a_baseline_says_nothing(tmp_path: Path, receiver: Receiver) -> None:
    """Two days are no baseline."""
    past = [row for day in range(1, 3) for row in calls(NOON - timedelta(days=day), 10, read=900)]
    lake = fill(tmp_path, calls=[*past, *calls(NOON, 10, read=0)])
    rule = AlertRule("cost", "cost_per_request", baseline=Decimal("0.5"), least_calls=5, targets=("ops",))
    outcome = at(lake, configured(receiver, rule), NOON + 20 * MINUTE)
    assert [breach.status for breach in outcome.breaches] == ["unknown"]


def test_quiet_hours_hold_messages_back(tmp_path: Path, receiver: Receiver) -> None:
    """What opens at night is told in the morning, if it is still so."""
    quiet = Quiet(time(11), time(13), "UTC")
    lake = fill(tmp_path, calls=calls(NOON, 120, read=100))
    settings = configured(receiver, replace(HITS, quiet=quiet))
    at(lake, settings, NOON + 20 * MINUTE)
    assert receiver.got == []
    at(lake, settings, NOON + 61 * MINUTE)
    assert [text.split("\n")[0] for text in receiver.texts] == ["OPEN: hits"]


def test_what_opened_and_ended_in_quiet_hours_is_told_to_nobody(tmp_path: Path, receiver: Receiver) -> None:
    """No all-clear for what nobody heard of."""
    quiet = Quiet(time(11), time(16), "UTC")
    lake = fill(tmp_path, calls=[*calls(NOON, 20, read=100), *calls(NOON + 2 * HOUR, 20, read=950)])
    settings = configured(receiver, replace(HITS, quiet=quiet))
    for minute in (20, 140, 300):
        outcome = at(lake, settings, NOON + minute * MINUTE)
    assert receiver.got == []
    assert outcome.open == ()


def test_quiet_hours_know_their_zone_and_midnight() -> None:
    """22:00 to 08:00 in Seoul is 13:00 to 23:00 UTC."""
    night = Quiet(time(22), time(8), "Asia/Seoul")
    moments = [datetime(2026, 11, 20, hour, 0, tzinfo=UTC) for hour in (12, 13, 22, 23)]
    assert [is_quiet(night, moment) for moment in moments] == [False, True, True, False]


def test_what_did_not_arrive_is_tried_again_ever_more_seldom(tmp_path: Path, receiver: Receiver) -> None:
    """Three failed attempts of one round, a round too early, then the one that arrives; it is one alert still."""
    receiver.answers = [500, 500, 500]
    lake = fill(tmp_path, calls=calls(NOON, 60, read=100))
    settings = configured(receiver, HITS)
    first = at(lake, settings, NOON + 20 * MINUTE)
    assert [problem.code for problem in first.problems] == ["ALR-503"]
    at(lake, settings, NOON + 20 * MINUTE + timedelta(seconds=30))
    assert receiver.got == []
    last = at(lake, settings, NOON + 22 * MINUTE)
    assert len(receiver.got) == 1
    assert [alert.delivered for alert in last.open] == [("ops",)]


def test_an_open_alert_is_tried_until_it_arrives(tmp_path: Path, receiver: Receiver) -> None:
    """A target that is down for two days is told on the third; an all-clear is given up after twelve attempts."""
    lake = fill(tmp_path, calls=calls(NOON, 20, read=100))
    settings = configured(receiver, HITS)
    nowhere = replace(settings, targets=(AlertTarget("ops", "webhook", "http://127.0.0.1:9/x"),))
    for tries in range(14):  # two more than an all-clear gets
        (alert,) = at(lake, nowhere, NOON + 20 * MINUTE + tries * 4 * HOUR).open
    assert (alert.delivered, alert.attempt) == ((), 14)
    at(lake, settings, NOON + 60 * HOUR)
    assert [text.split("\n")[0] for text in receiver.texts] == ["OPEN: hits"]
    add(lake, calls(NOON + 61 * HOUR, 20, read=950))
    for hours in range(62, 76):
        at(lake, nowhere, NOON + hours * HOUR)
    with Reader(lake, threads=1) as reader:
        (kept,) = alerts(reader)
    assert (kept.state, kept.undelivered, kept.attempt) == ("resolved", ("ops",), 12)


def test_more_alerts_than_a_page_shows_are_each_told_once(tmp_path: Path, receiver: Receiver) -> None:
    """Each of 510 engines is known to be open already: none is opened again."""
    rows = [make_call(ts=NOON, engine=f"e{n}", input_tokens=1_000) for n in range(510)]
    lake = fill(tmp_path, calls=rows)
    settings = AlertSettings((replace(HITS, least_calls=1, targets=("log",)),))
    assert len(at(lake, settings, NOON + MINUTE).changed) == 510
    assert at(lake, settings, NOON + 2 * MINUTE).changed == ()


def test_calls_that_name_no_engine_are_watched_too(tmp_path: Path, receiver: Receiver) -> None:
    """As one, by a fixed limit and by their own baseline; a rule that names engines leaves them out."""
    past = [row for day in range(1, 8) for row in calls(NOON - timedelta(days=day), 10, read=900, engine=None)]
    lake = fill(tmp_path, calls=[*past, *calls(NOON, 20, read=100, engine=None)])
    usual = replace(HITS, name="usual", below=None, baseline=Decimal("0.5"))
    named = replace(HITS, name="named", engines=("sales",))
    outcome = at(lake, configured(receiver, HITS, usual, named), NOON + 20 * MINUTE)
    assert {(alert.rule, alert.subject) for alert in outcome.open} == {
        ("hits", "calls without an engine"), ("usual", "calls without an engine"),
    }  # fmt: skip


def test_a_dead_target_does_not_keep_the_others_waiting(tmp_path: Path, receiver: Receiver) -> None:
    """Each target is told for itself."""
    lake = fill(tmp_path, calls=calls(NOON, 20, read=100))
    dead = AlertTarget("dead", "webhook", "http://127.0.0.1:9/secret-token")
    settings = AlertSettings(
        (replace(HITS, targets=("dead", "ops")),), (dead, AlertTarget("ops", "webhook", receiver.url))
    )
    (alert,) = at(lake, settings, NOON + 20 * MINUTE).open
    assert (alert.delivered, alert.undelivered) == (("ops",), ("dead",))


def test_a_rule_that_is_removed_closes_its_alerts(tmp_path: Path, receiver: Receiver) -> None:
    """Quietly: the person who removed it knows."""
    lake = fill(tmp_path, calls=calls(NOON, 20, read=100))
    at(lake, configured(receiver, HITS), NOON + 20 * MINUTE)
    outcome = at(lake, configured(receiver), NOON + 21 * MINUTE)
    assert outcome.open == ()
    assert len(receiver.got) == 1


def test_a_source_that_falls_behind_is_told(tmp_path: Path, receiver: Receiver) -> None:
    """Complete until noon, asked at half past."""
    lake = fill(tmp_path, ingest_passes=[make_pass(ts=NOON, finished_at=NOON, complete_until=NOON)])
    rule = AlertRule("behind", "source_behind", window_s=1200.0, targets=("ops",))
    settings = configured(receiver, rule)
    assert at(lake, settings, NOON + 10 * MINUTE).open == ()
    (alert,) = at(lake, settings, NOON + 30 * MINUTE).open
    assert alert.message == "source bodo is 30 minutes behind"


def test_a_source_that_is_configured_no_more_is_not_waited_for(tmp_path: Path, receiver: Receiver) -> None:
    """Its alert is over; one of a path that was read once never opens."""
    lake = fill(tmp_path, ingest_passes=[make_pass(ts=NOON, finished_at=NOON, complete_until=NOON, source="old")])
    settings = configured(receiver, AlertRule("behind", "source_behind", window_s=1200.0, targets=("ops",)))
    with Reader(lake, threads=1) as reader:
        waiting = run_round(lake, reader, settings, now=NOON + HOUR, sources=("old",), sleep=lambda _: None)
    with Reader(lake, threads=1) as reader:
        gone = run_round(lake, reader, settings, now=NOON + 2 * HOUR, sources=("new",), sleep=lambda _: None)
    assert [alert.subject for alert in waiting.open] == ["old"]
    assert [alert.message for alert in gone.open] == ["source new has never been read"]
    assert "source old is not configured any more" in "\n".join(receiver.texts)


def test_a_source_that_was_never_read_is_behind(tmp_path: Path) -> None:
    """Configured, and no pass of it."""
    rule = AlertRule("behind", "source_behind", window_s=1200.0)
    with Reader(fill(tmp_path), threads=1) as reader:
        (breach,) = evaluate(reader, AlertSettings((rule,)), now=NOON, sources=("bodo",))
    assert (breach.status, breach.message) == ("breach", "source bodo has never been read")


def test_a_budget_that_is_spent_is_told_with_what_rests_on_settings(tmp_path: Path, receiver: Receiver) -> None:
    """More than the month may cost; of it, what settings priced because the lines tell no model. Before: nothing."""
    calls = [make_call(ts=NOON + n * HOUR, cost_usd=Decimal(3)) for n in range(3)]
    calls[1]["model_known_by"] = "defaults"
    lake = fill(tmp_path, calls=calls)
    rule = AlertRule("month", "budget", above=Decimal("0.8"), targets=("ops",))
    settings = configured(receiver, rule, budget=Budget(Decimal(10)))

    assert at(lake, settings, NOON + HOUR).open == ()
    (alert,) = at(lake, settings, NOON + 3 * HOUR).open

    assert alert.value == 0.9
    assert alert.message == (
        "budget: $9.00 of $10.00 spent in 2026-11 ($3.00 of it by the defaults of sources whose lines tell no model or"
        " TTL)"
    )
    assert alert.message in receiver.texts[0]


def test_errors_and_the_prompt_store_are_measured(tmp_path: Path, receiver: Receiver) -> None:
    """Five failed calls in twenty; one lookup in ten that hit."""
    failed = [make_failed_call(ts=NOON + n * MINUTE) for n in range(5)]
    events = [make_store_event("hit" if n == 0 else "miss", ts=NOON + n * MINUTE) for n in range(10)]
    lake = fill(tmp_path, calls=[*calls(NOON, 15, read=900), *failed], prompt_store_events=events)
    rules = (
        AlertRule("errors", "error_rate", above=Decimal("0.2"), least_calls=5, targets=("ops",)),
        AlertRule("store", "prompt_store_hit_rate", below=Decimal("0.5"), least_calls=5, targets=("ops",)),
    )
    outcome = at(lake, configured(receiver, *rules), NOON + 20 * MINUTE)
    assert {alert.rule: alert.value for alert in outcome.open} == {"errors": 0.25, "store": 0.1}


def test_a_regression_is_told_once_and_its_end_too(tmp_path: Path, receiver: Receiver) -> None:
    """Its start may be dated anew from round to round; the alert stays one."""

    def mutate(ts: datetime, call: dict[str, object], rng: object) -> None:
        if CHANGE <= ts < CHANGE + 4 * HOUR:
            broken(call, rng)  # type: ignore[arg-type]

    lake = fill(tmp_path, calls=traffic(mutate))
    settings = configured(receiver, AlertRule("worse", "regression", targets=("ops",)))
    for hours in (1, 2, 3, 12):
        at(lake, settings, CHANGE + hours * HOUR)
    assert [text.split("\n")[0] for text in receiver.texts] == ["OPEN: worse", "RESOLVED: worse"]
    assert "sales (claude-opus-4-5): read share" in receiver.texts[0]


def test_a_small_regression_is_left_out_by_its_dollars_a_day(tmp_path: Path, receiver: Receiver) -> None:
    """`above` is dollars lost a day."""
    lake = fill(tmp_path, calls=traffic(since(CHANGE, broken)))
    rule = AlertRule("worse", "regression", above=Decimal("1000"), targets=("ops",))
    assert at(lake, configured(receiver, rule), CHANGE + 3 * HOUR).open == ()
    (alert,) = at(lake, configured(receiver, replace(rule, above=Decimal("0.01"))), CHANGE + 4 * HOUR).open
    assert alert.threshold == 0.01
    assert alert.value is not None
    assert 0.01 < alert.value < 1000


def test_a_test_message_goes_to_the_rules_targets(receiver: Receiver) -> None:
    """Nothing is evaluated or written."""
    settings = configured(receiver, HITS)
    assert send_test(settings, "hits", now=NOON) == ["ops"]
    assert receiver.texts[0].startswith("TEST: hits")
    with pytest.raises(FixSettings, match="ALR-002"):
        send_test(settings, "nobody", now=NOON)
