"""What every verb's `--json` is written with, and dollars in its tables."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

_CENT, _MICRODOLLAR = Decimal("0.01"), Decimal("0.000001")


def plain(value: Any) -> Any:
    """Return a value as JSON knows it: dollars as decimal strings without exponent, times as ISO in UTC."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return value.isoformat() if isinstance(value, date) else value


def money(value: Decimal | None) -> str:
    """Return dollars for reading: cents, and as far below them as it takes not to show something as nothing."""
    if value is None:
        return "–"
    size = abs(value)
    places = 2 if not size or size >= _CENT else 6
    shown = "<$0.000001" if 0 < size < _MICRODOLLAR else f"${size:,.{places}f}"
    return f"{'-' if value < 0 else ''}{shown}"
