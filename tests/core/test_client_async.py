"""The asynchronous client does what the synchronous one does."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal
from typing import Any

import httpx2
import pytest

from core.caching.policy import CachePolicy
from core.caching.request import build_request
from core.client import AsyncClaudeClient, ClientSettings
from core.errors import TryAgain
from tests.support import claude
from tests.support.claude import Api, Ticks

REQUEST = build_request("You sell bicycles. " * 900, "Which one?", policy=CachePolicy(), engine="sales")


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ANTHROPIC_BASE_URL", raising=False)


def _client(api: Api, said: list[str], **settings: Any) -> AsyncClaudeClient:
    return AsyncClaudeClient(
        ClientSettings(fingerprint_key=b"k" * 32, **settings),
        api_key="sk-ant-not-a-key",
        http_client=api.async_http_client(),
        say=said.append,
        now=lambda: 1_795_000_000.0,
        timer=Ticks(),
    )


def _records(said: list[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in said if line.startswith("{")]


def test_whole_answer() -> None:
    """`await create` answers and records the same as the synchronous client."""
    said: list[str] = []

    reply = asyncio.run(_client(Api(claude.whole()), said).create(REQUEST))

    assert reply.text == "Hello."
    assert reply.report.cost_usd == Decimal("0.00781")
    assert _records(said)[0]["attempts"] == 1


def test_stream() -> None:
    """`async for` yields the text; the account is closed at the end."""
    said: list[str] = []

    async def run() -> list[str]:
        client = _client(Api(claude.streamed(claude.stream_events())), said)
        async with await client.stream(REQUEST) as stream:
            pieces = [piece async for piece in stream.text()]
        await client.close()
        return pieces

    assert asyncio.run(run()) == ["Hel", "lo."]
    (record,) = _records(said)
    assert (record["complete"], record["ttft_ms"], record["latency_ms"]) == (True, 10.0, 20.0)


def test_stream_left_early_is_incomplete() -> None:
    """Leaving the block ends the account with what had arrived."""
    said: list[str] = []

    async def run() -> None:
        client = _client(Api(claude.streamed(claude.stream_events())), said)
        async with await client.stream(REQUEST) as stream:
            async for _ in stream:
                break

    asyncio.run(run())
    assert _records(said)[0]["complete"] is False


def test_failure_is_recorded_and_explained() -> None:
    """An overload that stays becomes TryAgain with its record."""
    said: list[str] = []

    with pytest.raises(TryAgain, match="SVC-434"):
        asyncio.run(_client(Api(claude.failed(529, "overloaded_error")), said, max_retries=0).create(REQUEST))

    (record,) = _records(said)
    assert (record["status"], record["error_type"], record["attempts"]) == ("error", "overloaded_error", 1)


def test_cancelled_call_is_recorded() -> None:
    """A call whose task is cancelled has still been sent: it is told, as an error."""
    said: list[str] = []

    class Hanging(Api):
        async def answer_async(self, request: httpx2.Request) -> httpx2.Response:
            await asyncio.sleep(60)
            raise AssertionError

    async def run() -> None:
        async with asyncio.timeout(0.5):
            await _client(Hanging(claude.whole()), said).create(REQUEST)

    with pytest.raises(TimeoutError):
        asyncio.run(run())

    (record,) = _records(said)
    assert (record["status"], record["error_type"]) == ("error", "CancelledError")


def test_tokens_are_counted() -> None:
    """The asynchronous client counts too."""
    api = Api(httpx2.Response(200, json={"input_tokens": 4321}))

    assert asyncio.run(_client(api, []).count_tokens(REQUEST)) == 4321
