"""Why a call has no price, or what is doubtful about its price, in the viewer's language."""

from __future__ import annotations

from core.pricing.reasons import in_korean
from dashboard.i18n import Language


def reason(line: str | None, lang: Language) -> str | None:
    """Return the line that tables keep in the viewer's language; None where there is nothing to say."""
    return in_korean(line) if line and lang == "ko" else line
