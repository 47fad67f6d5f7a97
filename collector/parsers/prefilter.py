"""A cheap look at a line: can it be ours at all? Most lines of a log end here, undecoded."""

from __future__ import annotations

_WORDS = ("RequestId", "Cache ", "Cost", "llm_usage", "Permanently", "platform.", "timed out", "INIT_REPORT")
_BYTES = tuple(word.encode() for word in _WORDS)
_REQUEST, _CACHE, _COST, _RECORD, _STORED, _PLATFORM, _TIMEOUT, _INIT = _WORDS
_B_REQUEST, _B_CACHE, _B_COST, _B_RECORD, _B_STORED, _B_PLATFORM, _B_TIMEOUT, _B_INIT = _BYTES
# JSON that others write; looked for only where there is an object at all, so that text lines do not pay for it:
# responses, sessions, batches, spend logs, spans | Bedrock's log | embedded metrics | failed spans | failed batch
# items | batch jobs of Bedrock
_JSON_WORDS = ("_tokens", "ModelInvocationLog", "CloudWatchMetrics", "gen_ai.", "custom_id", "modelInput")
_TOKENS, _BEDROCK, _METRICS, _SPAN, _BATCH, _JOB = _JSON_WORDS
JSON_BYTES = tuple(word.encode() for word in _JSON_WORDS)
"""The words of the formats that are JSON."""
_INDENTS = (" ", "\t")
_ENDED_BY = ('"stop_sequence":', '"stopReason":')  # of Claude's own API | of Bedrock's Converse
_B_TOKENS, _B_BEDROCK, _B_METRICS, _B_SPAN, _B_BATCH, _B_JOB = JSON_BYTES


def may_be_ours(message: str) -> bool:
    """Say whether a message holds one of the words that every line of ours has."""
    return (
        _REQUEST in message
        or _CACHE in message
        or _COST in message
        or _RECORD in message
        or _STORED in message
        or _PLATFORM in message
        or _TIMEOUT in message
        or _INIT in message
        or ("{" in message and _is_known_json(message))
    )


def may_hold_json(message: str) -> bool:
    """Say whether a message holds a word of the formats that are JSON."""
    return _RECORD in message or _is_known_json(message)


def is_of_an_answer(message: str) -> bool:
    """Say whether an event that cannot be ours is a line of an indented answer of Claude's, one event for each line.

    Every answer has one line of such a member, and hardly anything else has.
    """
    return message[:1] in _INDENTS and message.lstrip().startswith(_ENDED_BY)


def bytes_may_be_ours(line: bytes) -> bool:
    """Say the same of a line that has not been decoded yet."""
    return (
        _B_REQUEST in line
        or _B_CACHE in line
        or _B_COST in line
        or _B_RECORD in line
        or _B_STORED in line
        or _B_PLATFORM in line
        or _B_TIMEOUT in line
        or _B_INIT in line
        or (
            b"{" in line
            and (
                _B_TOKENS in line
                or _B_BEDROCK in line
                or _B_METRICS in line
                or _B_SPAN in line
                or _B_BATCH in line
                or _B_JOB in line
            )
        )
    )


def _is_known_json(message: str) -> bool:
    return (
        _TOKENS in message
        or _BEDROCK in message
        or _METRICS in message
        or _SPAN in message
        or _BATCH in message
        or _JOB in message
    )
