"""Each engine's planted trouble shows in the truth; the healthy ones are healthy."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from statistics import median
from typing import Any

import pytest

from core.pricing import default_book, price_usage
from core.usage import Usage
from simulator.fleet.arrivals import HOUR_MS
from simulator.fleet.plan import SEOUL, from_ms, plan_for
from tests.support.fleet import ANCHOR, DAY_MS, NOON_MS, live_through, week, week_truths, world

PLAN = plan_for(ANCHOR)


def read_share(truths: list[dict[str, Any]]) -> float:
    """Tokens read / prompt tokens."""
    reads = sum(t["cache_read_tokens"] for t in truths)
    written = sum(t["cache_write_5m_tokens"] + t["cache_write_1h_tokens"] for t in truths)
    return reads / (reads + written + sum(t["input_tokens"] for t in truths))


def answered(engine: str) -> list[dict[str, Any]]:
    """The engine's calls that returned usage."""
    return [truth for truth in week_truths(engine) if "cost_usd" in truth]


def causes(engine: str) -> Counter[str]:
    """How often each cause."""
    return Counter(truth["cause"] for truth in answered(engine))


@pytest.mark.parametrize("engine", ["sales", "support", "notice"])
def test_healthy_engines_read_nearly_always(engine: str) -> None:
    """Steady traffic and a 1h TTL: more than nine tenths of the prompt is read."""
    assert read_share(answered(engine)) > 0.88


def test_tutor_breaks_with_its_deploy() -> None:
    """Before version 17 it reads; from the deploy on it writes on every call, because the prefix changed."""
    broken_ms = PLAN.versions["bodo-ws"][-1].since_ms
    before = [t for t in answered("tutor") if t["ts"] < broken_ms]
    after = [t for t in answered("tutor") if t["function_version"] == "17"]

    assert read_share(before) > 0.85
    assert sum(t["cache_read_tokens"] for t in after) <= 0.01 * sum(t["cache_write_1h_tokens"] for t in after)
    assert Counter(t["cause"] for t in after)["prefix_changed"] > 0.95 * len(after)


def test_translate_expires_each_time() -> None:
    """A 5m TTL and a request every 20 minutes: written every time, never read."""
    assert set(causes("translate")) <= {"expired", "first_touch"}
    assert all(t["cache_write_5m_tokens"] > 0 and t["cache_read_tokens"] == 0 for t in answered("translate"))
    times = [t["ts"] for t in answered("translate")]
    by_day = [b - a for a, b in pairwise(times) if b - a < HOUR_MS]
    assert 18 * 60_000 < sum(by_day) / len(by_day) < 22 * 60_000


def test_legal_loses_money() -> None:
    """Its write premium is larger than what its reads save."""
    book = default_book()
    net = Decimal(0)
    for t in answered("legal"):
        usage = Usage(
            input_tokens=t["input_tokens"],
            cache_read_tokens=t["cache_read_tokens"],
            cache_write_1h_tokens=t["cache_write_1h_tokens"],
            output_tokens=t["output_tokens"],
        )
        at = datetime.fromtimestamp(t["ts"] / 1000, UTC)
        priced = price_usage(book, usage, provider=t["provider"], model=t["model"], at=at)
        net += priced.net_savings_usd or 0

    assert len(answered("legal")) > 5
    assert net < 0


def test_faq_is_below_its_models_minimum() -> None:
    """Marked, but too short: nothing is ever written or read."""
    assert set(causes("faq")) == {"below_minimum"}
    assert read_share(answered("faq")) == 0


def test_survey_writes_at_once_many_times() -> None:
    """Its blasts are concurrent first writes."""
    assert causes("survey")["concurrent_first_write"] >= 5


def test_memo_runs_5m() -> None:
    """Its writes are 5m writes, although its source's default says 1h."""
    assert sum(t["cache_write_5m_tokens"] for t in answered("memo")) > 0
    assert sum(t["cache_write_1h_tokens"] for t in answered("memo")) == 0


def test_fallback_stretch_is_on_bedrock() -> None:
    """For five hours the Opus 4.5 engines ask a regional profile; the first call there touches a new cache."""
    inside = [t for t in answered("sales") if PLAN.fallback.holds(t["ts"])]
    outside = [t for t in answered("sales") if not PLAN.fallback.holds(t["ts"])]

    assert {t["model"] for t in inside} == {"apac.anthropic.claude-opus-4-5-20251101-v1:0"}
    assert {t["provider"] for t in inside} == {"bedrock"}
    assert {t["provider"] for t in outside} == {"anthropic"}
    assert inside[0]["cause"] == "first_touch"


def test_overload_comes_before_the_fallback() -> None:
    """Most calls fail with 529 in the twenty minutes before."""
    calls = [t for t in week_truths() if PLAN.overload.holds(t["ts"]) and t["source"] == "bodo-ws"]

    assert sum(t["cause"] == "error" for t in calls) > 0.4 * len(calls)


def test_caching_off_writes_nothing() -> None:
    """While ENABLE_PROMPT_CACHING was false nothing was cached, and the truth says why."""
    off_ms = PLAN.versions["bodo-ws"][4].since_ms
    hour_ms = off_ms - off_ms % HOUR_MS + HOUR_MS
    calls = [t for i in live_through(2, until_ms=hour_ms + 2 * HOUR_MS) for t in i.truths if t["source"] == "bodo-ws"]

    assert {t["cause"] for t in calls if t["function_version"] == "15"} <= {"caching_off", "error"}
    assert sum(t.get("cache_read_tokens", 0) for t in calls) == 0


def test_a_clear_is_a_burst_of_misses_and_one_rewrite() -> None:
    """Within minutes of the clear, engines are looked up anew; support's revised prompt is written once more."""
    clear = PLAN.clears[0]
    hours = live_through(6, until_ms=clear.at_ms + HOUR_MS)
    near = [i for i in hours if clear.at_ms <= i.first_ms < clear.at_ms + 600_000]
    misses = [m for i in near for _, m in i.events if "Cache MISS" in m]

    assert len({m.split(" for ")[1] for m in misses}) >= 4
    assert sum(t["cause"] == "after_clear" for i in hours for t in i.truths) == 1


def test_a_deploy_that_revises_a_prompt_is_its_cause() -> None:
    """Sales writes its new prefix once (or twice, if two were at it) after version 12."""
    deploy_ms = PLAN.versions["bodo-ws"][1].since_ms
    end_ms = deploy_ms - deploy_ms % HOUR_MS + HOUR_MS
    truths = [t for i in live_through(3, until_ms=end_ms) for t in i.truths if t["engine"] == "sales"]

    assert next(t["cause"] for t in truths if t["ts"] > deploy_ms) == "after_deploy"
    assert sum(t["cause"] == "after_deploy" for t in truths) == 1


def test_missed_tokens_are_all_that_was_not_read() -> None:
    """Per call the causes' tokens sum to prompt − read, and the counts to the prompt."""
    for t in week_truths():
        if "missed" in t:
            prompt = t["input_tokens"] + t["cache_write_5m_tokens"] + t["cache_write_1h_tokens"]
            assert sum(t["missed"].values()) == prompt


def test_costs_are_the_price_books() -> None:
    """The cost in the truth is what core.pricing says, to the last digit."""
    book = default_book()
    for t in [t for t in week_truths() if "cost_usd" in t][::97]:
        usage = Usage(
            input_tokens=t["input_tokens"],
            cache_read_tokens=t["cache_read_tokens"],
            cache_write_5m_tokens=t["cache_write_5m_tokens"],
            cache_write_1h_tokens=t["cache_write_1h_tokens"],
            output_tokens=t["output_tokens"],
        )
        at = datetime.fromtimestamp(t["ts"] / 1000, UTC)
        priced = price_usage(book, usage, provider=t["provider"], model=t["model"], at=at)

        assert Decimal(t["cost_usd"]) == priced.cost_usd


def ttfts(engine: str, *, read: bool) -> list[float]:
    """The times to the first token that an engine's records tell, of calls that read the cache or did not."""
    told = [
        json.loads(message[message.index("{") :])
        for invocation in week()
        for _, message in invocation.events
        if invocation.engine.name == engine and '"event":"llm_usage"' in message and '"usage":' in message
    ]
    return [
        record["ttft_ms"]
        for record in told
        if record["provider"] == "anthropic" and (record["usage"]["cache_read_input_tokens"] > 0) == read
    ]


def test_reads_answer_faster_than_writes() -> None:
    """The first token of tutor comes clearly sooner when its prefix was read."""
    assert median(ttfts("tutor", read=True)) < 0.75 * median(ttfts("tutor", read=False))


def test_traffic_follows_seouls_day_and_week() -> None:
    """Afternoons are busier than nights, working days than weekends."""

    def calls(start_ms: int, hours: int) -> int:
        return sum(start_ms <= t["ts"] < start_ms + hours * HOUR_MS for t in week_truths())

    friday_midnight = NOON_MS - 12 * HOUR_MS - 3 * DAY_MS
    assert calls(friday_midnight + 13 * HOUR_MS, 4) > 5 * calls(friday_midnight + HOUR_MS, 4)
    assert calls(friday_midnight, 24) > 1.7 * calls(friday_midnight + DAY_MS, 24)


def test_thirty_days_hold_sixty_thousand_calls() -> None:
    """Seven days from Monday to Sunday hold far more than 7/30 of 60,000 calls."""
    monday = NOON_MS - 12 * HOUR_MS - 7 * DAY_MS
    calls = sum(monday <= t["ts"] < monday + 7 * DAY_MS for t in week_truths())

    assert calls > 1.2 * 60_000 * 7 / 30


def test_environments_live_a_few_hours() -> None:
    """So the permanent prompt store has a floor of MISSes, and requests have cold starts."""
    first: dict[str, int] = {}
    last: dict[str, int] = {}
    for invocation in week():
        first.setdefault(invocation.stream, invocation.first_ms)
        last[invocation.stream] = invocation.first_ms
    cold = sum(invocation.cold for invocation in week())

    assert max(last[s] - first[s] for s in first) <= 5 * HOUR_MS
    assert 0.002 < cold / len(week()) < 0.08


def test_one_environment_serves_one_request_at_a_time() -> None:
    """In a stream no invocation begins before the one before it has ended."""
    ended: dict[str, int] = {}
    for invocation in week():
        assert invocation.first_ms > ended.get(invocation.stream, 0)
        ended[invocation.stream] = invocation.events[-1][0]


def test_the_same_seed_gives_the_same_events() -> None:
    """Two fleets of one seed live the same; another seed lives otherwise."""
    one, two, other = (live_through(3, seed=seed) for seed in (1, 1, 2))

    assert [i.events for i in one] == [i.events for i in two]
    assert [i.truths for i in one] == [i.truths for i in two]
    assert [i.events for i in one] != [i.events for i in other]


def test_live_traffic_moves_at_night() -> None:
    """At four in the morning in Seoul a live hour still sees five to thirty calls a minute."""
    night_ms = NOON_MS - 8 * HOUR_MS
    fleet = world()

    assert 300 <= sum(len(i.truths) for i in fleet.hour(night_ms, live=True)) <= 1_800


def test_tenants_are_tagged_by_the_engines_that_have_them() -> None:
    """Twice named, twice the calls; an engine without tenants tags nobody, and its calls are told all the same."""
    tags: dict[str, Counter[str | None]] = {}
    for invocation in week():
        for _, message in invocation.events:
            if '"llm_usage"' in message:
                record = json.loads(message[message.index('{"event"') :].replace('\\"', '"').split("\n")[0])
                tags.setdefault(record["engine"], Counter())[record.get("tenant")] += 1

    assert set(tags["sales"]) == {"acme", "globex", "initech"}
    assert 1.6 < tags["sales"]["acme"] / tags["sales"]["globex"] < 2.5
    assert set(tags["tutor"]) == {"initech"}
    assert set(tags["faq"]) == {None}


@pytest.mark.parametrize("later", range(7))
def test_the_guilty_deploy_is_on_a_workday_of_the_last_week(later: int) -> None:
    """Whichever day the demo is begun, a dashboard of seven days shows when the tutor broke."""
    anchor = ANCHOR + timedelta(days=later)
    deploy = from_ms(plan_for(anchor).versions["bodo-ws"][-1].since_ms).astimezone(SEOUL)

    assert deploy.weekday() < 5
    assert 4 <= (anchor - deploy.date()).days <= 6
