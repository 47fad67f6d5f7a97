"""Why a call has no price, and what is doubtful about a price: the one line in a table, written and read back.

Tables keep the English line, for people and for whoever reads them with other tools. What writes it here can read it
again, so that a page says the same in another language, of rows written years ago too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

REASONS = {
    # nothing to look up
    "no_counts": "no token counts were told",
    "no_time": "the time of the call is not known",
    "no_model": "no model was named",
    "ttl_unknown": "cache_ttl unknown: set defaults.cache_ttl",
    "model_unknown": "model unknown: set defaults.model",
    "negative": "negative token count",
    "too_large": "a single call above 1,000,000 USD: check the token counts",
    # not in the book
    "unknown_model": "unknown model {model}",
    "contradicting": "{model} is not priced: its published prices contradict each other",
    "not_priced": "{model} is not priced: {why}",
    "not_on_platform": "{model} is not sold on Claude Platform on AWS",
    "which_bedrock_price": "{model} on Bedrock has a global and a regional price: log the id that was requested, "
    "such as {example}",
    "no_1h_price": "{model} has no {scope} price for 1h cache writes",
    "no_price_before": "{model} has no {scope} price before {day}",
    "no_price": "{model} has no {scope} price",
    "unknown_provider": "provider {provider} is not in the price book",
    "application_profile": "application inference profile does not name its model: map its ARN to the model under "
    "[aliases] in a price file",
    "provisioned": "provisioned throughput is billed by the hour, not per token",
    "custom_model": "custom model has no list price: add its row in a price file",
    "imported_model": "imported model has no list price: add its row in a price file",
    "prompt_router": "prompt router does not name the model that served: map its ARN in a price file",
    "unknown_arn_kind": "Bedrock ARN of kind {kind} is not in the price book",
    "foreign_arn": "ARN is not one of a Bedrock model or inference profile",
    "unknown_profile": "Bedrock profile prefix {prefix}. is not in the price book",
    # modifiers without a price
    "batch_and_fast": "batch and fast cannot be combined",
    "prepaid_tier": "{tier} tier is prepaid capacity, not billed per token",
    "unknown_tier": "service tier {tier} is not in the price book",
    "unknown_speed": "speed {speed} is not in the price book",
    "no_fast_bedrock": "Bedrock has no fast mode",
    "no_fast": "{model} had no fast mode at the time of the call",
    "unknown_geo": "inference_geo {geo} is not in the price book",
    # doubts about a price
    "bedrock_batch": "Bedrock batch: half price, but not confirmed for every model",
    "bedrock_tier": "Bedrock {tier} tier: no published Claude price, priced as default",
    "no_surcharge": "inference_geo {geo} has no surcharge for {model}",
    "bedrock_refusal": "refusal without output: Bedrock's billing of it is not confirmed",
    "free_refusal": "refusal without output: not billed",
    "gov": "us-gov: price sources disagree (10 % or 20 % above global), priced 10 % above",
    "unlisted_profile": "AWS lists no {prefix}. price for {model}, priced as the other regions",
    "incomplete": "stream broke off: output is a lower bound",
    "split_unknown": "cache-write TTL not told: priced as 5m",
}
_JOINED = "; "


def reason(key: str, **fields: object) -> str:
    """Return the line of a reason."""
    return REASONS[key].format(**fields)


def joined(reasons: Iterable[str]) -> str | None:
    """Return several doubts as one line; None when there are none."""
    return _JOINED.join(reasons) or None


def read(line: str) -> list[tuple[str, Mapping[str, str]]] | None:
    """Return the keys and fields that a line was made from; None when it is not one of ours."""
    whole = _one(line)  # a model's name may hold what joins two reasons
    told = [whole] if whole else [_one(part) for part in line.split(_JOINED)]
    return None if None in told else [one for one in told if one is not None]


def in_korean(line: str) -> str:
    """Return the line in Korean; one that is not ours as it is."""
    told = read(line)
    if told is None:
        return line
    return _JOINED.join(_korean()[key].format(**fields) for key, fields in told)


def _one(line: str) -> tuple[str, Mapping[str, str]] | None:
    return next(((key, found.groupdict()) for key, form in _forms() if (found := form.fullmatch(line))), None)


@cache
def _forms() -> list[tuple[str, re.Pattern[str]]]:
    """Return what recognises each reason, in the order of REASONS: the exact ones before those that take any text."""
    return [(key, _form(text)) for key, text in REASONS.items()]


def _form(text: str) -> re.Pattern[str]:
    parts = re.split(r"\{(\w+)\}", text)
    return re.compile("".join(f"(?P<{part}>.+)" if at % 2 else re.escape(part) for at, part in enumerate(parts)))


@cache
def _korean() -> Mapping[str, str]:
    import tomllib  # for pages alone

    return tomllib.loads((Path(__file__).parent / "reasons_ko.toml").read_text(encoding="utf-8"))
