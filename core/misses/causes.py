"""The causes a missed token can have, in the order in which they are shown, each with its mend in one sentence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from core.caching.cache_model import TTL_MS

CauseName = Literal[
    "first_touch", "expired_5m", "expired_1h", "prefix_changed", "after_deploy", "after_clear",
    "concurrent_first_write", "below_minimum", "caching_off", "dynamic_tail", "lookback", "region_workspace", "unknown",
]  # fmt: skip
Confidence = Literal["measured", "inferred", "unknown"]
CONFIDENCES: tuple[Confidence, ...] = ("measured", "inferred", "unknown")


@dataclass(frozen=True, slots=True)
class Cause:
    """One cause: what it means, whether anything can be done, and what to do."""

    name: CauseName
    meaning: str
    mend_key: str  # names the mend in every language
    mend: str
    change: str = ""  # the code or setting to change
    avoidable: bool = True


CAUSES: tuple[Cause, ...] = (
    Cause(
        "first_touch", "Nobody had written this prefix before.", "none",
        "Nothing to mend: every prefix is written once.",
        avoidable=False,
    ),
    Cause(
        "expired_5m", "The entry's five minutes had passed since its last use.", "longer_ttl",
        "Let entries live 1 hour, or switch caching off where calls are further apart than that.", "CACHE_TTL=1h",
    ),
    Cause(
        "expired_1h", "The entry's hour had passed since its last use.", "off_or_keep_alive",
        "Switch caching off for this engine, or keep the entry warm, whichever the TTL Lab finds cheaper.",
        'cache_control: remove it from the "system" block of this engine',
    ),
    Cause(
        "prefix_changed", "The bytes before the breakpoint differed from the last call's.", "stable_prefix",
        "Move what changes (time, ids, user data) out of the system prompt into the user message.",
        'system=[{"type":"text","text":static,"cache_control":{…}}], '
        'messages=[{"role":"user","content":dynamic+question}]',
    ),
    Cause(
        "after_deploy", "A deploy changed the prefix: its first call writes it anew.", "calm_deploy",
        "Unavoidable once per change: bundle prompt changes and deploy them at a quiet hour.", avoidable=False,
    ),
    Cause(
        "after_clear", "The prompt was fetched anew and had changed: its first call writes it.", "calm_clear",
        "Unavoidable once per change: edit prompts together, and clear at a quiet hour.", avoidable=False,
    ),
    Cause(
        "concurrent_first_write", "Another call was still writing the same prefix.", "pre_warm",
        "Send one max_tokens=0 request before the burst, or let the first call answer before the others start.",
        "client.messages.create(max_tokens=0, …) a minute before the blast",
    ),
    Cause(
        "below_minimum", "The prefix is shorter than the model's smallest cacheable one.", "longer_prefix",
        "Move stable text (examples, tool descriptions) before the breakpoint until it reaches the minimum, or use a "
        "model with a smaller one.",
    ),
    Cause(
        "caching_off", "No breakpoint was set.", "switch_on", "Switch prompt caching on.", "ENABLE_PROMPT_CACHING=true",
    ),
    Cause(
        "dynamic_tail", "Comes after the last breakpoint: new in every call.", "shorter_tail",
        "Not a fault: shorten what is sent after the breakpoint, or move its stable part before it.", avoidable=False,
    ),
    Cause(
        "lookback", "The entry lay 20 or more blocks before the breakpoint.", "more_breakpoints",
        "Set a second breakpoint, so that each lies at most 19 blocks after what is cached.",
    ),
    Cause(
        "region_workspace", "The same prefix was warm in another cache: other provider, region or workspace.",
        "one_place", "Keep an engine's calls in one provider, region and workspace.",
    ),
    Cause(
        "unknown", "The logs do not tell.", "log_more",
        "Write structured call records with prefix fingerprints, so that the cause can be told.", avoidable=False,
    ),
)  # fmt: skip

NAMES: tuple[str, ...] = tuple(cause.name for cause in CAUSES)
CODE: dict[str, int] = {name: code for code, name in enumerate(NAMES)}
BY_NAME: dict[str, Cause] = {cause.name: cause for cause in CAUSES}


def expiry(ttl_ms: int) -> CauseName:
    """Return the cause of a miss whose entry had lived its time (ms) out."""
    return "expired_5m" if ttl_ms == TTL_MS["5m"] else "expired_1h"
