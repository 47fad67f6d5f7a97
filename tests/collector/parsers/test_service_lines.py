"""The four service lines in every dress."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.parsers import parse_message
from collector.parsers.facts import CostLine, StoreLine
from core.telemetry import api_cost_line, prompt_store_hit_line, prompt_store_miss_line, prompt_stored_line
from tests.support.log_lines import T0, as_json_log, dressed, report, rid

NAME = rid(1)
DRESSES = {
    "print": (lambda line: line, None),
    "print with newline": (lambda line: line + "\n", None),
    "text logging": (lambda line: dressed(line, T0, NAME), NAME),
    "text logging before the first request": (lambda line: dressed(line, T0, ""), None),
    "json logging": (lambda line: as_json_log(line, T0, NAME), NAME),
    "json string in json logging": (lambda line: as_json_log(as_json_log(line, T0, NAME), T0, NAME), NAME),
    "own formatter": (lambda line: f"2026-11-20 00:00:00,000 INFO app {NAME} - {line}", NAME),
    "several lines": (lambda line: dressed(f"answering\n{line}\ndone", T0, NAME), NAME),
    "blanks in front": (lambda line: f"   {line}  ", None),
}


@pytest.mark.parametrize("dress", DRESSES)
def test_a_cost_line_is_read_in_every_dress(dress: str) -> None:
    """Whatever wraps the line, its figures and the request id around it come out."""
    wrap, request_id = DRESSES[dress]
    line = api_cost_line(
        cost_usd=Decimal("0.0012345"), input_tokens=10, output_tokens=200, cache_read=3000, cache_write=7
    )

    parsed = parse_message(wrap(line))

    assert (parsed.outcome, parsed.kind) == ("recognised", "cost")
    assert parsed.facts == (CostLine(Decimal("0.001235"), 10, 200, 3000, 7, request_id),)


@pytest.mark.parametrize("dress", DRESSES)
@pytest.mark.parametrize(
    ("make", "kind"),
    [(prompt_store_hit_line, "hit"), (prompt_store_miss_line, "miss"), (prompt_stored_line, "stored")],
)
@pytest.mark.parametrize("engine", ["sales", "sales-kr", "상담 엔진", "v2.1_faq", "sales [v2]", "a - b"])
def test_a_prompt_store_line_is_read_in_every_dress(dress: str, make, kind: str, engine: str) -> None:
    """Hit, miss and stored lines tell their engine, hyphens, blanks and Korean included."""
    wrap, request_id = DRESSES[dress]

    parsed = parse_message(wrap(make(engine)))

    assert (parsed.outcome, parsed.kind) == ("recognised", f"prompt_store_{kind}")
    (fact,) = parsed.facts
    assert isinstance(fact, StoreLine)
    assert (fact.kind, fact.engine, fact.request_id) == (kind, engine, request_id)


@pytest.mark.parametrize(
    ("line", "engine"),
    [
        ("✅ Cache HIT for sales - DB query skipped (permanent cache)", "sales"),
        ("Cache HIT for [sales]  -  DB query skipped", "sales"),
        ("✅  Cache  HIT  for  sales-kr-2 - DB query skipped (permanent cache)", "sales-kr-2"),
        ("❌ Cache MISS for a - b - fetching from DB", "a - b"),
        ("💾 Permanently cached prompt for sales", "sales"),
        ("Permanently cached prompt for [a b]", "a b"),
    ],
)
def test_engines_come_with_or_without_brackets(line: str, engine: str) -> None:
    """Brackets are decoration, and so is the emoji that some shippers lose."""
    (fact,) = parse_message(line).facts

    assert isinstance(fact, StoreLine)
    assert fact.engine == engine


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("API Cost: $0.5 | input: 1, output: 2, cache_read: 3, cache_write: 4", ("0.5", 1, 2, 3, 4)),
        ("💰 API  Cost : $ 0.50|input:1,output:2,cache_read:3,cache_write:4", ("0.50", 1, 2, 3, 4)),
        ("💰 API Cost: $1,234.000001 | input: 12,345, output: 2, cache_read: 1,003, cache_write: 4",
         ("1234.000001", 12345, 2, 1003, 4)),
        ("💰 API Cost: $0.000000 | input: 0, output: 0, cache_read: 0, cache_write: 0 (ok)",
         ("0.000000", 0, 0, 0, 0)),
    ],
)  # fmt: skip
def test_odd_spacing_and_separators_are_read(line: str, expected: tuple[str, int, int, int, int]) -> None:
    """Counts may be written with thousands separators, and blanks may be anywhere."""
    (fact,) = parse_message(line).facts

    assert isinstance(fact, CostLine)
    assert (
        str(fact.reported_cost_usd),
        fact.input_tokens,
        fact.output_tokens,
        fact.cache_read,
        fact.cache_write,
    ) == expected


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("💰 API Cost: $0.1 | input: -5, output: 2, cache_read: 3, cache_write: 4", "bad_count"),
        ("💰 API Cost: $-0.1 | input: 5, output: 2, cache_read: 3, cache_write: 4", "bad_count"),
        ("💰 API Cost: $0.1 | input: 1.5, output: 2, cache_read: 3, cache_write: 4", "bad_count"),
        ("💰 API Cost: $0.1 | input: None, output: 2, cache_read: 3, cache_write: 4", "bad_count"),
        ("💰 API Cost: $0.1 | input: 1, output: 2, cache_read: 3, cache_write: 99999999999999999999", "bad_count"),
        ("💰 API Cost: $X.XXXXXX | input: X, output: X, cache_read: X, cache_write: X", "bad_count"),
        ("💰 API Cost: $0.1 | input: 1, outp", "broken_line"),
        ("💰 API Cost: $0.0012", "broken_line"),
        ("Cache HIT for [" + "x" * 250 + "] - DB query skipped", "bad_engine"),
    ],
)
def test_a_line_of_ours_that_cannot_be_used_says_why(line: str, reason: str) -> None:
    """It is skipped with a reason, and nothing of its text is kept."""
    parsed = parse_message(line)

    assert (parsed.outcome, parsed.kind, parsed.facts) == ("skipped", reason, ())


@pytest.mark.parametrize(
    "line",
    [
        "", "\n", "   ", "{", "{}", "[]", "null", "hello",
        "API Cost tracking is on", "Cache warmed", "Cost: 3", "Cache HIT ratio 0.5", "Permanently moved",
        '{"message": "Cache is fine"}', '{"level":"INFO","message":{"a":1}}', "llm_usage is a word",
        "XRAY TraceId: 1-5e61292c\tSegmentId: 07a8\tSampled: true", "RequestId: abc", "the platform.start event",
    ],
)  # fmt: skip
def test_what_is_not_ours_is_ignored(line: str) -> None:
    """A word of ours in somebody else's line does not make it ours."""
    assert parse_message(line).outcome == "ignored"


def test_several_facts_in_one_message_are_all_told() -> None:
    """One logging call may hold two of our lines: one counter, two facts."""
    parsed = parse_message(dressed(f"{prompt_store_hit_line('a')}\n{prompt_store_hit_line('b')}", T0, NAME))

    assert parsed.kind == "prompt_store_hit"
    assert [(fact.engine, fact.request_id) for fact in parsed.facts] == [("a", NAME), ("b", NAME)]


@given(st.text(max_size=300))
def test_no_text_breaks_a_parser(text: str) -> None:
    """Whatever a log holds, a message has exactly one outcome."""
    assert parse_message(text).outcome in ("recognised", "ignored", "skipped")


LINES = [
    api_cost_line(cost_usd=Decimal("0.5"), input_tokens=1, output_tokens=2, cache_read=3, cache_write=4),
    prompt_store_hit_line("sales"), f"START RequestId: {NAME} Version: $LATEST",
    report(NAME),
    '{"event":"llm_usage","v":1,"id":"msg_1","ts":1795132800000,"usage":{"input_tokens":1,"output_tokens":2}}',
    '{"time":"2026-10-08T07:30:28.235Z","type":"platform.start","record":{"requestId":"a"}}',
]  # fmt: skip


@given(st.sampled_from(LINES), st.integers(0, 200), st.integers(0, 40), st.text(max_size=8))
def test_no_damage_to_a_line_breaks_a_parser(line: str, at: int, length: int, put: str) -> None:
    """Cutting pieces out of our own lines, or writing into them, never raises."""
    damaged = line[:at] + put + line[at + length :]

    assert parse_message(damaged).outcome in ("recognised", "ignored", "skipped")


@pytest.mark.parametrize("word", ["Cache HIT for ", "API Cost: $", "Permanently cached prompt for ", "RequestId: "])
def test_a_long_line_of_our_words_is_read_quickly(word: str) -> None:
    """No repetition makes a parser slow: a megabyte takes well under the test's limit."""
    parse_message(word * (1_000_000 // len(word)))
