"""The operator's price files."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from core.errors import FixSettings
from core.pricing import default_book, load_book, price_usage
from core.usage import Usage

NOW = datetime(2026, 11, 20, tzinfo=UTC)
MILLION = Usage(input_tokens=1_000_000)
PROFILE = "arn:aws:bedrock:ap-northeast-2:123456789012:application-inference-profile/abc123"
ROW = """
[[rows]]
model = "claude-opus-4-5"
scope = "anthropic"
from = 2026-01-01
to = 2027-01-01
input = 4.25
cache_write_5m = "5.3125"
cache_write_1h = 8.5
cache_read = 0.425
output = 21.25
source = "contract 2026-17"
"""


def book(tmp_path: Path, written: str, name: str = "prices.toml"):
    path = tmp_path / name
    path.write_text(written, encoding="utf-8")
    return load_book([path])


def cost(prices, model: str = "claude-opus-4-5", at: datetime = NOW, usage: Usage = MILLION, provider=None):
    return price_usage(prices, usage, provider=provider, model=model, at=at)


def test_a_negotiated_row_wins_while_it_holds(tmp_path: Path):
    """A row of a price file replaces the list price from its first to before its last date."""
    prices = book(tmp_path, ROW)
    assert cost(prices).cost_usd == Decimal("4.25")
    assert cost(prices).price_row == "prices/anthropic/claude-opus-4-5/2026-01-01#0"
    assert cost(prices, at=datetime(2025, 12, 31, tzinfo=UTC)).cost_usd == 5
    assert cost(prices, at=datetime(2027, 1, 1, tzinfo=UTC)).cost_usd == 5


def test_modifiers_apply_to_negotiated_rows(tmp_path: Path):
    """Batch halves a negotiated price as well."""
    usage = Usage(input_tokens=1_000_000, service_tier="batch")
    assert cost(book(tmp_path, ROW), usage=usage).cost_usd == Decimal("2.125")


def test_discounts_apply_to_list_prices_only(tmp_path: Path):
    """A percentage goes off list prices by provider, model and time; a negotiated row is net already."""
    prices = book(tmp_path, ROW + '[[discounts]]\npercent = 10\nprovider = "anthropic"\nfrom = 2026-11-01\n')
    assert cost(prices).cost_usd == Decimal("4.25")
    assert cost(prices, model="claude-opus-5").cost_usd == Decimal("4.5")
    assert cost(prices, model="claude-opus-5").price_row == "anthropic/claude-opus-5/2026-07-24 -10%"
    assert cost(prices, model="claude-opus-5", at=datetime(2026, 10, 31, tzinfo=UTC)).cost_usd == 5
    assert cost(prices, model="global.anthropic.claude-opus-5").cost_usd == 5


def test_discounts_stack(tmp_path: Path):
    """Every matching discount applies, one after the other, and rates stay whole picodollars."""
    prices = book(
        tmp_path, '[[discounts]]\npercent = 10\n[[discounts]]\npercent = 33.333333\nmodel = "claude-opus-5"\n'
    )
    assert cost(prices, model="claude-opus-5").cost_usd == Decimal("3.000000")  # 3.000000015 before rounding
    assert cost(prices).cost_usd == Decimal("4.5")


def test_an_application_profile_can_be_mapped(tmp_path: Path):
    """An alias tells which model an application inference profile is, and its regional price holds."""
    assert cost(default_book(), model=PROFILE).status == "unpriced"
    prices = book(tmp_path, f'[aliases]\n"{PROFILE}" = "us.anthropic.claude-opus-5"\n')
    assert cost(prices, model=PROFILE, provider="bedrock").cost_usd == Decimal("5.5")


def test_a_new_model_needs_no_release(tmp_path: Path):
    """A price file can add a model, its names, its cache minimum and its rows; JSON works like TOML."""
    row = {"model": "claude-opus-9", "scope": "anthropic", "from": "2026-11-01", "input": "7", "cache_write_5m": "8.75"}
    row |= {"cache_write_1h": "14", "cache_read": 0.35, "output": 35}
    model = {"id": "claude-opus-9", "aliases": ["claude-opus-9-latest"], "cache_min_tokens": {"anthropic": 256}}
    prices = book(tmp_path, json.dumps({"models": [model], "rows": [row]}), "new.json")
    assert cost(prices, model="claude-opus-9-latest").cost_usd == 7
    assert prices.cache_minimum_tokens("claude-opus-9", "anthropic") == 256


def test_later_files_win_and_the_version_tells_files_apart(tmp_path: Path):
    """Two books with different content never share a version; the last file's row holds."""
    first, second = tmp_path / "a.toml", tmp_path / "b.toml"
    first.write_text(ROW)
    second.write_text(ROW.replace("4.25", "4.00"))
    both = load_book([first, second])
    assert cost(both).cost_usd == 4
    assert len({both.version, load_book([first]).version, load_book([second]).version, default_book().version}) == 4
    assert load_book() is default_book()


@pytest.mark.parametrize(
    ("written", "code", "names"),
    [
        ("[[rows", "PRC-002", ["prices.toml", "TOML"]),
        ('colour = "red"', "PRC-003", ["colour", "rows"]),
        (ROW.replace("input =", "imput ="), "PRC-003", ["rows[0].imput"]),
        (ROW.replace("4.25", "-1"), "PRC-004", ["rows[0].input = -1", "USD per million"]),
        (ROW.replace("4.25", "4.1234567"), "PRC-004", ["rows[0].input = 4.1234567"]),
        (ROW.replace("4.25", '"cheap"'), "PRC-004", ['rows[0].input = "cheap"']),
        (ROW.replace("4.25", "nan"), "PRC-004", ["rows[0].input"]),
        (ROW.replace("4.25", "true"), "PRC-004", ["rows[0].input"]),
        (ROW.replace("4.25", "5000"), "PRC-004", ["0 to 1000"]),
        (ROW.replace("input = 4.25\n", ""), "PRC-004", ["rows[0].input = None"]),
        (ROW.replace('"anthropic"', '"bedrock"'), "PRC-004", ["rows[0].scope", "bedrock-regional"]),
        (ROW.replace("claude-opus-4-5", "claude-x"), "PRC-004", ["rows[0].model", "claude-x"]),
        (ROW.replace("2026-01-01", '"soon"'), "PRC-004", ["rows[0].from", "soon"]),
        (ROW.replace("2027-01-01", "2025-01-01"), "PRC-004", ["rows[0].to", "after 2026-01-01"]),
        ("[[discounts]]\npercent = 120", "PRC-004", ["discounts[0].percent = 120", "0 to 100"]),
        ('[[discounts]]\npercent = 5\nprovider = "gcp"', "PRC-004", ["discounts[0].provider", "gcp"]),
        ('[[discounts]]\npercent = 5\nmodel = "gpt"', "PRC-004", ["discounts[0].model", "gpt"]),
        ("rows = 3", "PRC-004", ["rows = 3"]),
        ("[aliases]\nx = 3", "PRC-004", ["aliases.x"]),
        ('[aliases]\nx = "claude-zeta"', "PRC-005", ["aliases", "claude-zeta"]),
        ('[[models]]\nid = "claude-opus-5"', "PRC-005", ["claude-opus-5"]),
    ],
)
def test_a_bad_price_file_says_what_to_mend(tmp_path: Path, written: str, code: str, names: list[str]):
    """File, key, value and what is accepted are in one line."""
    with pytest.raises(FixSettings) as caught:
        book(tmp_path, written)
    told = str(caught.value)
    assert caught.value.code == code
    assert "\n" not in told
    for name in names:
        assert name in told


def test_a_missing_price_file_is_named(tmp_path: Path):
    """A path that leads nowhere is a setting to mend, not a default to fall back to."""
    with pytest.raises(FixSettings, match=r"PRC-001.*nowhere\.toml"):
        load_book([tmp_path / "nowhere.toml"])
