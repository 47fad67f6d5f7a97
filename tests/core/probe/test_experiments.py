"""Every experiment, over HTTP with the real SDK, against a simulator with true cache rules."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from core.probe.experiments import ttft
from simulator.messages import Fault
from simulator.messages.latency import Latency
from tests.support.probing import Laboratory, laboratory

BEDROCK = "global.anthropic.claude-haiku-4-5-20251001-v1:0"


def test_a_write_is_read_by_the_next_request(lab: Laboratory) -> None:
    """Two requests: the first writes the prefix, the second reads all of it."""
    result = lab.only("write_then_read")

    assert (result.verdict, result.requests) == ("passed", 2)
    assert result.evidence["written_tokens"] == result.evidence["read_tokens"] > 1200
    assert result.evidence["reads_until_found"] == 1
    first, second = lab.billed()
    assert first.usage["cache_creation_input_tokens"] == result.evidence["written_tokens"]
    assert second.usage["cache_read_input_tokens"] == result.evidence["read_tokens"]


@pytest.mark.parametrize(("ttl", "column"), [("5m", "written_5m_tokens"), ("1h", "written_1h_tokens")])
def test_the_configured_ttl_is_asked_for(lab: Laboratory, ttl: str, column: str) -> None:
    """The write is billed under the TTL of the settings."""
    result = lab.only("write_then_read", settings=lab.settings(cache_ttl=ttl))

    assert result.evidence[column] == result.evidence["written_tokens"]


def test_the_saving_is_measured_and_computed(lab: Laboratory) -> None:
    """Uncached − cached, from two answers, equals read tokens × (input − read price) to the last digit."""
    result = lab.only("saving", model="claude-sonnet-5", budget_usd="0.5")

    read = Decimal(lab.billed()[1].usage["cache_read_input_tokens"])
    assert result.verdict == "passed"
    # $2.00 input, $0.20 read, per million
    assert result.evidence["measured_saving_usd"] == read * Decimal("0.0000018")
    assert result.evidence["computed_saving_usd"] == result.evidence["measured_saving_usd"]
    assert result.evidence["write_premium_usd"] == read * Decimal("0.0000005")
    assert result.evidence["reads_to_break_even"] == 1
    assert result.summary.startswith("A read saves $0.00")


def test_the_seed_suite_shares_what_was_written(lab: Laboratory) -> None:
    """Three verifications, three paid requests: write, read, uncached."""
    report = lab.probe()

    assert [result.experiment for result in report.results] == ["write_then_read", "saving", "prompt_store"]
    assert (report.passed, report.requests, len(lab.billed())) == (True, 3, 3)
    assert report.plan.suite == "seed"


def test_the_prompt_store_misses_then_hits(lab: Laboratory) -> None:
    """Without a table the reader is in memory, and says so; Claude is not asked and no key is needed."""
    lab.monkeypatch.delenv("ANTHROPIC_API_KEY")
    result = lab.only("prompt_store")

    assert (result.verdict, result.requests, result.spent_usd) == ("passed", 0, 0)
    assert result.evidence["reader"] == "in-memory"
    assert "no table is configured" in result.summary
    assert (result.evidence["reads_after_first"], result.evidence["reads_after_second"]) == (1, 1)
    assert result.evidence["lines"] == [
        "❌ Cache MISS for [cachewise-probe] - fetching from DB",
        "💾 Permanently cached prompt for [cachewise-probe]",
        "✅ Cache HIT for [cachewise-probe] - DB query skipped (permanent cache)",
    ]
    assert lab.simulator.calls == []


def test_every_lifetime_is_climbed_by_moving_a_simulated_clock(lab: Laboratory) -> None:
    """Alive just before 5 minutes and just before an hour, gone after; nobody waits."""
    result = lab.only("ttl")

    rungs = [(rung["ttl"], rung["after_s"], rung["alive"]) for rung in result.evidence["rungs"]]
    assert result.verdict == "passed"
    assert rungs == [
        ("5m", 60, True),
        ("5m", 240, True),
        ("5m", 290, True),
        ("5m", 330, False),
        ("1h", 330, True),
        ("1h", 3500, True),
        ("1h", 3700, False),
    ]
    assert (result.finished_at - result.started_at).total_seconds() < 60


def test_the_smallest_cacheable_prefix_is_found(lab: Laboratory) -> None:
    """Bisection ends at the published minimum, to the token."""
    result = lab.only("minimum")

    assert result.verdict == "passed"
    assert result.evidence["smallest_cached_tokens"] == 512
    assert result.evidence["largest_uncached_tokens"] == 511
    assert result.evidence["ended_by"] == "exact"


def test_a_minimum_that_is_not_the_published_one_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that caches only from 700 tokens contradicts the price book's 512."""
    with laboratory(tmp_path, monkeypatch, minimum_tokens=700) as lab:
        result = lab.only("minimum")

    assert (result.verdict, result.problem.code) == ("failed", "PRB-422")
    assert result.evidence["largest_uncached_tokens"] < 700 <= result.evidence["smallest_cached_tokens"]


def test_changes_of_the_prefix_break_the_cache(lab: Laboratory) -> None:
    """A byte, the tool order, a date and another model break it; a question does not; the API's diagnosis agrees."""
    result = lab.only("perturbation")

    told = {row["change"]: (row["kept"], row["diagnosis"]) for row in result.evidence["changes"]}
    assert result.verdict == "passed"
    assert told == {
        "nothing": (True, "none"),
        "question": (True, "messages_changed"),
        "system_byte": (False, "system_changed"),
        "tool_order": (False, "tools_changed"),
        "date": (False, "system_changed"),
        "model": (False, "model_changed"),
    }
    assert all(row["diagnosis_agrees"] for row in result.evidence["changes"])


def test_a_pending_diagnosis_is_no_contradiction(lab: Laboratory) -> None:
    """Not known yet is shown as such; the verdict rests on the tokens."""
    lab.simulator.faults.add(Fault("diagnosis_pending", skip=2, times=1))
    result = lab.only("perturbation")

    question = next(row for row in result.evidence["changes"] if row["change"] == "question")
    assert (question["diagnosis"], question["diagnosis_agrees"]) == ("pending", None)
    assert result.verdict == "passed"


def test_the_first_token_comes_sooner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Six pairs in turns; the whole interval is above 0."""
    with laboratory(
        tmp_path, monkeypatch, latency=Latency(base_ms=1, per_1k_processed_ms=60, per_output_token_ms=0)
    ) as lab:
        result = lab.only("ttft")

    assert result.verdict == "passed"
    assert (result.evidence["n_cached"], result.evidence["n_uncached"]) == (6, 6)
    assert 0 < result.evidence["saved_low_ms"] <= result.evidence["saved_ms"] <= result.evidence["saved_high_ms"]


def test_the_interval_decides() -> None:
    """Above 0 passes, across 0 is inconclusive, below 0 fails; n is told; the same data give the same interval."""
    slow, quick, mixed = [50.0, 51.0, 52.0, 53.0], [20.0, 21.0, 22.0, 23.0], [10.0, 40.0, 60.0, 90.0]

    findings = [ttft.finding_of(*pair, 4000, 0) for pair in ((quick, slow), (mixed, slow), (slow, quick))]

    assert [item.verdict for item in findings] == ["passed", "inconclusive", "failed"]
    assert [item.problem.code if item.problem else None for item in findings] == [None, "PRB-423", "PRB-424"]
    assert "n = 4" in findings[0].summary
    assert ttft.bootstrap_interval(mixed, slow) == ttft.bootstrap_interval(mixed, slow)


def test_bedrock_is_probed_like_the_direct_api(lab: Laboratory) -> None:
    """Nobody counts there and nobody diagnoses; the worst case is bounded by bytes."""
    report = lab.probe("write_then_read", "saving", "perturbation", provider="bedrock", budget_usd="0.2")

    assert [result.verdict for result in report.results] == ["passed"] * 3
    assert (report.plan.target.model, report.plan.counted, report.simulated) == (BEDROCK, False, True)
    assert report.results[2].evidence["diagnosed"] is False
    assert {call.provider for call in lab.billed()} == {"bedrock"}


def test_no_request_is_sent_twice(lab: Laboratory) -> None:
    """The SDK's retries are off: each request that arrives is a first try."""
    lab.probe(suite="full")

    assert len(lab.simulator.calls) > 30
    assert {call.retry for call in lab.simulator.calls} == {0}


def test_two_runs_never_read_each_other(lab: Laboratory) -> None:
    """Each prefix has its own nonce: the second run writes again."""
    evidence: list[Any] = [lab.only("write_then_read").evidence for _ in range(2)]

    assert [item["written_tokens"] > 0 for item in evidence] == [True, True]
