"""Requests whose prefix stays byte-identical."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.caching.policy import CachePolicy
from core.caching.request import (
    DynamicContext,
    PromptRequest,
    StaticContext,
    build_request,
    minimum_warning,
)
from core.errors import BadInput

POLICY = CachePolicy()
SEOUL = {"location": "Seoul", "time_zone": "Asia/Seoul"}
MARK = {"type": "ephemeral", "ttl": "5m"}


def test_static_goes_into_system_and_dynamic_into_the_user_message() -> None:
    """One system block with the breakpoint; the time and the session come after it."""
    request = build_request(
        "You are a guide.",
        "What now?",
        policy=POLICY,
        engine="guide",
        static=StaticContext(SEOUL),
        dynamic=DynamicContext({"current_time": "2026-11-22T10:00:00Z", "session_id": "s-1"}),
    )

    assert request.body()["system"] == [
        {
            "type": "text",
            "text": 'You are a guide.\n\n<context>{"location":"Seoul","time_zone":"Asia/Seoul"}</context>',
            "cache_control": {"type": "ephemeral", "ttl": "1h"},
        }
    ]
    assert request.body()["messages"] == [
        {
            "role": "user",
            "content": [
                {
                    "type": "text",
                    "text": '<context>{"current_time":"2026-11-22T10:00:00Z","session_id":"s-1"}</context>',
                },
                {"type": "text", "text": "What now?"},
            ],
        }
    ]


@given(st.permutations(sorted(SEOUL)), st.text(), st.text())
def test_prefix_is_byte_identical(order: list[str], first_text: str, second_text: str) -> None:
    """Two requests of one engine: same bytes of tools and system, whatever the key order, text, time and session."""
    tool = {"name": "find", "input_schema": {"type": "object", "properties": {"b": {}, "a": {}}}}
    swapped = {"input_schema": {"properties": {"a": {}, "b": {}}, "type": "object"}, "name": "find"}
    one = build_request(
        "Prompt",
        first_text,
        policy=POLICY,
        static=StaticContext(SEOUL),
        tools=[tool],
        dynamic=DynamicContext({"session_id": first_text}),
    )
    two = build_request(
        "Prompt",
        second_text,
        policy=POLICY,
        static=StaticContext({name: SEOUL[name] for name in order}),
        tools=[swapped],
        dynamic=DynamicContext({"now": datetime.now(UTC), "session_id": second_text}),
    )

    assert json.dumps([one.body()["tools"], one.body()["system"]]) == json.dumps(
        [two.body()["tools"], two.body()["system"]]
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("current_time", "noon"),
        ("Session_ID", "s-1"),
        ("opened", datetime(2026, 1, 1, tzinfo=UTC)),
        ("opened", 1.5),
        ("opened", None),
        ("opened", "2026-11-22T10:00:00Z"),
        ("opened", "since 2026-11-22 10:00"),
        ("visitor", "6f1c0d0e-2d3b-4c9a-9c55-0b8a6c8d1e2f"),
        ("opened", 1795000000000),
        ("list", ["a"]),
    ],
)
def test_dynamic_values_cannot_enter_the_static_context(name: str, value: Any) -> None:
    """Times, ids and changing types are refused by name, by type and by look."""
    with pytest.raises(BadInput, match=r"SVC-420.*DynamicContext"):
        StaticContext({name: value})


def test_a_dynamic_context_is_not_taken_for_a_static_one() -> None:
    """An unchecked caller who swaps the two is stopped."""
    swapped: Any = DynamicContext({"session_id": "s-1"})
    with pytest.raises(BadInput, match="SVC-422"):
        build_request("Prompt", "Hi", policy=POLICY, static=swapped)
    with pytest.raises(BadInput, match="SVC-422"):
        build_request("Prompt", "Hi", policy=POLICY, static={"location": "Seoul"})  # type: ignore[arg-type]


def test_a_static_context_cannot_be_changed_after_its_check() -> None:
    """Neither through itself nor through the mapping it was made of."""
    values: dict[str, Any] = dict(SEOUL)
    static = StaticContext(values)
    values["session_id"] = "s-1"
    closed: Any = static.values
    with pytest.raises(TypeError):
        closed["session_id"] = "s-1"

    assert dict(static.values) == SEOUL


def test_caching_off_marks_nothing() -> None:
    """The block is the same but for the breakpoint."""
    request = build_request("Prompt", "Hi", policy=CachePolicy(caching_enabled=False))

    assert "cache_control" not in json.dumps(request.body())
    assert request.cache_ttl is None


def _with_marks(*ttls: str | None, options: dict[str, Any] | None = None) -> PromptRequest:
    blocks = tuple(
        {"type": "text", "text": str(at), **({"cache_control": {"type": "ephemeral", "ttl": ttl}} if ttl else {})}
        for at, ttl in enumerate(ttls)
    )
    return PromptRequest(engine=None, system=blocks, messages=(), options=options or {})


def test_four_breakpoints_are_accepted_and_five_refused() -> None:
    """Automatic caching takes one of the four."""
    _with_marks("1h", "1h", "5m", None, "5m")
    _with_marks("1h", "1h", "5m", options={"cache_control": MARK})

    with pytest.raises(BadInput, match="CAC-001"):
        _with_marks("5m", "5m", "5m", "5m", "5m")
    with pytest.raises(BadInput, match="CAC-001"):
        _with_marks("5m", "5m", "5m", "5m", options={"cache_control": MARK})


def test_1h_must_come_before_5m_over_tools_system_and_messages() -> None:
    """The order is that of the prefix, whatever part the breakpoint stands in."""
    tool = {"name": "find", "input_schema": {}, "cache_control": MARK}
    with pytest.raises(BadInput, match="CAC-003"):
        build_request("Prompt", "Hi", policy=POLICY, tools=[tool])
    inside = {
        "type": "tool_result",
        "tool_use_id": "t",
        "content": [{"type": "text", "text": "x", "cache_control": MARK}],
    }
    build_request("Prompt", "Hi", policy=POLICY, history=[{"role": "user", "content": [inside]}])


@pytest.mark.parametrize(
    ("control", "code"),
    [({"type": "ephemeral", "ttl": "30m"}, "SVC-424"), ({"type": "permanent"}, "SVC-423"), (True, "SVC-423")],
)
def test_unknown_breakpoints_are_refused(control: Any, code: str) -> None:
    """The message names what Claude accepts."""
    with pytest.raises(BadInput, match=code):
        PromptRequest(engine=None, system=({"type": "text", "text": "x", "cache_control": control},), messages=())


def test_a_prefix_below_the_minimum_is_warned_about() -> None:
    """Below the model's minimum the API silently does not cache."""
    short = build_request("Short prompt.", "Hi", policy=POLICY, engine="sales")
    long = build_request("Long prompt. " * 2000, "Hi", policy=POLICY, engine="sales")

    warning = minimum_warning(short, minimum_tokens=4096, model="claude-opus-4-5")

    assert warning is not None
    assert "'sales' has about 7 tokens; claude-opus-4-5 caches nothing below 4096" in warning
    assert minimum_warning(long, minimum_tokens=4096, model="claude-opus-4-5") is None
    assert minimum_warning(short, minimum_tokens=None, model="unknown") is None


def test_the_text_of_a_conversation_stays_out_of_representations() -> None:
    """A request in a traceback does not show what the user wrote."""
    assert "my secret" not in repr(build_request("Prompt", "my secret", policy=POLICY))
