"""docs/prices.md: its example of a price file loads and does what it says."""

import re
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from core.pricing import load_book, price_usage
from core.pricing.files import BUILT_IN
from core.usage import Usage

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "prices.md").read_text(encoding="utf-8")


def test_the_example_of_a_price_file_works(tmp_path: Path):
    """Row, discount, alias and new model of the example are all in force."""
    example = next(part for part in re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL) if "[[rows]]" in part)
    path = tmp_path / "prices.toml"
    path.write_text(example, encoding="utf-8")
    book = load_book([path])
    at, usage = datetime(2026, 11, 20, tzinfo=UTC), Usage(input_tokens=1_000_000)
    profile = re.search(r'"(arn:[^"]+)"', example)
    assert profile is not None
    assert price_usage(book, usage, provider=None, model="claude-opus-4-5", at=at).cost_usd == Decimal("4.25")
    assert price_usage(book, usage, provider=None, model=profile[1], at=at).cost_usd == Decimal("4.375")
    assert book.cache_minimum_tokens("claude-next-1-latest", "anthropic") == 512


def test_every_data_file_is_named():
    """The page names each file that prices come from."""
    for name in BUILT_IN:
        assert f"`{name}`" in PAGE
