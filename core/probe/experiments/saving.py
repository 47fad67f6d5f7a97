"""The saving: the same prompt with and without the cache, held against what the price book computes.

Formula: measured = input side of the uncached call − input side of the cached read; computed = read tokens × (input
price − read price). They come from two different answers, so they agree only if counts and prices do.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import ROUND_CEILING, Decimal

from core.pricing import PricedCall
from core.probe.bench import Bench
from core.probe.experiments.write_read import fault_of, write_and_read
from core.probe.model import Finding, Problem

TOLERANCE = Decimal("0.02")
_ZERO = Decimal(0)


def run(bench: Bench) -> Finding:
    """Pass when the measured saving is within 2 % of the computed one."""
    pair = write_and_read(bench)
    fault = fault_of(bench, pair)
    if fault is not None:
        return fault
    uncached = bench.ask(replace(pair.ask, cache_ttl=None), "sending the same prompt without the cache")
    if uncached.read or uncached.written:
        problem = Problem("PRB-414", f"Without a mark {uncached.read} tokens were read, {uncached.written} written.")
        return Finding("failed", "The uncached request used the cache.", {"read_tokens": uncached.read}, problem)
    measured = _input_side(uncached.priced) - _input_side(pair.read.priced)
    computed = pair.read.priced.net_savings_usd or _ZERO
    premium = pair.write.priced.write_premium_usd or _ZERO
    evidence = {
        "computed_saving_usd": computed,
        "measured_saving_usd": measured,
        "difference_usd": measured - computed,
        "uncached_cost_usd": uncached.cost_usd,
        "cached_cost_usd": pair.read.cost_usd,
        "write_premium_usd": premium,
        "reads_to_break_even": _reads_to_break_even(premium, measured),
        "uncached_tokens": uncached.usage.prompt_tokens,
        "cached_tokens": pair.read.usage.prompt_tokens,
        "price_row": pair.read.priced.price_row,
    }
    if computed <= 0 or abs(measured - computed) > TOLERANCE * computed:
        problem = Problem("PRB-419", f"Measured ${_short(measured)}, computed ${_short(computed)} per read.")
        return Finding("failed", "The saving is not what it is computed to be.", evidence, problem)
    share = measured / _input_side(uncached.priced) * 100
    return Finding("passed", f"A read saves ${_short(measured)} ({share:.0f} % of the prompt), as computed.", evidence)


def _input_side(priced: PricedCall) -> Decimal:
    """Return what the prompt cost: answers differ in length, so they stay out of the comparison."""
    assert priced.cost_usd is not None
    assert priced.output_cost_usd is not None
    return priced.cost_usd - priced.output_cost_usd


def _short(amount: Decimal) -> str:
    return f"{amount.normalize():f}"


def _reads_to_break_even(premium: Decimal, saving: Decimal) -> int | None:
    return None if saving <= 0 else int((premium / saving).to_integral_value(ROUND_CEILING))
