"""The price book: which row and which rules hold for a model, a provider and a moment.

Rows are data (core/pricing/data), laid over by the operator's own price files. The book knows no number itself.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from datetime import date
from functools import cache
from pathlib import Path

from core.errors import FixSettings
from core.pricing.files import BookParts, built_in_parts, read_overlay
from core.pricing.ids import ParsedId, known_provider, parse_id
from core.pricing.model import Model, ModelRef, Rates, Row, Scope, Unpriced
from core.pricing.quote import Question, quote
from core.pricing.reasons import reason

_REMEMBERED = 50_000


class PriceBook:
    """Prices by model, price list and date. Immutable; answers are remembered."""

    def __init__(self, parts: BookParts) -> None:
        self.version = parts.version
        self.rules = parts.rules
        self.rows = parts.rows
        self.models: dict[str, Model] = {model.id: model for model in parts.models}
        self.discounts = parts.discounts
        self._aliases = {key.strip().lower(): target for key, target in parts.aliases.items()}
        self._names = {name: model.id for model in parts.models for name in (model.id, *model.aliases)}
        self._by_list: dict[tuple[str, Scope], list[Row]] = {}
        for row in parts.rows:
            self._by_list.setdefault((row.model, row.scope), []).append(row)
        self.days = _turning_days(parts)
        self.thresholds = sorted({row.over for row in parts.rows if row.over})
        self._refs: dict[tuple[str, str | None], ModelRef | Unpriced] = {}
        self._rates: dict[Question, Rates | Unpriced] = {}

    def resolve(self, model: str, provider: str | None) -> ModelRef | Unpriced:
        """Find the model and price list that a requested id means; the id's own spelling beats `provider`."""
        key = (model, provider)
        if key not in self._refs:
            if len(self._refs) >= _REMEMBERED:
                self._refs.clear()
            self._refs[key] = self._resolve(model, provider)
        return self._refs[key]

    def model_of_name(self, name: str) -> str | None:
        """Return the model behind a bare name or alias, without asking where it was called."""
        parsed = parse_id(name)
        return self._names.get(parsed.name) if isinstance(parsed, ParsedId) else None

    def cache_minimum_tokens(self, model: str, provider: str | None) -> int | None:
        """Return the smallest prefix that is cached; None when the model or its minimum is unknown."""
        ref = self.resolve(model, provider)
        name = ref.model_id if ref.model_id is not None else self.model_of_name(model)
        if name is None:
            return None
        known = self.models[name]
        on_bedrock = known_provider(provider) == "bedrock" or (isinstance(ref, ModelRef) and ref.provider == "bedrock")
        return known.cache_min_bedrock if on_bedrock else known.cache_min_anthropic

    def rows_of(self, model_id: str, scope: Scope) -> Sequence[Row]:
        """Return every row of a model on a price list, in the order they were published."""
        return self._by_list.get((model_id, scope), [])

    def row_at(self, model_id: str, scope: Scope, *, day: date, prompt_tokens: int = 0) -> Row | None:
        """Return the row in force for a prompt of that size: negotiated before list, longest tier, then latest."""
        holding = [row for row in self.rows_of(model_id, scope) if row.holds(day) and row.over < max(prompt_tokens, 1)]
        best: dict[int, Row] = {}
        for row in holding:
            known = best.get(row.over)
            if known is None or (row.custom, row.start) >= (known.custom, known.start):
                best[row.over] = row
        if 0 not in best:
            return None
        return next((best[over] for over in sorted(best, reverse=True) if best[over].card is not None), None)

    def segment(self, day: date) -> int:
        """Return the number of turning days up to and including a UTC date: prices are constant between them."""
        return bisect_right(self.days, day)

    def size_step(self, prompt_tokens: int) -> int:
        """Return how many prompt-size thresholds a prompt has passed."""
        return bisect_left(self.thresholds, prompt_tokens)

    def rates(self, question: Question) -> Rates | Unpriced:
        """Return what a token costs for everything that decides it. Remembered."""
        if question not in self._rates:
            if len(self._rates) >= _REMEMBERED:
                self._rates.clear()
            self._rates[question] = quote(self, question)
        return self._rates[question]

    def _resolve(self, model: str, provider: str | None) -> ModelRef | Unpriced:
        model = self._aliases.get(model.strip().lower(), model)
        parsed, asked = parse_id(model), known_provider(provider)
        if isinstance(parsed, Unpriced):
            return parsed
        if isinstance(asked, Unpriced):
            return asked
        known = self.models.get(self._names.get(parsed.name, ""))
        if known is None:
            return Unpriced(reason("unknown_model", model=model.strip()))
        if known.unpriced:
            return Unpriced(reason("not_priced", model=known.id, why=known.unpriced), known.id)
        where = parsed.provider or asked or "anthropic"
        if where == "bedrock":
            return self._bedrock(known, parsed)
        if where == "claude-platform-aws" and not known.platform_aws:
            return Unpriced(reason("not_on_platform", model=known.id), known.id)
        return ModelRef(known.id, "anthropic", where)

    def _bedrock(self, known: Model, parsed: ParsedId) -> ModelRef | Unpriced:
        if parsed.profile is None:
            lists: list[Scope] = [s for s in ("bedrock-global", "bedrock-regional") if self.rows_of(known.id, s)]
            if len(lists) == 1:
                return ModelRef(known.id, lists[0], "bedrock")
            example = f"global.anthropic.{known.id}"
            return Unpriced(reason("which_bedrock_price", model=known.id, example=example), known.id)
        scope: Scope = "bedrock-global" if parsed.profile == "global" else "bedrock-regional"
        if not self.rows_of(known.id, scope):
            return Unpriced(reason("no_price", model=known.id, scope=scope), known.id)
        return ModelRef(known.id, scope, "bedrock", _doubts(known, parsed))


def _doubts(known: Model, parsed: ParsedId) -> tuple[str, ...]:
    if parsed.gov:
        return (reason("gov"),)
    if known.bedrock_profiles and parsed.profile not in ("bare", "global", *known.bedrock_profiles):
        return (reason("unlisted_profile", prefix=parsed.profile, model=known.id),)
    return ()


def _turning_days(parts: BookParts) -> list[date]:
    """Every UTC date on which any price or rule begins or ends."""
    days = {row.start for row in parts.rows} | {row.end for row in parts.rows}
    days |= {window.start for window in (*parts.rules.geo, *parts.rules.fast)}
    days |= {rule.start for rule in parts.rules.refusals}
    days |= {item.start for item in parts.discounts} | {item.end for item in parts.discounts}
    return sorted(day for day in days if day is not None and day != date.min)


@cache
def default_book() -> PriceBook:
    """Return the built-in book: published prices only."""
    return PriceBook(built_in_parts())


def load_book(files: Sequence[str | Path] = ()) -> PriceBook:
    """Lay price files (negotiated rows, discounts, aliases) over the built-in book, later files over earlier ones.

    Raises FixSettings naming the file, the key, the value and what is accepted.
    """
    if not files:
        return default_book()
    parts = built_in_parts()
    for file in files:
        parts = parts.with_overlay(read_overlay(Path(file), parts))
    book = PriceBook(parts)
    for key, target in parts.aliases.items():
        found = book.resolve(key, "bedrock" if key.lower().startswith("arn:") else None)
        if isinstance(found, Unpriced):
            raise FixSettings(
                f'price files: aliases "{key}" = "{target}" leads to no price: {found.reason}.',
                code="PRC-005",
                mend="Accepted: a model id of the price book, such as global.anthropic.claude-opus-5.",
                about=(key, target),
            )
    return book
