"""Which calls the Calls page shows, beyond the filters of every page: its part of the address; pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from core.metrics import Which
from core.misses import CAUSE_ORDER

ANY = "all"
RECOVERABLE = "recoverable"  # every cause in which something can be had back
CHOICES: dict[str, tuple[str, ...]] = {
    "status": (ANY, "ok", "failed"),
    "priced": (ANY, "yes", "no"),
    "read": (ANY, "yes", "no"),
    "cause": (ANY, RECOVERABLE, *CAUSE_ORDER),
}
ORDERS = {
    "newest": "ts desc",
    "dearest": "cost_usd desc",
    "longest": "prompt_tokens desc",
    "slowest": "latency_ms desc",
}
_TOLD = {"yes": True, "no": False, "ok": True, "failed": False}


def key_of(name: str) -> str:
    """Return a choice's key in the address and in the session."""
    return f"calls_{name}"


def asked(*, start: datetime | None = None, end: datetime | None = None, **choices: str) -> dict[str, str]:
    """Return the address of some calls. Every choice is told, so that none is left over from an earlier visit.

    `order` may be among the choices: which calls are to stand on top.
    """
    told = {key_of(name): choices.get(name, ANY) for name in CHOICES}
    told[key_of("order")] = choices.get("order", next(iter(ORDERS)))
    if start is not None and end is not None:
        told |= {"from": start.astimezone(UTC).isoformat(), "to": end.astimezone(UTC).isoformat()}
    return told


def which(chosen: Mapping[str, str]) -> Which:
    """Return the choices as core.metrics takes them; a cause is the miss ledger's to look up."""
    told = {name: _TOLD.get(chosen.get(name, ANY)) for name in ("status", "priced", "read")}
    return Which(returned=told["status"], priced=told["priced"], read=told["read"])


def span(told: Mapping[str, str]) -> tuple[datetime, datetime] | None:
    """Return the stretch of time an address names, or None where it names none or nonsense."""
    try:
        start, end = (datetime.fromisoformat(told[name]) for name in ("from", "to"))
    except (KeyError, ValueError):
        return None
    if start.tzinfo is None or end.tzinfo is None or start >= end:
        return None
    return start.astimezone(UTC), end.astimezone(UTC)
