"""A checkup of healthy, throttled, expired and biased accounts, of files, and of nothing at all."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from collector.checkup import Check, ended_badly, examine, latest, remember
from collector.checkup.function import judge
from core.settings import LineDefaults, Settings, SourceSettings
from simulator.cloudwatch.answers import DEFAULT_ACCOUNT, Cloud
from simulator.cloudwatch.faults import FaultPlan, Outage
from simulator.cloudwatch.server import running_cloud
from simulator.messages.clock import SimulatedClock
from tests.support import lakes, moto_logs
from tests.support.rows import make_call, make_pass, make_unpriced_call

GROUP = "/aws/lambda/bodo-ws"
SECRET = "hush-hush-value"
GOOD = {"LogFormat": "JSON", "ApplicationLogLevel": "INFO", "SystemLogLevel": "INFO", "LogGroup": GROUP}
DEFAULTS = LineDefaults(model="claude-opus-4-5", cache_ttl="1h", caching_enabled=True)


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in moto_logs.CREDENTIALS.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def cloud() -> Cloud:
    """An account with bodo's log group and its function, whose variables hold a secret."""
    cloud = Cloud(SimulatedClock())
    cloud.groups.make(GROUP, account=DEFAULT_ACCOUNT, region=moto_logs.REGION, now_ms=cloud.now_ms)
    cloud.functions["bodo-ws"] = {"LoggingConfig": GOOD, "Environment": {"Variables": {"API_KEY": SECRET}}}
    return cloud


@pytest.fixture
def endpoint(cloud: Cloud) -> Iterator[str]:
    with running_cloud(cloud) as url:
        yield url


def source(endpoint: str, **more: Any) -> SourceSettings:
    given = {"log_group": GROUP, "region": moto_logs.REGION, "endpoint_url": endpoint, "defaults": DEFAULTS, **more}
    return SourceSettings("bodo", "cloudwatch", **given)


def looked(tmp_path: Path, *sources: SourceSettings, now: datetime | None = None, **more: Any) -> list[Check]:
    return list(examine(Settings(store_path=str(tmp_path), sources=sources, **more), now=now))


def found(checks: list[Check], kind: str) -> list[tuple[str, str]]:
    return [(check.status, check.message) for check in checks if check.kind == kind]


def status(checks: list[Check], kind: str) -> list[str]:
    return [check.status for check in checks if check.kind == kind]


def test_a_healthy_account(tmp_path: Path, endpoint: str) -> None:
    """Source, clock, log group, log levels and defaults are in order; no value of a variable is told."""
    checks = looked(tmp_path, source(endpoint))

    for kind in ("source", "clock", "log_group", "log_levels", "defaults"):
        assert status(checks, kind) == ["ok"], found(checks, kind)
    assert not ended_badly(checks)
    assert SECRET not in json.dumps([check.facts() for check in checks])


def test_a_replaced_endpoint_is_told_without_its_password(tmp_path: Path) -> None:
    """Host and port are shown, user and password are not."""
    checks = looked(tmp_path, aws_endpoint_url=f"http://me:{SECRET}@localhost:4566")

    assert found(checks, "endpoints") == [("warn", "Requests go to localhost:4566, not to the provider itself.")]


def test_a_throttled_account_is_a_warning(tmp_path: Path, cloud: Cloud, endpoint: str) -> None:
    """Throttling passes by itself: it is told, with what to do, and fails nothing."""
    cloud.faults = FaultPlan(rates={"throttle": 1.0})

    (check,) = [check for check in looked(tmp_path, source(endpoint)) if check.kind == "source"]

    assert (check.status, check.code) == ("warn", "COL-429")
    assert "fewer collectors" in check.mend


def test_expired_credentials_fail(tmp_path: Path, cloud: Cloud, endpoint: str) -> None:
    """The mend says how to log in again."""
    cloud.faults = FaultPlan(outages=(Outage("expired_credentials", 0, 2**62),))

    checks = looked(tmp_path, source(endpoint))

    (check,) = [check for check in checks if check.kind == "source"]
    assert (check.status, check.code) == ("fail", "COL-402")
    assert ended_badly(checks)


def test_a_missing_log_group_fails(tmp_path: Path, endpoint: str) -> None:
    """It is named."""
    (check,) = [one for one in looked(tmp_path, source(endpoint, log_group="/aws/lambda/else")) if one.kind == "source"]

    assert (check.status, check.code) == ("fail", "COL-404")
    assert "/aws/lambda/else" in check.message


def test_a_log_group_named_by_its_arn_is_looked_for_where_it_says(
    tmp_path: Path, cloud: Cloud, endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The collector needs no region setting for it, so the checkup needs none; its function is that account's."""
    for name in ("AWS_DEFAULT_REGION", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    arn = f"arn:aws:logs:{moto_logs.REGION}:{DEFAULT_ACCOUNT}:log-group:{GROUP}:*"

    checks = looked(tmp_path, source(endpoint, log_group=arn, region=None))

    for kind in ("source", "log_group", "log_levels"):
        assert status(checks, kind) == ["ok"], found(checks, kind)
    asked = [told["FunctionName"] for _, operation, told in cloud.requests if operation == "GetFunctionConfiguration"]
    assert asked == [f"arn:aws:lambda:{moto_logs.REGION}:{DEFAULT_ACCOUNT}:function:bodo-ws"]


def test_log_levels_that_bias_the_figures_fail(tmp_path: Path, cloud: Cloud, endpoint: str) -> None:
    """WARN drops cost lines and the reports of successes; both are told apart."""
    config = {**GOOD, "ApplicationLogLevel": "WARN", "SystemLogLevel": "WARN"}
    cloud.functions["bodo-ws"]["LoggingConfig"] = config

    told = found(looked(tmp_path, source(endpoint)), "log_levels")

    assert [verdict for verdict, _ in told] == ["fail", "fail"]
    assert "cost and cache lines" in told[0][1]
    assert "response times are those of failures" in told[1][1]


@pytest.mark.parametrize(
    ("config", "verdicts"),
    [
        ({}, ["ok"]),
        ({"LogFormat": "Text", "ApplicationLogLevel": "ERROR"}, ["ok"]),
        ({"LogFormat": "JSON"}, ["ok"]),
        ({"LogFormat": "JSON", "ApplicationLogLevel": "DEBUG"}, ["ok"]),
        ({"LogFormat": "JSON", "ApplicationLogLevel": "FATAL"}, ["fail"]),
        ({"LogFormat": "JSON", "SystemLogLevel": "WARN"}, ["fail"]),
        ({"LogFormat": "Text", "LogGroup": "/other"}, ["fail", "ok"]),
    ],
)
def test_the_verdict_over_log_settings(config: dict[str, str], verdicts: list[str]) -> None:
    """Levels hold for the JSON format only; a missing one is INFO; another log group is not the one we read."""
    assert [check.status for check in judge(source("http://x"), "bodo-ws", config)] == verdicts


def test_a_right_that_reading_does_not_need_is_skipped(tmp_path: Path, cloud: Cloud, endpoint: str) -> None:
    """Without the function's configuration nothing is claimed about it."""
    cloud.functions.clear()

    assert status(looked(tmp_path, source(endpoint)), "log_levels") == ["skipped"]


def test_a_clock_that_is_off_is_told(tmp_path: Path, cloud: Cloud, endpoint: str) -> None:
    """AWS's clock is in every answer; five minutes off would be refused."""
    cloud.clock.advance(600)

    ((verdict, message),) = found(looked(tmp_path, source(endpoint)), "clock")

    assert verdict == "fail"
    assert "behind the service" in message


def test_no_network_and_no_credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both fail in one line with a mend; nothing hangs and nothing is raised."""
    unreachable = looked(tmp_path, source("http://127.0.0.1:1"))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    unknown = looked(tmp_path, source("http://127.0.0.1:1"))

    codes = [next(one.code for one in checks if one.kind == "source") for checks in (unreachable, unknown)]
    assert codes == ["COL-503", "COL-401"]


def test_nothing_configured_and_nothing_collected(tmp_path: Path) -> None:
    """A fresh checkout gets warnings and no failure."""
    checks = looked(tmp_path / "new")

    assert status(checks, "settings") == ["warn"]
    assert "skipped" in status(checks, "tables")
    assert not ended_badly(checks)
    assert not (tmp_path / "new").exists()


def test_files_are_looked_for(tmp_path: Path) -> None:
    """Files that are there are counted; a path that is not fails."""
    (tmp_path / "a.log").write_text("x\n")
    good = SourceSettings("a", "files", paths=(str(tmp_path / "a.log"),), defaults=DEFAULTS)
    bad = SourceSettings("b", "files", paths=(str(tmp_path / "b.log"),))

    checks = looked(tmp_path, good, bad)

    assert found(checks, "source")[0] == ("ok", "1 file(s) can be read.")
    assert [check.code for check in checks if check.kind == "source" and check.subject == "b"] == ["COL-301"]
    assert [check.status for check in checks if check.kind == "defaults"] == ["ok", "skipped"]


def test_what_text_lines_leave_open_is_said_of_sources_that_hold_some(tmp_path: Path) -> None:
    """A source of records alone needs no default; of one that was never read nobody knows."""
    (tmp_path / "a.log").write_text("x\n")
    sources = [SourceSettings(name, "files", paths=(str(tmp_path / "a.log"),)) for name in ("texts", "records", "new")]
    calls = [make_call(source="texts", told_by="text"), make_call(source="texts", told_by="record"),
             make_call(source="records", told_by="record")]  # fmt: skip
    lakes.fill(Path(Settings(store_path=str(tmp_path)).lake_path), calls=calls)

    checks = [check for check in looked(tmp_path, *sources) if check.kind == "defaults"]

    assert [(check.subject, check.status) for check in checks] == [
        ("texts", "warn"), ("records", "ok"), ("new", "skipped"),
    ]  # fmt: skip
    assert "name no model" in checks[0].message and not any("name no" in check.message for check in checks[1:])


def test_tables_freshness_lines_and_coverage(tmp_path: Path) -> None:
    """What the tables tell: behind, not understood, dropped, without a price, never read."""
    now = datetime.now(UTC)
    outcomes = {"recognised": {}, "ignored": {}, "skipped": {"bad_count": 2}, "dropped_records": 5, "clock_ahead": 3}
    late = make_pass(ts=now, complete_until=now - timedelta(hours=2), lines_read=2, lines_skipped=2,
                     lines_recognised=0, outcomes_json=json.dumps(outcomes))  # fmt: skip
    failed = make_pass(ts=now, source="other", status="failed", error_code="COL-403", error_message="denied")
    lakes.fill(
        tmp_path / "tables",
        calls=[make_call(ts=now), make_unpriced_call(ts=now, ttl_known_by="defaults")],
        ingest_passes=[late, failed],
    )

    checks = looked(tmp_path, SourceSettings("silent", "files", paths=(str(tmp_path),)))

    assert sorted(status(checks, "freshness")) == ["fail", "warn", "warn"]
    assert sorted(message.split(" (")[0] for _, message in found(checks, "lines")) == [
        "2 lines of the last 24 hours were not understood: bad_count 2.",
        "3 calls of the last 24 hours were dated over 5 minutes ahead of the line that tells them, and have its time "
        "instead.",
        "Lambda dropped 5 log records in the last 24 hours",
    ]
    (verdict, message), by_defaults = found(checks, "coverage")
    assert verdict == "warn"
    assert "claude-unheard-of (1: unknown model)" in message
    assert by_defaults == (
        "ok",
        "1 of 2 calls of the last 30 days rest on the source's defaults, because their log lines do not say: "
        "0 for the model, 1 for the TTL.",
    )


@pytest.mark.parametrize(("reason", "hint"), [("unknown_form", True), ("bad_count", False)])
def test_a_call_in_an_unknown_form_is_told_with_what_to_change(tmp_path: Path, reason: str, hint: bool) -> None:
    """Records that were logged over several lines need a change in the service's logging: the mend says which."""
    now = datetime.now(UTC)
    outcomes = {"recognised": {}, "ignored": {}, "skipped": {reason: 2}}
    told = make_pass(ts=now, complete_until=now, lines_read=2, lines_skipped=2, lines_recognised=0,
                     outcomes_json=json.dumps(outcomes))  # fmt: skip
    lakes.fill(tmp_path / "tables", ingest_passes=[told])

    (check,) = (check for check in looked(tmp_path) if check.kind == "lines")

    assert ("log each record on one line" in str(check.mend)) is hint
    assert "docs/collector.md" in str(check.mend)


def test_a_damaged_table_fails(tmp_path: Path) -> None:
    """It ends in one failed check with the store's own code."""
    log = tmp_path / "tables" / "calls" / "_delta_log"
    log.mkdir(parents=True)
    (log / "00000000000000000000.json").write_text("not a log\n")

    checks = looked(tmp_path)

    assert [check.code for check in checks if check.kind == "tables" and check.status == "fail"] == ["STO-005"]


def test_price_files_and_the_age_of_the_book(tmp_path: Path) -> None:
    """A price file that cannot be used fails; prices nobody has looked at for long are a warning."""
    file = tmp_path / "p.toml"
    file.write_text("[[rows]]\nmodel = 'nobody'\n")

    checks = looked(tmp_path, price_files=(str(file),), now=datetime(2028, 1, 1, tzinfo=UTC))

    assert [(check.status, check.code) for check in checks if check.kind == "prices"] == [
        ("warn", None),
        ("fail", "PRC-004"),
    ]


def test_the_last_checkup_is_remembered(tmp_path: Path) -> None:
    """It lies beside the tables; without a folder nothing is made, and damage reads as none."""
    settings = Settings(store_path=str(tmp_path))
    check = Check("clock", "bodo", "ok", "fine")
    assert remember(settings, [check]) is False
    (tmp_path / "tables").mkdir()

    assert remember(settings, [check]) is True
    told = latest(settings)

    assert told and told[1] == [check.facts()]
    (tmp_path / "tables" / ".checkup.json").write_text("{")
    assert latest(settings) is None


def test_late_events_are_held_against_the_overlap(tmp_path: Path, endpoint: str) -> None:
    """Lateness beyond the overlap names the overlap that would have been enough; lines not understood name a place."""
    now = datetime.now(UTC)
    example = {"bad_count": {"length": 34, "at": "logs/a.log byte 120"}}
    outcomes = json.dumps({"skipped": {"bad_count": 2}, "examples": example})
    seen = make_pass(ts=now, complete_until=now, late_events=3, max_lateness_ms=754_321.0, lines_skipped=2,
                     outcomes_json=outcomes)  # fmt: skip
    lakes.fill(tmp_path / "tables", calls=[make_call(ts=now)], ingest_passes=[seen])

    checks = looked(tmp_path, source(endpoint))
    (late,) = [check for check in checks if check.kind == "late"]
    ((_, lines),) = found(checks, "lines")

    assert late.status == "warn"
    assert "3 events became visible late, by up to 755 s; overlap_s is 600." in late.message
    assert "overlap_s of the source to 780" in late.mend
    assert "bad_count 2 (one of 34 characters at logs/a.log byte 120)" in lines
    assert "ago; passes: 1" in found(checks, "freshness")[0][1]
    patient = looked(tmp_path, source(endpoint, overlap_s=900))
    assert status(patient, "late") == ["ok"]


def test_two_logs_of_one_call_that_disagree_are_named(tmp_path: Path) -> None:
    """The note of the latest call is told with what figures follow; calls that are told alike are in order."""
    now = datetime.now(UTC)
    note = "differs: output_tokens 200 in record, 180 in bedrock_log"
    alike = make_call(ts=now, checked_by="bedrock_log", check_note="confirmed")
    lakes.fill(tmp_path / "a" / "tables", calls=[alike])
    lakes.fill(
        tmp_path / "b" / "tables",
        calls=[alike, make_call(ts=now, call_id="msg_9", checked_by="bedrock_log", check_note=note),
               make_call(ts=now, told_by="text", price_check="other:claude-opus-4-8/5m", model_known_by="defaults")],
    )  # fmt: skip

    agreeing, differing = (found(looked(tmp_path / name), "told") for name in ("a", "b"))

    assert agreeing == [("ok", "All 1 calls told in two places are told alike.")]
    assert [verdict for verdict, _ in differing] == ["warn", "warn"]
    assert "1 of 2 calls" in differing[0][1] and "msg_9: output_tokens 200 in record, 180" in differing[0][1]
    assert "1 of 1 lines (text)" in differing[1][1]


def test_a_log_that_stops_is_not_called_behind(tmp_path: Path) -> None:
    """Files and objects were read to their end; a log group that is not complete up to now is behind."""
    now = datetime.now(UTC)
    passes = [make_pass(ts=now, source=kind, kind=kind, complete_until=now - timedelta(hours=5))
              for kind in ("files", "cloudwatch")]  # fmt: skip
    lakes.fill(tmp_path / "tables", calls=[make_call(ts=now)], ingest_passes=passes)

    told = [message.partition(":")[0] for _, message in found(looked(tmp_path), "freshness")]

    assert told == ["It is behind", "Its newest line is old"]
