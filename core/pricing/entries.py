"""One entry of a price file: a row, a model, a discount. Every refusal names file, key, value and what is accepted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn, cast

from core.errors import FixSettings
from core.pricing.ids import known_provider
from core.pricing.model import SCOPES, Card, Discount, Model, Row, Scope, Unpriced

_HIGHEST = Decimal(1000)  # USD per million tokens; the dearest published price is 75
_ROW_KEYS = ("id", "model", "scope", "from", "to", "over_prompt_tokens", "ends", "source", "checked")
_PRICES = ("input", "cache_write_5m", "cache_write_1h", "cache_read", "output")
_MODEL_KEYS = (
    "id",
    "aliases",
    "released",
    "retires",
    "platform_aws",
    "inference_geo",
    "cache_min_tokens",
    "bedrock_profiles",
    "unpriced",
)
_PRICE_MEND = "USD per million tokens, 0 to 1000 with at most six decimals, such as 4.50"


@dataclass(frozen=True, slots=True)
class Entry:
    """A table in a price file, with its place for error messages."""

    file: str
    where: str
    table: Mapping[str, Any]

    def refuse(self, key: str, value: object, accepted: str) -> NoReturn:
        """Raise FixSettings for one key."""
        place = f"{self.where}.{key}" if self.where else key
        shown = f'"{value}"' if isinstance(value, str) else str(value)
        raise FixSettings(
            f"price file {self.file}: {place} = {shown}.",
            code="PRC-004",
            mend=f"Accepted: {accepted}.",
            about=(self.file, place, shown),
        )

    def only(self, *known: str) -> None:
        """Refuse keys that nobody reads: a misspelt one would otherwise be lost in silence."""
        for key in self.table:
            if key not in known:
                place = f"{self.where}.{key}" if self.where else key
                raise FixSettings(
                    f'price file {self.file}: unknown key "{place}".',
                    code="PRC-003",
                    mend=f"Accepted: {', '.join(known)}.",
                    about=(self.file, place),
                )

    def entries(self, key: str) -> list[Entry]:
        """Return the list of tables under a key."""
        items = self.table.get(key, [])
        if not isinstance(items, list) or not all(isinstance(item, Mapping) for item in items):
            self.refuse(key, items, f"a list of tables, each under [[{key}]]")
        return [Entry(self.file, f"{key}[{index}]", item) for index, item in enumerate(items)]

    def text(self, key: str) -> str:
        """Return a required, non-empty string."""
        value = self.table.get(key)
        if not isinstance(value, str) or not value.strip():
            self.refuse(key, value, "a non-empty string")
        return value.strip()

    def day(self, key: str) -> date | None:
        """Return a UTC date, None when absent."""
        value = self.table.get(key)
        if value is None:
            return None
        if isinstance(value, date) and not isinstance(value, datetime):
            return value
        try:
            return date.fromisoformat(cast(str, value))
        except (TypeError, ValueError):
            self.refuse(key, value, "a UTC date such as 2026-01-31")

    def number(self, key: str, *, low: Decimal, high: Decimal, accepted: str) -> Decimal:
        """Return an exact decimal within bounds."""
        value = self.table.get(key)
        try:
            if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
                raise InvalidOperation
            number = Decimal(value)
        except InvalidOperation:
            self.refuse(key, value, accepted)
        if not number.is_finite() or not low <= number <= high or number != round(number, 6):
            self.refuse(key, value, accepted)
        return number

    def count(self, key: str, default: int | None = None) -> int | None:
        """Return a whole number of tokens."""
        value = self.table.get(key, default)
        if value is not None and (type(value) is not int or value < 0):
            self.refuse(key, value, "a whole number of tokens, 0 or more")
        return value

    def flag(self, key: str, *, default: bool) -> bool:
        """Return true or false."""
        value = self.table.get(key, default)
        if not isinstance(value, bool):
            self.refuse(key, value, "true or false")
        return value

    def words(self, key: str) -> tuple[str, ...]:
        """Return a list of strings."""
        value = self.table.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            self.refuse(key, value, "a list of strings")
        return tuple(value)


def read_row(entry: Entry, *, custom: bool) -> Row:
    """Read a dated price. Negotiated rows may leave out `id`, and must say their source like published ones."""
    entry.only(*_ROW_KEYS, *_PRICES)
    scope = entry.table.get("scope")
    if scope not in SCOPES:
        entry.refuse("scope", scope, ", ".join(SCOPES))
    ends = entry.flag("ends", default=False)
    start, end = entry.day("from"), entry.day("to")
    if start is not None and end is not None and end <= start:
        entry.refuse("to", end, f"a date after {start.isoformat()}")
    return Row(
        id=entry.text("id") if "id" in entry.table or not custom else "",
        model=entry.text("model"),
        scope=cast(Scope, scope),
        start=start or date.min,
        card=None if ends else _card(entry),
        end=end,
        over=entry.count("over_prompt_tokens", 0) or 0,
        custom=custom,
    )


def read_model(entry: Entry) -> Model:
    """Read a model: its names, and what is not a price."""
    entry.only(*_MODEL_KEYS)
    minimum = entry.table.get("cache_min_tokens", {})
    if not isinstance(minimum, Mapping):
        entry.refuse("cache_min_tokens", minimum, "{ anthropic = 1024, bedrock = 1024 }")
    minimums = Entry(entry.file, f"{entry.where}.cache_min_tokens", minimum)
    minimums.only("anthropic", "bedrock")
    return Model(
        id=entry.text("id").lower(),
        aliases=tuple(name.lower() for name in entry.words("aliases")),
        retires=entry.day("retires"),
        platform_aws=entry.flag("platform_aws", default=True),
        inference_geo=entry.flag("inference_geo", default=False),
        cache_min_anthropic=minimums.count("anthropic"),
        cache_min_bedrock=minimums.count("bedrock"),
        bedrock_profiles=entry.words("bedrock_profiles"),
        unpriced=entry.text("unpriced") if "unpriced" in entry.table else None,
    )


def read_discount(entry: Entry, known_models: set[str]) -> Discount:
    """Read a percentage off list prices."""
    entry.only("percent", "provider", "model", "from", "to", "source")
    provider, model = entry.table.get("provider"), entry.table.get("model")
    named = known_provider(provider) if isinstance(provider, str) else None
    if provider is not None and (named is None or isinstance(named, Unpriced)):
        entry.refuse("provider", provider, "anthropic, claude-platform-aws, bedrock")
    if model is not None and model not in known_models:
        entry.refuse("model", model, "a model id of the price book, such as claude-opus-4-5")
    start, end = entry.day("from"), entry.day("to")
    if start is not None and end is not None and end <= start:
        entry.refuse("to", end, f"a date after {start.isoformat()}")
    percent = entry.number(
        "percent", low=Decimal(0), high=Decimal(100), accepted="a percentage from 0 to 100, such as 12.5"
    )
    return Discount(percent, cast("str | None", named), model, start or date.min, end)


def _card(entry: Entry) -> Card:
    def price(key: str) -> Decimal:
        return entry.number(key, low=Decimal(0), high=_HIGHEST, accepted=_PRICE_MEND)

    return Card(
        input=price("input"),
        cache_write_5m=price("cache_write_5m"),
        cache_write_1h=None if entry.table.get("cache_write_1h") is None else price("cache_write_1h"),
        cache_read=price("cache_read"),
        output=price("output"),
    )
