"""Reading single values out of what a provider sent: plain mappings, exact counts, errors that name the field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.errors import BadInput

MAX_COUNT = 2**53 - 1
"""Larger whole numbers do not survive JSON everywhere; no call comes within nine orders of magnitude of it."""


def plain(value: Any) -> Any:
    """Turn an SDK object into a mapping of its fields, one level deep; leave everything else as it is.

    Unknown fields that the SDK keeps beside its typed ones come along. Nested objects are turned when they are read,
    so that the depth of hostile input does not matter.
    """
    if type(value) is dict or isinstance(value, Mapping | list):  # the look at the type is for speed
        return value
    if isinstance(value, tuple):
        return list(value)
    if hasattr(value, "model_fields_set"):  # pydantic: iterating gives fields, then extras
        return dict(value)
    if hasattr(value, "__dict__") and not isinstance(value, type):
        return {key: item for key, item in vars(value).items() if not key.startswith("_")}
    return value


def mapping(value: Any, field: str) -> Mapping[str, Any]:
    """Return `value` as a mapping; an absent one is empty. Raises BadInput naming the field."""
    if type(value) is dict:  # nearly always: for speed
        return value
    if value is None:
        return {}
    read = plain(value)
    if not isinstance(read, Mapping):
        raise BadInput(f"{field} = {shown(value)} is not an object.", code="USG-002", mend="Accepted: a JSON object.")
    return read


def count(table: Mapping[str, Any], field: str, *, within: str = "") -> int | None:
    """Return the count under `field`, None when it is absent or null. Raises BadInput naming field and value."""
    value = table.get(field)
    if value is None:
        return None
    if type(value) is not int or not 0 <= value <= MAX_COUNT:
        raise BadInput(
            f"{within}{field} = {shown(value)} is not a count.",
            code="USG-001",
            mend=f"Accepted: a whole number from 0 to {MAX_COUNT}.",
        )
    return value


def first_count(table: Mapping[str, Any], *fields: str, within: str = "") -> int | None:
    """Return the first count present under any of several spellings; spellings are never added up."""
    found = [value for field in fields if (value := count(table, field, within=within)) is not None]
    return found[0] if found else None


def text(value: Any) -> str | None:
    """Return a non-empty string, else None."""
    return value if isinstance(value, str) and value else None


def word(table: Mapping[str, Any], field: str) -> str | None:
    """Return a switch that decides the price (tier, speed, geography). Raises BadInput when it is not a string."""
    value = table.get(field)
    if value is not None and not isinstance(value, str):
        raise BadInput(f"{field} = {shown(value)} is not a string.", code="USG-005", mend="Accepted: a string or null.")
    return value or None


def split_writes(total: int | None, split_5m: int | None, split_1h: int | None) -> tuple[int, int, bool]:
    """Return (5m writes, 1h writes, split known).

    The 1h part never exceeds the total: streams with server tools grow the total and leave the split behind, and
    what they add is written for 5 minutes. Without any split, everything counts as 5m, the API's default.
    """
    if split_5m is None and split_1h is None:
        return total or 0, 0, not total
    creation = (split_5m or 0) + (split_1h or 0) if total is None else total
    write_1h = min(split_1h or 0, creation)
    return creation - write_1h, write_1h, True


def shown(value: Any) -> str:
    """Return a short form of an offending value, safe to print."""
    written = repr(value)
    return written if len(written) <= 40 else f"{written[:37]}…"
