"""Results of a batch inference job of Bedrock: the files that it leaves in S3, `….jsonl.out`.

https://docs.aws.amazon.com/bedrock/latest/userguide/batch-inference-results.html
A line holds what was asked beside what was answered: neither is kept, only what the answer counts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

from collector.parsers.anthropic_json import is_response, parse_response
from collector.parsers.facts import CallRecord, Parsed, skipped
from collector.parsers.values import caching_seen, inner, may_be_claude, text, usage_in, written_ttl
from core.errors import BadInput

_INPUT = Parsed("ignored", "batch_input")
_CODE = re.compile(r"[\w.-]{1,60}")  # a word, and nobody's sentence
_OTHER_MODEL = Parsed("ignored", "other_model")


def is_result(body: Mapping[str, Any]) -> bool:
    """Say whether a JSON object is a line of such a job: its input too, which stands beside its results."""
    return isinstance(body.get("modelInput"), Mapping) and ("recordId" in body or "modelOutput" in body)


def parse_result(body: Mapping[str, Any]) -> Parsed:
    """Read a line: an answer at the batch price, a failed request, or one that waits for its job. Raises BadInput."""
    answer = body.get("modelOutput")
    if isinstance(answer, Mapping) and answer:
        return _parse_answer(answer, inner(body, "modelInput"))
    error = body.get("error")
    if error is None:
        return _INPUT if "modelOutput" not in body else skipped("no_usage")
    if not _is_for_claude(inner(body, "modelInput")):
        return _OTHER_MODEL
    told = inner(body, "error").get("errorCode")
    return _recognised(_call(status="error", error_type=str(told) if _CODE.fullmatch(str(told)) else "error"))


def _parse_answer(answer: Mapping[str, Any], asked: Mapping[str, Any]) -> Parsed:
    model = text(answer, "model")
    if is_response(answer):
        if model is not None and not may_be_claude(model):
            return _OTHER_MODEL
        parsed = parse_response(answer, told_by="batch_result")
        facts = tuple(replace(cast("CallRecord", fact), provider="bedrock") for fact in parsed.facts)
        return replace(parsed, facts=facts)
    if not (_is_of_converse(answer) and _is_for_claude(asked, converse=True)):
        return _OTHER_MODEL
    if not isinstance(answer.get("usage"), Mapping):
        return skipped("no_usage")
    try:
        usage = replace(usage_in({"usage": answer["usage"]}), service_tier="batch")
    except BadInput:
        return skipped("bad_count")
    return _recognised(
        replace(
            _call(),
            usage=usage,
            caching_enabled=caching_seen(usage),
            cache_ttl=written_ttl(usage),
            stop_reason=text(answer, "stopReason"),
            complete=usage.complete,
        )
    )


def _is_for_claude(asked: Mapping[str, Any], *, converse: bool = False) -> bool:
    """Say whether a request is one to Claude: InvokeModel's says so, Converse's is the same for all models.

    A job's lines do not name its model. What other vendors' own requests hold tells them from Converse's.
    """
    if "anthropic_version" in asked:
        return True
    own = "schemaVersion" in asked or "inputText" in asked or "prompt" in asked
    return not own and (converse or "inferenceConfig" in asked or isinstance(asked.get("messages"), list))


def _is_of_converse(answer: Mapping[str, Any]) -> bool:
    return "stopReason" in answer and isinstance(answer.get("output"), Mapping)


def _call(*, status: str = "ok", error_type: str | None = None) -> CallRecord:
    return CallRecord(None, None, "bedrock", None, None, None, status=status, error_type=error_type,
                      told_by="batch_result")  # fmt: skip


def _recognised(fact: CallRecord) -> Parsed:
    return Parsed("recognised", "batch_result", (fact,))
