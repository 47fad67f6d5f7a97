"""The [probe] table of cachewise.toml: how the live probe asks Claude, and what a run may spend."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from core.errors import FixSettings
from core.settings_tables import positive, table_of
from core.source_settings import CACHE_TTLS, PROVIDERS

_AGE = re.compile(r"([0-9]{1,6})([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
SHORTEST_EVERY_S = 60.0


@dataclass(frozen=True, slots=True)
class ProbeSettings:
    """How the live probe asks Claude, and how much a run may spend. The key itself is never a setting."""

    provider: str = "anthropic"
    model: str | None = None  # None: a cheap one, see core.probe
    other_model: str | None = None  # for the experiment that changes the model; None: the cheapest that fits
    secret_name: str | None = None  # in Secrets Manager; ANTHROPIC_API_KEY goes over it
    budget_usd: Decimal = Decimal("0.05")  # of one run
    every_s: float | None = None  # how often the canary runs
    cache_ttl: str = "5m"
    prefix_tokens: int | None = None  # None: enough for the model's minimum
    max_wait_s: float = 360.0  # how long the TTL ladder may wait in real time
    prompt_table: str | None = None  # None: that of the first source that can be cleared
    prompt_key: str = "engine"
    prompt_engine: str | None = None  # whose prompt is read; None: an in-memory reader, labelled as such
    region: str | None = None


_KEYS = {item.name for item in fields(ProbeSettings)} - {"every_s"} | {"every"}


def read_probe(data: Mapping[str, Any], path: Path | None) -> ProbeSettings:
    """Check and build the [probe] table. Raises FixSettings with what is accepted."""
    table = dict(table_of(data, "probe", _KEYS, path))
    for name, accepted in (("provider", PROVIDERS), ("cache_ttl", CACHE_TTLS)):
        if name in table and table[name] not in accepted:
            raise FixSettings(
                f"{path}: probe.{name} = {table[name]!r}.",
                code="CFG-015",
                mend=f"Accepted: {', '.join(accepted)}.",
                about=(path, name, table[name]),
            )
    if "budget_usd" in table:
        table["budget_usd"] = usd_amount(table["budget_usd"], where=f"{path}: probe.budget_usd")
    if "every" in table:
        table["every_s"] = every_seconds(str(table.pop("every")), where=f"{path}: probe.every")
    if "max_wait_s" in table:
        table["max_wait_s"] = float(positive(table["max_wait_s"], "probe.max_wait_s", path))
    if "prefix_tokens" in table:
        table["prefix_tokens"] = int(positive(table["prefix_tokens"], "probe.prefix_tokens", path))
    for name in _KEYS & table.keys() - {"budget_usd", "max_wait_s", "prefix_tokens"}:
        if not (isinstance(table[name], str) and table[name].strip()):
            raise FixSettings(
                f"{path}: probe.{name} = {table[name]!r}.",
                code="CFG-015",
                mend="Accepted: a text.",
                about=(path, name, table[name]),
            )
    return ProbeSettings(**table)


def every_seconds(text: str, *, where: str = "every") -> float:
    """Read how often the canary runs: 90s, 30m, 1h or 1d. Raises FixSettings for other forms and under a minute."""
    found = _AGE.fullmatch(text.strip())
    seconds = int(found[1]) * _SECONDS[found[2]] if found else 0
    if seconds < SHORTEST_EVERY_S:
        raise FixSettings(
            f"{where} = {text!r} is not an interval.",
            code="CFG-015",
            mend="Accepted: 90s, 30m, 1h, 1d; 60s at least.",
            about=(where,),
        )
    return float(seconds)


def usd_amount(value: object, *, where: str) -> Decimal:
    """Read an amount of dollars above 0, exactly. Raises FixSettings."""
    try:
        amount = Decimal(str(value)) if isinstance(value, int | float | str | Decimal) else Decimal("NaN")
    except InvalidOperation:
        amount = Decimal("NaN")
    if isinstance(value, bool) or not amount.is_finite() or not 0 < amount <= 1000:
        raise FixSettings(
            f"{where} = {value!r}.",
            code="CFG-015",
            mend="Accepted: dollars above 0, such as 0.05.",
            about=(where, value),
        )
    return amount
