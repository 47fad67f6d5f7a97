"""Whatever JSON comes in, the answer is a message or an API error, never a crash."""

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simulator.messages import Simulator

SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-1, 3), st.text(max_size=3), st.sampled_from(["user", "text"])
)
NAMES = st.sampled_from(["type", "text", "role", "content", "cache_control", "ttl", "citations", "source", "format"])
JSON = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=4)),
    max_leaves=12,
)
MEMBERS = ("tools", "system", "cache_control", "diagnostics", "tool_choice", "thinking", "output_config", "speed")
BODIES = st.fixed_dictionaries(
    {
        "model": st.one_of(st.just("claude-opus-5"), JSON),
        "max_tokens": st.one_of(st.just(5), JSON),
        "messages": st.one_of(
            st.lists(st.fixed_dictionaries({"role": st.just("user"), "content": JSON}), min_size=1, max_size=3), JSON
        ),
    },
    optional=dict.fromkeys((*MEMBERS, "stream"), JSON),
)


@pytest.fixture(scope="module")
def door(simulator: Simulator) -> Iterator[httpx2.Client]:
    """Plain HTTP, as the SDK would not send most of this."""
    with httpx2.Client(base_url=simulator.url, headers={"x-api-key": "sk-ant-sim-any"}) as client:
        yield client


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(body=BODIES)
def test_any_body_gets_an_answer_in_the_apis_form(door: httpx2.Client, body: dict[str, Any]) -> None:
    """200 with a message, or 400 and 404 with an error object."""
    answer = door.post("/v1/messages", json=body)

    assert answer.status_code in (200, 400, 404), answer.text
    if answer.status_code != 200:
        assert set(answer.json()["error"]) == {"type", "message"}
