"""The ledger added up by cause without writing its lines: for reports, which need the sums of millions of calls.

The figures are those of `summary.groups(lines, ("cause",))`, to the last digit; a test holds one against the other.
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Any

import numpy as np

from core.misses.causes import NAMES
from core.misses.judge import INFERRED, MEASURED, judge
from core.misses.ledger import Lines, lost, prefix_lines, tail_lines
from core.misses.mending import savings
from core.traffic import Traffic
from core.traffic.arrays import Ints

SUMS = ("tokens", "calls", "measured_tokens", "inferred_tokens", "unknown_tokens")
DOLLARS = ("usd", "recoverable_usd")
_EXACT = Context(prec=60, rounding=ROUND_HALF_EVEN)
_HALF = 10**9  # sums of whole picodollars are taken in two halves, so that none can run over
Sums = dict[str, dict[str, Any]]


def by_cause(calls: Traffic) -> Sums:
    """Return SUMS and DOLLARS of each cause that occurs; dollars are None where no line of it has a price."""
    verdict = judge(calls)
    back = savings(calls, verdict)
    found: Sums = {}
    for lines, mended in ((prefix_lines(calls, verdict), back), (tail_lines(calls, verdict), None)):
        rates = calls.rates.take(lines.row)
        missed = lost(lines, rates)
        recovered = np.zeros(len(lines.row), dtype=np.int64) if mended is None else mended[lines.row]
        for code in np.unique(lines.cause).tolist():
            here = lines.cause == code
            add(found, {NAMES[code]: _row(lines, here, rates.known & here, missed, recovered)})
    return found


def add(into: Sums, more: Sums) -> None:
    """Add the sums of other calls to the first ones."""
    for cause, row in more.items():
        known = into.setdefault(cause, dict.fromkeys(SUMS, 0) | dict.fromkeys(DOLLARS))
        for name in SUMS:
            known[name] += row[name]
        for name in DOLLARS:
            if row[name] is not None:
                known[name] = row[name] + (known[name] or 0)


def _row(lines: Lines, here: Any, priced: Any, missed: Ints, recovered: Ints) -> dict[str, Any]:
    tokens = lines.tokens[here]
    sure = lines.confidence[here]
    measured, inferred = (int(tokens[sure == code].sum()) for code in (MEASURED, INFERRED))
    whole = int(tokens.sum())
    return {
        "tokens": whole,
        "calls": int(here.sum()),
        "measured_tokens": measured,
        "inferred_tokens": inferred,
        "unknown_tokens": whole - measured - inferred,
        "usd": dollars(missed[priced]),
        "recoverable_usd": dollars(recovered[priced]),
    }


def dollars(picodollars: Ints) -> Decimal | None:
    """Add up whole picodollars as dollars; None where there are none to add."""
    if not len(picodollars):
        return None
    high, low = np.divmod(picodollars, _HALF)
    return _EXACT.scaleb(Decimal(int(high.sum()) * _HALF + int(low.sum())), -12)
