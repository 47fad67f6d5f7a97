"""The synchronous client: `create` for a whole answer, `stream` for one that arrives piece by piece."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from core.caching.request import PromptRequest
from core.client import sdk
from core.client.account import CallAccount, CallReport
from core.client.base import ClientBase
from core.errors import OurBug


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer and its account. `message` is the SDK's Message."""

    message: Any
    report: CallReport

    @property
    def text(self) -> str:
        """The answer's text blocks, joined."""
        return "".join(block.text for block in self.message.content if block.type == "text")


class CallStream:
    """An answer on its way. Use it as a context manager: leaving it early records the call as incomplete."""

    def __init__(self, stream: Any, door: sdk.Door, account: CallAccount) -> None:
        self._stream, self._door, self._account = stream, door, account

    @property
    def report(self) -> CallReport | None:
        """The account of the call, once it has ended."""
        return self._account.report

    def __iter__(self) -> Iterator[Any]:
        """Yield the provider's events as they come; usage is followed through to `message_stop`."""
        try:
            for event in self._stream:
                self._account.feed(event)
                yield event
        except Exception as error:
            self._account.close(error)
            explained = sdk.explain(error, self._door)
            if explained is error:
                raise
            raise explained from error
        self._account.close()

    def text(self) -> Iterator[str]:
        """Yield only the pieces of text."""
        for event in self:
            if event.type == "content_block_delta" and event.delta.type == "text_delta":
                yield event.delta.text

    def close(self) -> CallReport:
        """Let go of the connection and end the account; what had not arrived by now is unknown."""
        self._stream.close()
        return self._account.close()

    def __enter__(self) -> CallStream:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class ClaudeClient(ClientBase):
    """Claude through Anthropic or Bedrock, synchronously. One client serves all threads of an environment."""

    def create(
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
                answer = self._open(door).messages.with_raw_response.create(**body)
                account.answered(answer.http_response)
                message = answer.parse()
            except Exception as error:  # noqa: BLE001 — recorded, then raised or answered by the next door
                self._failed(error, door, account)
                continue
            account.feed(message)
            return Reply(message, account.close())
        raise OurBug("A call went through no door.", code="SVC-499", mend="Please report it.")

    def stream(
        self,
        request: PromptRequest,
        *,
        invocation_id: str | None = None,
        tenant: str | None = None,
        diagnose: bool = False,
        previous_message_id: str | None = None,
    ) -> CallStream:
        """Send the request and return its stream. Fallback happens before the stream begins, never inside it."""
        for door in self._doors:
            account = self._account(door, request, invocation_id=invocation_id, tenant=tenant, diagnose=diagnose)
            try:
                body = sdk.arguments(door, request, diagnose=diagnose, previous_message_id=previous_message_id)
                stream = self._open(door).messages.create(**body, stream=True)
                account.answered(stream.response)
            except Exception as error:  # noqa: BLE001 — recorded, then raised or answered by the next door
                self._failed(error, door, account)
                continue
            return CallStream(stream, door, account)
        raise OurBug("A call went through no door.", code="SVC-499", mend="Please report it.")

    def count_tokens(self, request: PromptRequest) -> int | None:
        """Ask the API how many tokens the prompt has, for free; None where the provider cannot count (Bedrock)."""
        door = self._doors[0]
        if door.provider != "anthropic":
            return None
        try:
            counting = self._open(door).messages.with_raw_response
            answer = counting.count_tokens(**sdk.counting_arguments(door, request))
            self._desk.simulated = self._desk.simulated or sdk.is_simulated(answer.http_response)
            counted = answer.parse()
        except Exception as error:
            self._desk.simulated = self._desk.simulated or sdk.is_simulated(error)
            explained = sdk.explain(error, door)
            if explained is error:
                raise
            raise explained from error
        return int(counted.input_tokens)

    def close(self) -> None:
        """Close the connections of the SDK's clients."""
        for opened in self._opened.values():
            opened.close()
