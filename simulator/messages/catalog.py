"""Which models the simulator serves: those of the price book, with the smallest prefix each will cache."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from core.pricing import ModelRef, PriceBook
from simulator.messages.errors import not_found

Provider = Literal["anthropic", "bedrock"]
_MINIMUM_UNKNOWN = 1024  # the commonest minimum, where none is published
_EPOCH = "1970-01-01T00:00:00Z"  # the API's own value for a release date that is not known


@dataclass(frozen=True, slots=True)
class Model:
    """A model as one provider serves it. `model_id` is the same for an alias and its dated name."""

    model_id: str
    minimum_tokens: int


class Catalog:
    """Looks models up. `minimum_tokens` replaces every model's own minimum (for tests)."""

    def __init__(self, book: PriceBook, *, minimum_tokens: int | None = None) -> None:
        self._book = book
        self._minimum = minimum_tokens

    def find(self, name: str, provider: Provider, *, day: date) -> Model:
        """Return the model of that name; one that is unknown, or retired by that day, is the API's 404."""
        model_id = self._bedrock_id(name) if provider == "bedrock" else self._direct_id(name, day)
        if model_id is None:
            raise not_found(f"model: {name}")
        if self._minimum is not None:
            return Model(model_id, self._minimum)
        known = self._book.models[model_id]
        own = known.cache_min_bedrock if provider == "bedrock" else known.cache_min_anthropic
        return Model(model_id, own or known.cache_min_anthropic or _MINIMUM_UNKNOWN)

    def listing(self, *, day: date) -> list[dict[str, Any]]:
        """Return the models as GET /v1/models lists them, in the order of the price book."""
        return [self._describe(model_id, day) for model_id in self._book.models]

    def describe(self, name: str, *, day: date) -> dict[str, Any]:
        """Return one model as GET /v1/models/{id} does."""
        model_id = self._book.model_of_name(name)
        if model_id is None:
            raise not_found(f"model: {name}")
        return self._describe(model_id, day)

    def _direct_id(self, name: str, day: date) -> str | None:
        """The direct API knows bare ids and aliases of models that are not retired."""
        found = self._book.resolve(name, "anthropic")
        if not isinstance(found, ModelRef) or found.provider != "anthropic" or self._retired(found.model_id, day):
            return None
        return found.model_id

    def _bedrock_id(self, name: str) -> str | None:
        return self._book.resolve(name, "bedrock").model_id

    def _retired(self, model_id: str, day: date) -> bool:
        retires = self._book.models[model_id].retires
        return retires is not None and day >= retires

    def _describe(self, model_id: str, day: date) -> dict[str, Any]:
        words = re.sub(r"(\d)-(\d)", r"\1.\2", model_id).replace("-", " ").title()
        return {
            "type": "model",
            "id": model_id,
            "display_name": f"{words} (simulated)",
            "created_at": _EPOCH,
            "lifecycle": "retired" if self._retired(model_id, day) else "active",
        }
