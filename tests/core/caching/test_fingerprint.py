"""Fingerprints tell change, never text."""

from __future__ import annotations

import pytest

from core.caching.fingerprint import block_fingerprint, fingerprint_key, prefix_fingerprint
from core.errors import FixSettings

KEY = b"0123456789abcdef"
MARK = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
TOOL = {"name": "find", "input_schema": {}}
FIRST = {"type": "text", "text": "You sell bicycles."}
SECOND = {"type": "text", "text": "In Seoul.", **MARK}


def test_a_changed_block_changes_its_own_and_the_prefix_fingerprint() -> None:
    """So the record shows which block broke the cache."""
    before = prefix_fingerprint(tools=[TOOL], system=[FIRST, SECOND], key=KEY)
    after = prefix_fingerprint(tools=[TOOL], system=[{**FIRST, "text": "You sell boats."}, SECOND], key=KEY)

    assert before is not None
    assert after is not None
    assert [block["part"] for block in before.as_record()] == ["tools", "system", "system"]
    same = [a == b for a, b in zip(before.blocks, after.blocks, strict=True)]
    assert same == [True, False, True]
    assert before.prefix != after.prefix


def test_what_comes_after_the_breakpoint_does_not_count() -> None:
    """Only what is cached is fingerprinted."""
    tail = {"type": "text", "text": "not cached"}

    assert prefix_fingerprint(tools=[], system=[SECOND, tail], key=KEY) == prefix_fingerprint(
        tools=[], system=[SECOND], key=KEY
    )


def test_nothing_marked_has_no_fingerprint() -> None:
    """Without a breakpoint there is no prefix."""
    assert prefix_fingerprint(tools=[TOOL], system=[FIRST], key=KEY) is None


def test_the_lifetime_is_no_content_and_key_order_is() -> None:
    """Another TTL is the same prefix; another key order is another one."""
    short = {**SECOND, "cache_control": {"type": "ephemeral", "ttl": "5m"}}

    assert block_fingerprint(SECOND, KEY) == block_fingerprint(short, KEY)
    assert block_fingerprint({"a": 1, "b": 2}, KEY) != block_fingerprint({"b": 2, "a": 1}, KEY)


def test_another_key_gives_other_fingerprints() -> None:
    """Logs of two deployments cannot be compared, nor a guess confirmed without the key."""
    assert block_fingerprint(FIRST, KEY) != block_fingerprint(FIRST, b"fedcba9876543210")


def test_key_from_environment_or_deployment() -> None:
    """FINGERPRINT_KEY wins; else each function and region has its own; a short one is refused unquoted."""
    assert fingerprint_key({"FINGERPRINT_KEY": "0123456789abcdef"}) == KEY
    seoul = {"AWS_REGION": "ap-northeast-2", "AWS_LAMBDA_FUNCTION_NAME": "bodo-ws"}
    assert fingerprint_key(seoul) == fingerprint_key(dict(seoul))
    assert fingerprint_key(seoul) != fingerprint_key({**seoul, "AWS_REGION": "us-east-1"})
    with pytest.raises(FixSettings, match="SVC-421") as refused:
        fingerprint_key({"FINGERPRINT_KEY": "hunter2"})
    assert "hunter2" not in str(refused.value)
