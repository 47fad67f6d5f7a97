"""What an error says on a page, in the viewer's language: raised just now, or kept with a pass or a probe."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from core.error_words import Words, in_korean
from core.errors import CachewiseError
from dashboard import format as fmt
from dashboard.i18n import Language, translate


def what(lang: Language, code: str | None, message: str, about: Iterable[str] | None) -> str:
    """Return what happened, as Markdown.

    In Korean the code says it, and the values that it is about follow in brackets as they are. Where nobody kept them
    (`about` is None: an older version), the message stands there as it was written down, for it names them.
    """
    words = _korean(lang, code)
    if words is None:
        return fmt.markdown_safe(message)
    values = [message] if about is None else [*about]
    return f"{words.what} ({' · '.join(map(fmt.code_span, values))})" if values else words.what


def mend(lang: Language, error: CachewiseError) -> str:
    """Return what to do, as Markdown; empty where the error does not say."""
    words = _korean(lang, error.code)
    return fmt.markdown_safe(error.mend) if words is None else words.mend


def plain(lang: Language, code: str | None, message: str) -> str:
    """Return what happened as plain text: in Korean what the code says."""
    words = _korean(lang, code)
    return message if words is None else words.what.replace("`", "")


def of_pass(lang: Language, row: Mapping[str, Any]) -> str:
    """Return what the last pass of a source met, and what to do, as Markdown."""
    message, told = row["error_message"] or "", row.get("error")
    words = _korean(lang, row["error_code"])
    if words is None:
        return fmt.markdown_safe(message)
    more = f" {translate(lang, 'failed.others', n=told['more'])}" if told and told["more"] else ""
    return f"{what(lang, row['error_code'], message, told and told['about'])}{more} {words.mend}"


def _korean(lang: Language, code: str | None) -> Words | None:
    """Return what an error of that code says in Korean; None for readers of English, and where nobody meets it."""
    return in_korean(code or "") if lang == "ko" else None
