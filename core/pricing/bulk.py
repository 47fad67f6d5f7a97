"""Pricing a whole table at once: the same rates as the scalar path, the arithmetic in int64 picodollars.

Rows are grouped by everything that decides a rate; each group asks the book once, then columns are multiplied.
Needs numpy and pyarrow, so nothing that runs inside Lambda imports it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from core.pricing import stepped
from core.pricing.cost import COST_LIMIT, NEGATIVE, TOO_LARGE, PricedCall, no_1h_price, reason_text
from core.pricing.model import ModelRef, Rates, Unpriced
from core.pricing.quote import Question
from core.pricing.reasons import reason

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from core.pricing.book import PriceBook

    Ints = NDArray[np.int64]
    Bools = NDArray[np.bool_]

COUNTS = ("input_tokens", "cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens", "output_tokens")
WORDS = ("provider", "model", "service_tier", "speed", "inference_geo", "stop_category")
AMOUNTS = tuple(item.name for item in fields(PricedCall) if item.name.endswith("_usd"))
COLUMNS = ("price_status", "price_reason", "price_row", "price_book", "model_id", *AMOUNTS)
NO_COUNTS = reason("no_counts")
NO_TIME = reason("no_time")
NO_MODEL = reason("no_model")
_US_PER_DAY = 86_400_000_000
_SAFE_COUNT = 2**50
_SAFE_PICODOLLARS = 9e17  # well inside int64, and inside what float64 can tell apart from COST_LIMIT

_FROM_GROUP, _NO_COUNTS, _NO_TIME, _NEGATIVE, _NO_1H, _TOO_LARGE = range(6)


@dataclass(frozen=True, slots=True)
class _Group:
    """The answer of the book for rows that share everything that decides a rate."""

    ref: ModelRef | Unpriced
    rates: Rates | Unpriced

    def text(self, verdict: int, incomplete: bool, split_unknown: bool) -> str | None:
        """Return the reason column of a row of this group."""
        if verdict == _NO_1H and isinstance(self.ref, ModelRef):
            return no_1h_price(self.ref.model_id, self.ref.scope)
        if verdict != _FROM_GROUP:
            return {_NO_COUNTS: NO_COUNTS, _NO_TIME: NO_TIME, _NEGATIVE: NEGATIVE, _TOO_LARGE: TOO_LARGE}[verdict]
        if isinstance(self.rates, Unpriced):
            return self.rates.reason
        return reason_text(self.rates.flags, incomplete=incomplete, split_unknown=split_unknown)


def price_table(book: PriceBook, calls: pa.Table) -> pa.Table:
    """Price every row of a table with the columns of the calls table; returns the price columns in the same order.

    Optional columns: stop_reason, stop_category, has_output, billed_steps, complete, ttl_split_known. Null counts or
    times are unpriced.
    """
    import numpy as np

    counts, told = _counts(calls)
    searches = _integers(calls, "web_search_requests")
    segment, timed = _segments(book, calls)
    prompt = sum(np.minimum(counts[name], _SAFE_COUNT) for name in COUNTS[:4])
    size = np.searchsorted(np.array(book.thresholds, dtype=np.int64), prompt, side="left")
    refused = _equals(calls, "stop_reason", "refusal") & ~_answered(calls, counts["output_tokens"])
    words = [_codes(calls, name) for name in WORDS]
    group, first = _group(
        [
            *((codes, len(values)) for codes, values in words),
            (segment, len(book.days) + 1),
            (size, len(book.thresholds) + 1),
            (refused.astype(np.int64), 2),
        ]
    )
    groups = [
        _ask(
            book,
            [values[codes[row]] for codes, values in words],
            segment=int(segment[row]),
            size=int(size[row]),
            refused=bool(refused[row]),
        )
        for row in first.tolist()
    ]
    rates = _Rates(groups, group)
    verdict = _verdicts(rates, counts, searches, told=told, timed=timed)
    priced = rates.known & (verdict == _FROM_GROUP)
    incomplete = _equals(calls, "complete", False)
    split_unknown = _equals(calls, "ttl_split_known", False) & (counts[COUNTS[2]] + counts[COUNTS[3]] > 0)
    reason_key = ((group * 6 + verdict) * 2 + incomplete) * 2 + split_unknown
    priced_columns = _table(
        book,
        texts={
            "price_status": _spread(priced.astype(np.int64), lambda key: "priced" if key else "unpriced"),
            "price_reason": _spread(
                reason_key, lambda key: groups[key // 24].text(key // 4 % 6, bool(key & 2), bool(key & 1))
            ),
            "price_row": _spread(np.where(priced, group, -1), lambda key: _row_name(groups[key]) if key >= 0 else None),
            "model_id": _spread(group, lambda key: groups[key].ref.model_id),
        },
        amounts=_amounts(rates, counts, searches),
        priced=priced,
    )
    return stepped.lay_over(book, calls, priced_columns)


def _answered(calls: pa.Table, output_tokens: Ints) -> Bools:
    """Say which calls gave any output: as told, else by their output tokens."""
    import numpy as np

    told_no = _equals(calls, "has_output", False)
    told_yes = _equals(calls, "has_output", True)
    found: Bools = np.where(told_no | told_yes, told_yes, output_tokens > 0)
    return found


def _ask(book: PriceBook, words: Sequence[str | None], *, segment: int, size: int, refused: bool) -> _Group:
    provider, model, tier, speed, geo, category = words
    ref = book.resolve(model, provider) if model is not None else Unpriced(NO_MODEL)
    if isinstance(ref, Unpriced):
        return _Group(ref, ref)
    question = Question(
        ref, segment, size, tier or "", speed or "", geo or "", refused, (category or "") if refused else ""
    )
    return _Group(ref, book.rates(question))


def _row_name(group: _Group) -> str | None:
    return group.rates.row if isinstance(group.rates, Rates) else None


class _Rates:
    """The rates of every row, gathered from its group."""

    def __init__(self, groups: Sequence[_Group], group: Ints) -> None:
        import numpy as np

        answers = [item.rates if isinstance(item.rates, Rates) else None for item in groups]

        def column(read: Callable[[Rates], int | None]) -> Ints:
            values = [0 if rates is None else read(rates) or 0 for rates in answers]
            return np.array(values, dtype=np.int64)[group] if values else np.zeros(0, dtype=np.int64)

        def marks(values: Sequence[bool]) -> Bools:
            return np.array(values, dtype=np.bool_)[group] if values else np.zeros(0, dtype=np.bool_)

        self.input = column(lambda rates: rates.input)
        self.read = column(lambda rates: rates.cache_read)
        self.write_5m = column(lambda rates: rates.cache_write_5m)
        self.write_1h = column(lambda rates: rates.cache_write_1h)
        self.output = column(lambda rates: rates.output)
        self.search = column(lambda rates: rates.web_search)
        self.known = marks([rates is not None for rates in answers])
        self.resolved = marks([isinstance(item.ref, ModelRef) for item in groups])
        self.without_1h = marks([rates is not None and rates.cache_write_1h is None for rates in answers])


def _verdicts(rates: _Rates, counts: dict[str, Ints], searches: Ints, *, told: Bools, timed: Bools) -> Ints:
    """Decide per row what keeps it from a price, later assignments being the stronger reasons."""
    import numpy as np

    verdict = np.full(len(searches), _FROM_GROUP, dtype=np.int64)
    verdict[_too_large(rates, counts, searches) & rates.known] = _TOO_LARGE
    verdict[rates.without_1h & (counts["cache_write_1h_tokens"] > 0)] = _NO_1H
    negative = searches < 0
    for name in COUNTS:
        negative |= counts[name] < 0
    verdict[negative & rates.resolved] = _NEGATIVE
    verdict[~timed] = _NO_TIME
    verdict[~told] = _NO_COUNTS
    return verdict


def _too_large(rates: _Rates, counts: dict[str, Ints], searches: Ints) -> Bools:
    """Find rows of a million dollars or more. Floats pick the suspects, whole numbers of any size decide."""
    import numpy as np

    columns = [*(counts[name] for name in COUNTS), searches]
    priced = [rates.input, rates.read, rates.write_5m, rates.write_1h, rates.output, rates.search]
    plain = [rates.input] * 4 + [rates.output, rates.search]
    suspect = np.zeros(len(searches), dtype=np.bool_)
    for prices in (priced, plain):
        total = sum(column.astype(np.float64) * price for column, price in zip(columns, prices, strict=True))
        suspect |= total >= _SAFE_PICODOLLARS
    for row in np.flatnonzero(suspect).tolist():
        amounts = (
            sum(int(column[row]) * int(price[row]) for column, price in zip(columns, prices, strict=True))
            for prices in (priced, plain)
        )
        suspect[row] = max(amounts) >= COST_LIMIT
    return suspect


def _amounts(rates: _Rates, counts: dict[str, Ints], searches: Ints) -> dict[str, Ints]:
    """Multiply and add: every amount of a priced row is below a million dollars, so int64 holds it exactly."""
    fresh, read, write_5m, write_1h, output = (counts[name] for name in COUNTS)
    parts = {
        "input_cost_usd": fresh * rates.input,
        "cache_read_cost_usd": read * rates.read,
        "cache_write_5m_cost_usd": write_5m * rates.write_5m,
        "cache_write_1h_cost_usd": write_1h * rates.write_1h,
        "output_cost_usd": output * rates.output,
        "tools_cost_usd": searches * rates.search,
    }
    cost: Ints = sum(parts.values())  # type: ignore[assignment] # sum() starts from the int 0
    gross = read * (rates.input - rates.read)
    premium = write_5m * (rates.write_5m - rates.input) + write_1h * (rates.write_1h - rates.input)
    return parts | {
        "cost_usd": cost,
        "no_cache_cost_usd": cost + gross - premium,
        "gross_savings_usd": gross,
        "write_premium_usd": premium,
        "net_savings_usd": gross - premium,
    }


def _table(book: PriceBook, *, texts: dict[str, pa.Array], amounts: dict[str, Ints], priced: Bools) -> pa.Table:
    import pyarrow as pa

    columns = texts | {name: _decimals(values, priced) for name, values in amounts.items()}
    columns["price_book"] = pa.repeat(pa.scalar(book.version, pa.string()), len(priced))
    return pa.table({name: columns[name] for name in COLUMNS})


def _decimals(picodollars: Ints, valid: Bools) -> pa.Array:
    """Lay int64 picodollars out as DECIMAL(18,12): 16 bytes little-endian, the upper half is the sign."""
    import numpy as np
    import pyarrow as pa

    halves = np.empty((len(picodollars), 2), dtype="<i8")
    halves[:, 0] = np.where(valid, picodollars, 0)
    halves[:, 1] = halves[:, 0] >> 63
    bitmap = pa.py_buffer(np.packbits(valid, bitorder="little").tobytes())
    return pa.Array.from_buffers(pa.decimal128(18, 12), len(picodollars), [bitmap, pa.py_buffer(halves)])


def _spread(keys: Ints, text: Callable[[int], str | None]) -> pa.Array:
    """Write one string per distinct key and spread it over the rows."""
    import numpy as np
    import pyarrow as pa

    distinct, index = np.unique(keys, return_inverse=True)
    values = pa.array([text(int(key)) for key in distinct], pa.string())
    return values.take(pa.array(index.reshape(-1)))


def _group(parts: Sequence[tuple[Ints, int]]) -> tuple[Ints, Ints]:
    """Number the distinct combinations of several code columns; return (group of each row, a row of each group)."""
    import numpy as np

    key, width = np.zeros(len(parts[0][0]), dtype=np.int64), 1
    for codes, distinct in parts:
        if width * distinct >= 2**62:  # keep the combined code inside int64
            kept, key = np.unique(key, return_inverse=True)
            key, width = key.reshape(-1), len(kept)
        key, width = key * distinct + codes, width * distinct
    _, first, index = np.unique(key, return_index=True, return_inverse=True)
    return index.reshape(-1), first


def _counts(calls: pa.Table) -> tuple[dict[str, Ints], Bools]:
    """Return the five token columns, and which rows tell all of them."""
    import numpy as np

    told = np.ones(calls.num_rows, dtype=np.bool_)
    for name in COUNTS:
        told &= calls.column(name).is_valid().to_numpy()
    return {name: _integers(calls, name) for name in COUNTS}, told


def _integers(calls: pa.Table, name: str) -> Ints:
    import numpy as np
    import pyarrow as pa

    if name not in calls.column_names:
        return np.zeros(calls.num_rows, dtype=np.int64)
    return calls.column(name).cast(pa.int64()).fill_null(0).to_numpy()


def _segments(book: PriceBook, calls: pa.Table) -> tuple[Ints, Bools]:
    """Return each row's price segment by its UTC date, and which rows know their time."""
    import numpy as np
    import pyarrow as pa

    column = calls.column("ts").cast(pa.timestamp("us", tz="UTC"))
    days = column.cast(pa.int64()).fill_null(0).to_numpy() // _US_PER_DAY
    turning = np.array([np.datetime64(day, "D") for day in book.days], dtype="datetime64[D]").astype(np.int64)
    return np.searchsorted(turning, days, side="right"), column.is_valid().to_numpy()


def _equals(calls: pa.Table, name: str, value: Any) -> Bools:
    """Say where an optional column holds a value; null never does."""
    import numpy as np
    import pyarrow.compute as pc

    if name not in calls.column_names:
        return np.zeros(calls.num_rows, dtype=np.bool_)
    return pc.equal(calls.column(name), value).fill_null(False).to_numpy()


def _codes(calls: pa.Table, name: str) -> tuple[Ints, list[str | None]]:
    """Number the distinct values of an optional string column, null being one of them."""
    import numpy as np
    import pyarrow as pa

    if name not in calls.column_names:
        return np.zeros(calls.num_rows, dtype=np.int64), [None]
    column = calls.column(name).cast(pa.string())
    encoded = (
        pa.concat_arrays(column.chunks).dictionary_encode()
        if column.num_chunks
        else pa.DictionaryArray.from_arrays(pa.array([], pa.int32()), pa.array([], pa.string()))
    )
    values = encoded.dictionary.to_pylist()
    return encoded.indices.fill_null(len(values)).to_numpy().astype(np.int64), [*values, None]
