"""Where each price comes from and when a person last looked: for the Prices page, not for pricing."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from core.pricing.book import PriceBook
from core.pricing.files import DATA
from core.pricing.model import Row, Scope

_ROW_FILES = ("anthropic.json", "bedrock.json")
_DISCOUNT = " -"


@dataclass(frozen=True, slots=True)
class Provenance:
    """Who says a price, and when it was last held against them; an own row says so in its own words."""

    sources: tuple[str, ...] = ()
    checked: date | None = None
    file: str = ""


def provenance(files: Sequence[str | Path] = ()) -> dict[str, Provenance]:
    """Return the provenance of every row by its id; of price files that load_book has accepted."""
    found = dict(_built_in())
    for file in files:
        path = Path(file)
        for index, row in enumerate(_table(path).get("rows", [])):
            start = _day(row.get("from")) or date.min
            unnamed = f"{path.stem}/{row['scope']}/{row['model']}/{start.isoformat()}#{index}"  # as load_book names it
            found[row.get("id", unnamed)] = _of(row, {}, path.name)
    return found


def newest_check() -> date:
    """Return the latest day on which a published price was checked."""
    return max(item.checked for item in _built_in().values() if item.checked)


def price_list(book: PriceBook, files: Sequence[str | Path] = (), *, day: date | None = None) -> list[dict[str, Any]]:
    """Return the rows of the book as a table: all of them, or those in force on a UTC date, by model and list.

    Prices are USD per million tokens; None where there is no such price. `until` is the day a row is replaced.
    """
    known = provenance(files)
    rows = []
    for (model, scope), dated in _by_list(book):
        for row in dated if day is None else _in_force(book, model, scope, day):
            if row.card is None:
                continue
            origin = known.get(row.id, Provenance())
            later = [item.start for item in dated if item.start > row.start and item.over == row.over]
            rows.append(
                {
                    "price_row": row.id,
                    "model": model,
                    "scope": scope,
                    "from": None if row.start == date.min else row.start,
                    "until": row.end or min(later, default=None),
                    "over_prompt_tokens": row.over or None,
                    "input": row.card.input,
                    "cache_read": row.card.cache_read,
                    "cache_write_5m": row.card.cache_write_5m,
                    "cache_write_1h": row.card.cache_write_1h,
                    "output": row.card.output,
                    "custom": row.custom,
                    "source": ", ".join(origin.sources),
                    "checked": origin.checked,
                }
            )
    return rows


def row_id(price_row: str) -> str:
    """Return the id of the row behind a call's `price_row`, which may name discounts as well."""
    return price_row.split(_DISCOUNT, 1)[0]


def _in_force(book: PriceBook, model: str, scope: Scope, day: date) -> list[Row]:
    """Return the row of a day, and those of longer prompts where they have a price of their own."""
    steps = [0, *book.thresholds]
    found = [book.row_at(model, scope, day=day, prompt_tokens=step + 1) for step in steps]
    return list(dict.fromkeys(row for row in found if row is not None))


def _by_list(book: PriceBook) -> Iterator[tuple[tuple[str, Scope], Sequence[Row]]]:
    lists = dict.fromkeys((row.model, row.scope) for row in book.rows)
    for model, scope in sorted(lists):
        yield (model, scope), book.rows_of(model, scope)


@cache
def _built_in() -> Mapping[str, Provenance]:
    found: dict[str, Provenance] = {}
    for name in _ROW_FILES:
        table = _table(DATA / name)
        found |= {row["id"]: _of(row, table.get("sources", {}), name) for row in table["rows"]}
    return found


def _table(path: Path) -> Mapping[str, Any]:
    text = path.read_text(encoding="utf-8-sig")
    return json.loads(text) if path.suffix.lower() == ".json" else tomllib.loads(text)


def _of(row: Mapping[str, Any], sources: Mapping[str, str], file: str) -> Provenance:
    told = row.get("source", ())
    names: Iterable[str] = [told] if isinstance(told, str) else told
    checked = row.get("checked")
    day = checked if isinstance(checked, date) else _day(checked)
    return Provenance(tuple(sources.get(name, name) for name in names), day, file)


def _day(text: object) -> date | None:
    try:
        return date.fromisoformat(str(text))
    except ValueError:
        return None
