"""The summary of a period: figures against the period before, ratios with their parts, and unknown as unknown."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from core.errors import FixSettings
from core.report_settings import Destination, ReportRule, destination, read_reports
from core.reports.deltas import Delta
from core.reports.digest import digest, line_of
from core.reports.periods import last_complete
from core.reports.request import Language
from core.reports.words import word
from core.store.query import Reader
from tests.support.lakes import fill
from tests.support.rows import make_call, make_pass, make_unpriced_call

MONDAY = datetime(2026, 11, 23, tzinfo=UTC)
PERIOD = last_complete("weekly", "UTC", MONDAY)
RULE = ReportRule("team", "weekly", Destination("folder", "out"))


def test_two_weeks_side_by_side(tmp_path: Path) -> None:
    """Dollars, counts and ratios of this week and the last, each ratio with numerator and denominator."""
    lake = fill(
        tmp_path,
        calls=[
            make_call(ts=PERIOD.start, cache_read_tokens=900),
            make_call(ts=PERIOD.end - timedelta(seconds=1), cache_read_tokens=900),
            make_call(ts=PERIOD.end),  # of the next week
            make_call(ts=PERIOD.before().start),
            make_unpriced_call(ts=PERIOD.before().start),
        ],
        ingest_passes=[make_pass(ts=MONDAY, complete_until=MONDAY)],
    )
    with Reader(lake) as reader:
        found = digest(reader, RULE, PERIOD, demo=False)
    by_name = {delta.name: delta for delta in found.deltas}

    assert (by_name["calls"].now, by_name["calls"].before, by_name["calls"].change) == (2, 2, 0)
    rate = by_name["token_hit_rate"]
    assert (rate.now, rate.now_parts, rate.before, rate.before_parts) == (0.9, (1800, 2000), 0, (0, 200))
    assert by_name["price_coverage"].before_parts == (1, 2)
    assert by_name["cost_usd"].difference == by_name["cost_usd"].now - by_name["cost_usd"].before
    assert found.complete
    told = found.to_json()
    assert told["deltas"][0]["metric"] == "cost_usd"
    assert Decimal(told["deltas"][0]["now"]) == by_name["cost_usd"].now
    assert (told["from"], told["to"]) == ("2026-11-16T00:00:00+00:00", "2026-11-23T00:00:00+00:00")


def test_nothing_to_compare_with_is_unknown(tmp_path: Path) -> None:
    """A first week has no change, not one from zero; what was not read yet is said."""
    lake = fill(tmp_path, calls=[make_call(ts=PERIOD.start)], ingest_passes=[make_pass(ts=PERIOD.start)])
    with Reader(lake) as reader:
        found = digest(reader, RULE, PERIOD, demo=True)
    by_name = {delta.name: delta for delta in found.deltas}

    assert (by_name["cost_usd"].before, by_name["cost_usd"].change) == (None, None)
    assert not found.complete
    assert found.title.startswith("DEMO DATA")
    assert found.lines()[-1].startswith("Data is complete only up to 2026-11-16T00:00")
    assert "– against –" in line_of(by_name["cost_usd"], "en")


@pytest.mark.parametrize(("hours", "compared"), [(16, True), (96, False)])
def test_a_half_empty_week_is_not_compared(tmp_path: Path, hours: int, compared: bool) -> None:
    """Where the first call came days after the period before began, every change would be of the beginning."""
    calls = [make_call(ts=PERIOD.start), make_call(ts=PERIOD.before().start + timedelta(hours=hours))]
    with Reader(fill(tmp_path, calls=calls, ingest_passes=[make_pass(ts=MONDAY, complete_until=MONDAY)])) as reader:
        found = digest(reader, RULE, PERIOD, demo=False)
    by_name = {delta.name: delta for delta in found.deltas}

    assert (by_name["calls"].before, by_name["calls"].change) == ((1, 0) if compared else (None, None))
    assert found.to_json()["compared"] is compared
    assert ("There is no data of the whole period before" in " ".join(found.lines())) is not compared


@pytest.mark.parametrize("lang", ["en", "ko"])
def test_what_rests_on_defaults_is_told(tmp_path: Path, lang: Language) -> None:
    """A line beside the figures, and the counts for machines; nothing is said where every line tells all."""
    told = make_call(ts=PERIOD.start, cost_usd=Decimal(2), model_known_by="record", ttl_known_by="record")
    by_defaults = make_call(ts=PERIOD.start, cost_usd=Decimal(3), model_known_by="defaults")
    passes = [make_pass(ts=MONDAY, complete_until=MONDAY)]
    rule = replace(RULE, lang=lang)
    with Reader(fill(tmp_path / "some", calls=[told, by_defaults], ingest_passes=passes)) as reader:
        found = digest(reader, rule, PERIOD, demo=False)
    with Reader(fill(tmp_path / "none", calls=[told], ingest_passes=passes)) as reader:
        nothing = digest(reader, rule, PERIOD, demo=False)

    line = word(lang, "digest.by_defaults", n="1", usd="$3.00")
    assert line in found.lines()
    assert line[-20:] not in " ".join(nothing.lines())
    known = found.to_json()["known_by"]
    assert (known["calls"], known["model_by_defaults"], known["ttl_by_defaults"]) == (2, 1, 0)
    assert Decimal(known["cost_by_defaults_usd"]) == 3
    assert Decimal(nothing.to_json()["known_by"]["cost_by_defaults_usd"]) == 0


@pytest.mark.parametrize("lang", ["en", "ko"])
def test_lines_tell_change_and_parts(lang: str) -> None:
    """Percent of dollars, percentage points of ratios."""
    dollars = line_of(Delta("cost_usd", "usd", Decimal("9.5"), Decimal(10)), lang)
    ratio = line_of(Delta("token_hit_rate", "ratio", 0.9, 0.85, (900, 1000), (850, 1000)), lang)

    assert "$9.50" in dollars
    assert "-5.0%" in dollars
    assert "90.0% (900 / 1,000)" in ratio
    assert "85.0% (850 / 1,000)" in ratio
    assert "+5.0" in ratio
    each = line_of(
        Delta("cost_per_request_usd", "usd", Decimal("0.0123"), None, (Decimal("2.46"), 200), (None, 0)), lang
    )
    assert "$0.0123 ($2.46 / 200)" in each
    assert "– (– / 0)" in each


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("out", "folder"),
        ("/srv/reports", "folder"),
        ("s3://my-bucket/reports/weekly", "s3"),
        ("https://hooks.example.com/x", "webhook"),
        ("http://127.0.0.1:1/x", "webhook"),
        ("http://hooks.example.com/x", None),
        ("ftp://x", None),
        ("s3://B/x", None),
        (" ", None),
    ],
)
def test_destinations_are_read(text: str, kind: str | None) -> None:
    """A webhook over plain HTTP is one only on this machine; its URL is never shown."""
    found = destination(text)

    assert (found.kind if found else None) == kind
    if kind == "webhook":
        assert found is not None
        assert "/x" not in repr(found) + found.shown


@pytest.mark.parametrize(
    ("item", "named"),
    [
        ({}, "name"),
        ({"name": "a", "schedule": "hourly", "to": "x"}, "'hourly'"),
        ({"name": "a", "schedule": "daily"}, "to is not usable"),
        ({"name": "a", "schedule": "daily", "to_env": "HOOK"}, "HOOK"),
        ({"name": "a", "schedule": "daily", "to": "x", "formats": "csv"}, "formats"),
        ({"name": "a", "schedule": "daily", "to": "x", "zone": "Mars"}, "'Mars'"),
        ({"name": "a", "schedule": "daily", "to": "x", "lang": "fr"}, "'fr'"),
        ({"name": "a", "schedule": "daily", "to": "x", "role_arn": "r"}, "'r'"),
        ({"name": "a", "schedule": "daily", "to": "x", "color": 1}, '"color"'),
    ],
)
def test_faults_of_the_settings_name_key_and_value(item: dict[str, object], named: str) -> None:
    """And what is accepted; a secret is not quoted."""
    with pytest.raises(FixSettings) as wrong:
        read_reports({"reports": [item]}, {"HOOK": "ftp://secret"}, None)

    assert wrong.value.code == "REP-005"
    assert named in wrong.value.message
    assert "secret" not in str(wrong.value)


def test_two_reports_never_write_the_same_files() -> None:
    """By engine and by tenant, weekly, to one folder: the second would replace the first. Webhooks have no files."""
    one, two = ({"name": name, "schedule": "weekly", "to": f"s3://bkt/p{end}"} for name, end in (("a", ""), ("b", "/")))

    with pytest.raises(FixSettings, match=r"REP-005.*\"a\" and \"b\" both go to s3://bkt/p/"):
        read_reports({"reports": [one, two]}, {}, None)
    assert len(read_reports({"reports": [one, two | {"schedule": "daily"}]}, {}, None)) == 2
    assert len(read_reports({"reports": [one | {"to": "https://h"}, two | {"to": "https://h"}]}, {}, None)) == 2


def test_all_keys_are_read() -> None:
    """The destination may come from a variable."""
    table = {
        "name": "a", "schedule": "monthly", "to_env": "HOOK", "formats": ["xlsx"], "zone": "Asia/Seoul",
        "by": ["engine"], "lang": "ko", "region": "us-east-1", "role_arn": "arn:aws:iam::123456789012:role/r",
        "billing_account": "b",
    }  # fmt: skip
    (rule,) = read_reports({"reports": [table]}, {"HOOK": "https://h/secret"}, None)

    assert rule == ReportRule(
        "a", "monthly", Destination("webhook", "https://h/secret"), ("xlsx",), "Asia/Seoul", ("engine",), "ko",
        "us-east-1", "arn:aws:iam::123456789012:role/r", "b",
    )  # fmt: skip
    assert "secret" not in repr(rule)
