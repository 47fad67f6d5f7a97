"""The asynchronous client: the same as the synchronous one, for an event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Any

from core.caching.request import PromptRequest
from core.client import sdk
from core.client.account import CallAccount, CallReport
from core.client.base import ClientBase
from core.client.synchronous import Reply
from core.errors import OurBug


class AsyncCallStream:
    """An answer on its way. Use it as a context manager: leaving it early records the call as incomplete."""

    def __init__(self, stream: Any, door: sdk.Door, account: CallAccount) -> None:
        self._stream, self._door, self._account = stream, door, account

    @property
    def report(self) -> CallReport | None:
        """The account of the call, once it has ended."""
        return self._account.report

    async def __aiter__(self) -> AsyncIterator[Any]:
        """Yield the provider's events as they come; usage is followed through to `message_stop`."""
        try:
            async for event in self._stream:
                self._account.feed(event)
                yield event
        except Exception as error:
            self._account.close(error)
            explained = sdk.explain(error, self._door)
            if explained is error:
                raise
            raise explained from error
        self._account.close()

    async def text(self) -> AsyncIterator[str]:
        """Yield only the pieces of text."""
        async for event in self:
            if event.type == "content_block_delta" and event.delta.type == "text_delta":
                yield event.delta.text

    async def close(self) -> CallReport:
        """Let go of the connection and end the account; what had not arrived by now is unknown."""
        await self._stream.close()
        return self._account.close()

    async def __aenter__(self) -> AsyncCallStream:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


class AsyncClaudeClient(ClientBase):
    """Claude through Anthropic or Bedrock, asynchronously."""

    asynchronous = True

    async def create(
        self,
        request: PromptRequest,
        *,
        invocation_id: str | None = None,
        tenant: str | None = None,
        diagnose: bool = False,
        previous_message_id: str | None = None,
    ) -> Reply:
        """Send the request and wait for the whole answer.

        `tenant` is whom the call is charged to; it goes into the record alone, never to Claude. `diagnose` asks the
        direct API why the cache was missed, compared with `previous_message_id`.
        """
        for door in self._doors:
            account = self._account(door, request, invocation_id=invocation_id, tenant=tenant, diagnose=diagnose)
            try:
                body = sdk.arguments(door, request, diagnose=diagnose, previous_message_id=previous_message_id)
                answer = await (await self._opened_client(door)).messages.with_raw_response.create(**body)
                account.answered(answer.http_response)
                message = await answer.parse()
            except Exception as error:  # noqa: BLE001 — recorded, then raised or answered by the next door
                self._failed(error, door, account)
                continue
            except asyncio.CancelledError as error:
                account.close(error)
                raise
            account.feed(message)
            return Reply(message, account.close())
        raise OurBug("A call went through no door.", code="SVC-499", mend="Please report it.")

    async def stream(
        self,
        request: PromptRequest,
        *,
        invocation_id: str | None = None,
        tenant: str | None = None,
        diagnose: bool = False,
        previous_message_id: str | None = None,
    ) -> AsyncCallStream:
        """Send the request and return its stream. Fallback happens before the stream begins, never inside it."""
        for door in self._doors:
            account = self._account(door, request, invocation_id=invocation_id, tenant=tenant, diagnose=diagnose)
            try:
                body = sdk.arguments(door, request, diagnose=diagnose, previous_message_id=previous_message_id)
                stream = await (await self._opened_client(door)).messages.create(**body, stream=True)
                account.answered(stream.response)
            except Exception as error:  # noqa: BLE001 — recorded, then raised or answered by the next door
                self._failed(error, door, account)
                continue
            except asyncio.CancelledError as error:
                account.close(error)
                raise
            return AsyncCallStream(stream, door, account)
        raise OurBug("A call went through no door.", code="SVC-499", mend="Please report it.")

    async def count_tokens(self, request: PromptRequest) -> int | None:
        """Ask the API how many tokens the prompt has, for free; None where the provider cannot count (Bedrock)."""
        door = self._doors[0]
        if door.provider != "anthropic":
            return None
        try:
            opened = await self._opened_client(door)
            counted = await opened.messages.count_tokens(**sdk.counting_arguments(door, request))
        except Exception as error:
            explained = sdk.explain(error, door)
            if explained is error:
                raise
            raise explained from error
        return int(counted.input_tokens)

    async def close(self) -> None:
        """Close the connections of the SDK's clients."""
        for opened in self._opened.values():
            await opened.close()

    async def _opened_client(self, door: sdk.Door) -> Any:
        # The key's read and the SDK's import block: they must not stop the loop.
        return self._opened.get(door.provider) or await asyncio.to_thread(self._open, door)
