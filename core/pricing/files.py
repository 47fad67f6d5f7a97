"""Reading price data: the built-in files, and the operator's price files (TOML or JSON) that are laid over them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from core.errors import FixSettings
from core.pricing.entries import Entry, read_discount, read_model, read_row
from core.pricing.model import Discount, Model, RefusalRule, Row, Rules, Window

DATA = Path(__file__).parent / "data"
BUILT_IN = ("models.json", "anthropic.json", "bedrock.json", "rules.json")
_OVERLAY_KEYS = ("rows", "models", "aliases", "discounts", "about")


@dataclass(frozen=True, slots=True)
class BookParts:
    """What a price book is made of, before it is indexed."""

    models: tuple[Model, ...] = ()
    rows: tuple[Row, ...] = ()
    rules: Rules = field(default_factory=Rules)
    aliases: Mapping[str, str] = field(default_factory=dict)
    discounts: tuple[Discount, ...] = ()
    version: str = ""

    def with_overlay(self, over: BookParts) -> BookParts:
        """Lay another file's parts over these; its rows win where both hold."""
        return BookParts(
            models=self.models + over.models,
            rows=self.rows + over.rows,
            rules=self.rules,
            aliases={**self.aliases, **over.aliases},
            discounts=self.discounts + over.discounts,
            version=_digest([self.version.encode(), over.version.encode()]),
        )


def built_in_parts() -> BookParts:
    """Read the published prices that come with Cachewise."""
    raw = {name: (DATA / name).read_bytes() for name in BUILT_IN}
    tables = {name: _parse(DATA / name, raw[name]) for name in BUILT_IN}
    rows = [
        read_row(Entry(name, f"rows[{index}]", item), custom=False)
        for name in ("anthropic.json", "bedrock.json")
        for index, item in enumerate(tables[name]["rows"])
    ]
    models = [
        read_model(Entry("models.json", f"models[{index}]", item))
        for index, item in enumerate(tables["models.json"]["models"])
    ]
    return BookParts(
        models=tuple(models),
        rows=tuple(rows),
        rules=_rules(tables["rules.json"]),
        version=_digest([raw[name] for name in BUILT_IN]),
    )


def read_overlay(path: Path, base: BookParts) -> BookParts:
    """Read one price file. Raises FixSettings naming the file, the key, the value and what is accepted."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise FixSettings(
            f"price file {path} cannot be read: {error.strerror}.",
            code="PRC-001",
            mend="Mend the path in prices.files or CACHEWISE_PRICE_FILES.",
            about=(path, error.strerror),
        ) from None
    table = _parse(path, raw)
    whole = Entry(str(path), "", table)
    whole.only(*_OVERLAY_KEYS)
    models = tuple(read_model(entry) for entry in whole.entries("models"))
    known = {model.id for model in (*base.models, *models)}
    rows = tuple(_custom_row(entry, path, index, known) for index, entry in enumerate(whole.entries("rows")))
    discounts = tuple(read_discount(entry, known) for entry in whole.entries("discounts"))
    _no_twins(path, [model.id for model in (*base.models, *models)], "models")
    return BookParts(models, rows, Rules(), _aliases(whole), discounts, _digest([raw]))


def _custom_row(entry: Entry, path: Path, index: int, known: set[str]) -> Row:
    row = read_row(entry, custom=True)
    if row.model not in known:
        entry.refuse("model", row.model, "a model id of the price book, or one added under models in this file")
    return row if row.id else replace(row, id=f"{path.stem}/{row.scope}/{row.model}/{row.start.isoformat()}#{index}")


def _aliases(whole: Entry) -> dict[str, str]:
    table = whole.table.get("aliases", {})
    if not isinstance(table, Mapping):
        whole.refuse("aliases", table, 'a table of "requested id" = "model id of the price book"')
    for key, target in table.items():
        if not isinstance(target, str) or not target:
            whole.refuse(f"aliases.{key}", target, "a model id of the price book")
    return dict(table)


def _no_twins(path: Path, names: Sequence[str], what: str) -> None:
    for name in names:
        if names.count(name) > 1:
            raise FixSettings(
                f'{path}: {what} names "{name}", which the price book has already.',
                code="PRC-005",
                mend="Give the new model its own id, or add rows for the known one.",
                about=(path, name),
            )


def _parse(path: Path, raw: bytes) -> Mapping[str, Any]:
    """Read TOML or JSON with exact decimals: a float must never hold a price."""
    try:
        written = raw.decode("utf-8-sig")
        if path.suffix.lower() == ".json":
            table = json.loads(written, parse_float=Decimal)
        else:
            import tomllib  # the built-in book is JSON

            table = tomllib.loads(written, parse_float=Decimal)
    except (ValueError, RecursionError) as error:
        form = "JSON" if path.suffix.lower() == ".json" else "TOML"
        raise FixSettings(
            f"price file {path} is not valid {form}: {error}.",
            code="PRC-002",
            mend="Mend the line it names.",
            about=(path, form, error),
        ) from None
    if not isinstance(table, Mapping):
        raise FixSettings(
            f"price file {path} is not a table.", code="PRC-002", mend="Start it with { or [[rows]].", about=(path,)
        )
    return table


def _rules(table: Mapping[str, Any]) -> Rules:
    def windows(name: str, key: str) -> tuple[Window, ...]:
        found = [
            Window(item[key], date.fromisoformat(item["from"]), _decimal(item["multiplier"])) for item in table[name]
        ]
        return tuple(sorted(found, key=lambda window: window.start))

    refusals = [
        RefusalRule(date.fromisoformat(item["from"]), frozenset(item["billed_categories"]))
        for item in table["refusals"]
    ]
    return Rules(
        batch=Decimal(table["batch"]["multiplier"]),
        geo=windows("inference_geo", "geo"),
        fast=windows("fast", "model"),
        refusals=tuple(sorted(refusals, key=lambda rule: rule.start)),
        web_search_usd_per_1000=Decimal(table["web_search"]["usd_per_1000"]),
    )


def _decimal(value: str | None) -> Decimal | None:
    return None if value is None else Decimal(value)


def _digest(parts: Sequence[bytes]) -> str:
    total = hashlib.sha256()
    for part in parts:
        total.update(hashlib.sha256(part).digest())
    return total.hexdigest()[:12]
