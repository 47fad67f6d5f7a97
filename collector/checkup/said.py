"""Sentences of a checkup: English text that knows its key and fields, so that it can be told in Korean too.

English is what the command line prints. The words of both languages stand in two small catalogues with the same keys.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from functools import cache, partial
from pathlib import Path
from typing import Any, Literal, Self

from core.error_words import in_korean
from core.pricing import reasons
from core.store.check_notes import read

Language = Literal["en", "ko"]
LANGUAGES: tuple[Language, ...] = ("en", "ko")
FOLDER = Path(__file__).parent / "words"
_OF_ERROR = "error"
"""The key of what an error of ours says: core/error_words.py has its Korean, by its code."""


class Said(str):
    """A sentence in English, with what it was made from."""

    __slots__ = ("about", "key")
    key: str
    about: Mapping[str, Any]

    def __new__(cls, text: str, key: str, about: Mapping[str, Any]) -> Self:
        """Return the text as one that knows what it was made from."""
        made = super().__new__(cls, text)
        made.key, made.about = key, about
        return made

    def facts(self) -> dict[str, Any]:
        """Return what it was made from, as JSON keeps it."""
        return {"key": self.key, "about": dict(self.about)}


def say(key: str, **about: Any) -> Said:
    """Return the English sentence of a key.

    Fields are numbers, names and times as they are, sentences of this file, or lists of them.
    """
    facts = {name: _facts(value) for name, value in about.items()}
    return Said(_told("en", key, facts), key, facts)


def of_error(code: str, text: str, part: Literal["what", "mend"], values: Iterable[str] = ()) -> Said:
    """Return what an error of ours says, or its mend; `values` are those that it is about."""
    return Said(text, _OF_ERROR, {"code": code, "part": part, "values": list(values), "text": text})


def told(lang: Language, text: str, facts: Mapping[str, Any] | None) -> str:
    """Return a sentence in a language: from what it was made from, else as it was written down.

    What another version wrote down may have a key or fields that the words of this one do not know.
    """
    if lang == "en" or not facts:
        return text
    try:
        return _told(lang, facts["key"], facts["about"])
    except (LookupError, ValueError, TypeError):
        return text


def skip_reason(reason: str, lang: Language) -> str:
    """Return why a line was not understood, in words."""
    return catalogue(lang).get(f"skip.{reason}", reason)


@cache
def catalogue(lang: Language) -> Mapping[str, str]:
    """Read one catalogue: a flat mapping from dotted key to text."""
    return tomllib.loads((FOLDER / f"{lang}.toml").read_text(encoding="utf-8"))


def _facts(value: Any) -> Any:
    """Return a field as JSON keeps it."""
    if isinstance(value, Said):
        return value.facts()
    if isinstance(value, str):
        return str(value)
    return [_facts(item) for item in value] if isinstance(value, Sequence) else value


def _told(lang: Language, key: str, about: Mapping[str, Any]) -> str:
    if key == _OF_ERROR:
        return str(about["text"]) if lang == "en" else _error_in_korean(**about)
    return catalogue(lang)[key].format(**{name: _shown(lang, name, value) for name, value in about.items()})


def _error_in_korean(code: str, part: str, values: Sequence[str], text: str) -> str:
    words = in_korean(code)
    if words is None:
        return text
    behind = f" ({' · '.join(values)})" if values else ""
    return (words.mend if part == "mend" else f"{words.what}{behind}").replace("`", "")  # no Markdown here


def _shown(lang: Language, name: str, value: Any) -> Any:
    if isinstance(value, list):
        return ", ".join(str(_shown(lang, name, item)) for item in value)
    if isinstance(value, Mapping):
        return _told(lang, value["key"], value["about"])
    if name == "ago_s":
        return _span(lang, value)
    in_words = _IN_WORDS.get(name)
    return value if in_words is None or value is None or lang == "en" else in_words(value)


def _span(lang: Language, seconds: int) -> str:
    """Return how long something is: "2 days, 5:00:01", or the two largest units in Korean."""
    if lang == "en":
        return str(timedelta(seconds=seconds))
    sizes = ((86_400, "일"), (3_600, "시간"), (60, "분"), (1, "초"))
    first = next((n for n, (size, _) in enumerate(sizes) if seconds >= size), len(sizes) - 1)
    (large, unit), rest = sizes[first], sizes[first + 1 : first + 2]
    smaller = [f"{seconds % large // size}{name}" for size, name in rest if seconds % large // size]
    return " ".join([f"{seconds // large}{unit}", *smaller])


def _difference(note: str) -> str:
    found = read(note)
    return (
        note
        if found is None
        else ", ".join(f"{one.column} {one.first}({one.ledger}), {one.second}({one.check})" for one in found)
    )


_IN_WORDS: Mapping[str, Callable[[Any], str]] = {
    "price_reason": reasons.in_korean,
    "skip_reason": partial(skip_reason, lang="ko"),
    "difference": _difference,
}
"""Fields that name a thing by a word of ours, which Korean has another word for."""
