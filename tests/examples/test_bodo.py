"""bodo itself: its handler against DynamoDB and Secrets Manager (moto), the simulated Claude API and a real socket."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.caching.prompt_table import epoch_update
from tests.support import bodo
from tests.support.bodo import User

HIT = "✅ Cache HIT for [sales] - DB query skipped (permanent cache)"
MISS = "❌ Cache MISS for [sales] - fetching from DB"
STORED = "💾 Permanently cached prompt for [sales]"
Ask = Callable[..., list[str]]


def _record(lines: list[str]) -> dict[str, Any]:
    (record,) = [json.loads(line) for line in lines if line.startswith("{")]
    return record


def test_connect_and_disconnect_need_nothing(aws: Any) -> None:
    """They are answered without prompt, key or Claude."""
    handler = bodo.load_handler()

    for route in ("$connect", "$disconnect"):
        assert handler.handler(bodo.event(route), bodo.context()) == {"statusCode": 200}


def test_first_message_misses_and_writes_second_hits_and_reads(aws: Any, ask: Ask, user: User) -> None:
    """Both caches work: the prompt store's lines, and the Claude cache in the records."""
    handler = bodo.load_handler()

    first, second = ask(handler), ask(handler, text="And for my daughter?")

    assert first[:2] == [MISS, STORED]
    assert second[0] == HIT
    assert [line[:2] for line in (first[2], second[1])] == ["💰 ", "💰 "]
    written, read = _record(first)["usage"], _record(second)["usage"]
    assert written["cache_creation"]["ephemeral_1h_input_tokens"] > 4096
    assert written["cache_read_input_tokens"] == 0
    assert read["cache_read_input_tokens"] == written["cache_creation_input_tokens"]
    assert _record(first)["prefix"] == _record(second)["prefix"]
    assert _record(first)["request_id"] == "inv-1"
    assert user.messages[-1] == {"type": "done"}
    assert len(user.text) > 20


def test_raised_epoch_makes_the_next_message_a_miss(aws: Any, ask: Ask) -> None:
    """One UpdateItem clears the prompt store; the Claude cache stays, as the prompt is the same."""
    handler = bodo.load_handler()
    ask(handler)
    aws.update_item(**epoch_update(bodo.TABLE, epoch_ms=1_795_000_000_000))

    lines = ask(handler)

    assert lines[:2] == [MISS, STORED]
    assert _record(lines)["usage"]["cache_read_input_tokens"] > 4096


def test_caching_off_marks_nothing(aws: Any, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    """ENABLE_PROMPT_CACHING=false: every token is fresh input, and the record says that caching was off."""
    monkeypatch.setenv("ENABLE_PROMPT_CACHING", "false")
    handler = bodo.load_handler()

    ask(handler)
    record = _record(ask(handler))

    assert record["caching"]["enabled"] is False
    assert record["usage"]["cache_read_input_tokens"] == record["usage"]["cache_creation_input_tokens"] == 0
    assert record["usage"]["input_tokens"] > 4096


def test_bedrock_by_switch(aws: Any, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    """USE_ANTHROPIC_API=false streams from Bedrock."""
    monkeypatch.setenv("USE_ANTHROPIC_API", "false")
    monkeypatch.setenv("BEDROCK_MODEL", "global.anthropic.claude-opus-4-5-20251101-v1:0")
    handler = bodo.load_handler()

    record = _record(ask(handler))

    assert (record["provider"], record["status"], record["complete"]) == ("bedrock", "ok", True)
    assert record["usage"]["cache_creation_input_tokens"] > 4096


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"engine": "help", "text": "Hi"}, "SVC-404"),
        ({"engine": "sales"}, "BODO-400"),
        ({"engine": "a]b", "text": "Hi"}, "SVC-403"),
    ],
)
def test_user_learns_the_code_and_the_log_the_reason(
    aws: Any, user: User, capsys: pytest.CaptureFixture[str], body: dict[str, str], code: str
) -> None:
    """Errors never stop the function; details stay in the log."""
    handler = bodo.load_handler()

    handler.handler(bodo.event(**body), bodo.context())

    assert user.messages == [{"type": "error", "code": code}]
    assert f"ERROR {code}: " in capsys.readouterr().out


def test_user_who_leaves_ends_the_call_as_incomplete(aws: Any, ask: Ask, user: User) -> None:
    """GoneException: the stream is let go, its record tells what was known."""
    user.gone_after = 1
    handler = bodo.load_handler()

    record = _record(ask(handler))

    assert record["complete"] is False
    assert [message["type"] for message in user.messages] == ["text"]


def test_wrong_ttl_is_a_clear_error_at_start(aws: Any) -> None:
    """CACHE_TTL=30m stops the module's own code, in a process of its own as in Lambda, and names what is accepted."""
    started = subprocess.run(
        [sys.executable, "-c", "import handler"],
        env={**os.environ, "CACHE_TTL": "30m", "PYTHONPATH": f"{bodo.FOLDER}:{bodo.FOLDER.parents[1]}"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert started.returncode == 1
    assert "CACHE_TTL = '30m'" in started.stderr
    assert "5m or 1h" in started.stderr


def test_template_passes_cfn_lint() -> None:
    """The template is deployable as far as its linter can tell."""
    linted = subprocess.run(
        [str(Path(sys.executable).with_name("cfn-lint")), str(bodo.FOLDER / "template.yaml")],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (linted.returncode, linted.stdout) == (0, "")
