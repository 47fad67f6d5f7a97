"""The published rows: what may never change, and what must hold for all of them."""

import hashlib
import json
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from core.pricing import default_book, price_usage
from core.pricing.files import DATA
from core.usage import Usage

PUBLISHED = {  # file: (rows published by 2026-11-22, digest of exactly those); later rows are appended after them
    "anthropic.json": (34, "6e98377ef5c6886f"),
    "bedrock.json": (55, "b9e5a279a7577c87"),
}
PUBLISHED_RULES = {
    "inference_geo": (1, "95f05a5ae80bda69"),
    "fast": (10, "ff993dc613498595"),
    "refusals": (2, "6e8c45071b455dcf"),
}
LEGACY = (
    "claude-opus-4-1",
    "claude-opus-4",
    "claude-sonnet-4",
    "claude-3-5-haiku",
    "claude-3-7-sonnet",
    "claude-3-haiku",
)


def rows(file: str) -> list[dict[str, object]]:
    return json.loads((DATA / file).read_text(encoding="utf-8"))["rows"]


@pytest.mark.parametrize("file", PUBLISHED)
def test_published_rows_are_never_changed(file: str):
    """Prices are appended, never overwritten: history would be priced anew."""
    number, digest = PUBLISHED[file]
    told = json.dumps(rows(file)[:number], sort_keys=True, ensure_ascii=False).encode()
    assert hashlib.sha256(told).hexdigest()[:16] == digest


@pytest.mark.parametrize("rule", PUBLISHED_RULES)
def test_published_rules_are_never_changed(rule: str):
    """Dated rules are appended like prices."""
    number, digest = PUBLISHED_RULES[rule]
    windows = json.loads((DATA / "rules.json").read_text(encoding="utf-8"))[rule]
    told = json.dumps(windows[:number], sort_keys=True, ensure_ascii=False).encode()
    assert hashlib.sha256(told).hexdigest()[:16] == digest


@pytest.mark.parametrize("file", PUBLISHED)
def test_every_row_says_where_it_comes_from(file: str):
    """Each row names known sources and the date they were checked, and has its own id."""
    known = json.loads((DATA / file).read_text(encoding="utf-8"))["sources"]
    for row in rows(file):
        assert row["source"] and set(row["source"]) <= set(known)
        assert date.fromisoformat(str(row["checked"]))
    ids = [row["id"] for row in rows(file)]
    assert len(ids) == len(set(ids))


def test_cache_writes_cost_a_fixed_multiple_of_input():
    """Writes cost 1.25 times (5m) and twice (1h) the input price, Haiku 3 apart, whose prices are rounded."""
    for row in default_book().rows:
        if row.card is None or row.model == "claude-3-haiku":
            continue
        assert row.card.cache_write_5m == row.card.input * Decimal("1.25"), row.id
        assert row.card.cache_write_1h in (None, row.card.input * 2), row.id


def test_regional_bedrock_is_ten_percent_dearer_from_the_4_5_generation_on():
    """Regional profiles and bare ids cost 10 % more than global ones; older models have one price."""
    book = default_book()
    for model in book.models:
        for row in book.rows_of(model, "bedrock-regional"):
            other = book.row_at(model, "bedrock-global", day=row.start, prompt_tokens=row.over + 1)
            if row.card is None or other is None or other.card is None:
                continue
            factor = Decimal(1) if model in LEGACY else Decimal("1.1")
            assert row.card.input == other.card.input * factor, row.id
            assert row.card.output == other.card.output * factor, row.id
            assert row.card.cache_read == other.card.cache_read * factor, row.id


def test_global_bedrock_costs_what_the_claude_api_costs():
    """The global profile has the direct list price on every day that both are sold."""
    book = default_book()
    for model in book.models:
        for day in (date(2026, 10, 1), date(2026, 11, 22)):
            direct = book.row_at(model, "anthropic", day=day)
            sold = book.row_at(model, "bedrock-global", day=day)
            if direct and sold and direct.card and sold.card:
                assert (sold.card.input, sold.card.cache_read, sold.card.output) == (
                    direct.card.input,
                    direct.card.cache_read,
                    direct.card.output,
                )


@pytest.mark.parametrize(
    ("model", "day", "size", "expected"),
    [  # input, 5m write, 1h write, read, output as on the price page
        ("claude-fable-5-2", date(2026, 11, 9), 1, "8 10 16 0.2 40"),
        ("claude-fable-5-1", date(2026, 9, 1), 1, "10 12.5 20 0.25 50"),
        ("claude-fable-5", date(2026, 6, 9), 1, "10 12.5 20 1 50"),
        ("claude-opus-5-5", date(2026, 9, 22), 1, "4 5 8 0.2 20"),
        ("claude-opus-5", date(2026, 7, 24), 1, "5 6.25 10 0.5 25"),
        ("claude-opus-4-5", date(2025, 11, 24), 1, "5 6.25 10 0.5 25"),
        ("claude-opus-4-1", date(2026, 1, 1), 1, "15 18.75 30 1.5 75"),
        ("claude-sonnet-5-5", date(2026, 10, 6), 1, "2 2.5 4 0.2 10"),
        ("claude-sonnet-5-5", date(2026, 10, 7), 1, "2 2.5 4 0.1 10"),
        ("claude-sonnet-4-6", date(2026, 3, 12), 200_000, "3 3.75 6 0.3 15"),
        ("claude-sonnet-4-6", date(2026, 3, 12), 200_001, "6 7.5 12 0.6 22.5"),
        ("claude-sonnet-4-6", date(2026, 3, 13), 200_001, "3 3.75 6 0.3 15"),
        ("claude-opus-4-6", date(2026, 3, 12), 200_001, "10 12.5 20 1 37.5"),
        ("claude-sonnet-4-5", date(2026, 4, 29), 200_001, "6 7.5 12 0.6 22.5"),
        ("claude-sonnet-4-5", date(2026, 4, 30), 200_001, "3 3.75 6 0.3 15"),
        ("claude-sonnet-4", date(2025, 8, 11), 200_001, "3 3.75 6 0.3 15"),
        ("claude-sonnet-4", date(2025, 8, 12), 200_001, "6 7.5 12 0.6 22.5"),
        ("claude-haiku-5-5", date(2026, 10, 7), 100_000, "0.1 0.125 0.2 0.01 0.5"),
        ("claude-haiku-5-5", date(2026, 10, 7), 100_001, "0.5 0.625 1 0.05 2.5"),
        ("claude-3-haiku", date(2025, 1, 1), 1, "0.25 0.3 0.5 0.03 1.25"),
    ],
)
def test_cards_by_date_and_size(model: str, day: date, size: int, expected: str):
    """The row in force is decided by the UTC date and the whole prompt's length."""
    row = default_book().row_at(model, "anthropic", day=day, prompt_tokens=size)
    assert row and row.card
    card = row.card
    told = (card.input, card.cache_write_5m, card.cache_write_1h, card.cache_read, card.output)
    assert told == tuple(Decimal(part) for part in expected.split())


@pytest.mark.parametrize("model", [name for name, known in default_book().models.items() if not known.unpriced])
def test_nothing_is_priced_before_its_first_row(model: str):
    """A call older than the first row is unpriced and says since when there is a price."""
    first = min(row.start for row in default_book().rows_of(model, "anthropic"))
    if first == date.min:
        return
    usage = Usage(input_tokens=1)
    midnight = datetime(first.year, first.month, first.day, tzinfo=UTC)
    at_first = price_usage(default_book(), usage, provider="anthropic", model=model, at=midnight)
    just_before = datetime.fromtimestamp(midnight.timestamp() - 0.001, UTC)
    before = price_usage(default_book(), usage, provider="anthropic", model=model, at=just_before)
    assert at_first.status == "priced"
    assert (before.status, before.cost_usd) == ("unpriced", None)
    assert before.reason == f"{model} has no anthropic price before {first}"


def test_all_published_models_are_there():
    """25 models, of which one has no agreed price."""
    book = default_book()
    assert len(book.models) == 25
    assert [name for name, known in book.models.items() if known.unpriced] == ["claude-mythos-preview"]
