"""Small Arrow columns of the quick lane."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from collector.lane.requests import Bools, Ints


def moments(ms: Ints) -> pa.Array:
    """Return times in milliseconds as the tables hold them."""
    return pa.array(ms * 1000).cast(pa.timestamp("us", tz="UTC"))


def same(value: Any, number: Ints | Bools) -> pa.Array:
    """Return one value for every row."""
    return pa.nulls(len(number)) if value is None else pa.repeat(pa.scalar(value), len(number))


def zeros(counts: pa.Array) -> pa.Array:
    """Return a zero for every count."""
    return pa.repeat(pa.scalar(0, pa.int64()), len(counts))


def either(values: Bools, yes: str, no: str) -> pa.Array:
    """Return one of two words for every row."""
    return pc.if_else(pa.array(values), yes, no)


def filled(told: pa.Array, otherwise: Any) -> pa.Array:
    """Return values with what the settings say where nothing was told."""
    return told if otherwise is None or not told.null_count else pc.fill_null(told, otherwise)


def known_by(told: pa.Array, known: pa.Array) -> pa.Array:
    """Return how a value is known: told by the record itself, or by the settings."""
    nobody = pa.scalar(None, pa.string())
    return pc.if_else(pc.is_valid(told), "record", pc.if_else(pc.is_valid(known), "defaults", nobody))
