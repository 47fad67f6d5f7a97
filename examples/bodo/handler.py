"""bodo: a WebSocket chat service on Lambda whose prompts are cached twice, in memory and by Claude.

Message in:  {"engine": "sales", "text": "Which bicycle suits me?"}
Messages out: {"type": "text", "text": "…"} as the answer arrives, then {"type": "done"} or {"type": "error", …}
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from core.caching.prompt_store import configure_prompt_store, epoch_seconds_from, get_prompt
from core.caching.prompt_table import PromptTable
from core.caching.request import DynamicContext, StaticContext, build_request
from core.client import ClaudeClient, client_settings
from core.errors import BadInput, CachewiseError

# All of this runs once per environment. A wrong switch (CACHE_TTL=30m) stops the function here, with its reason.
SETTINGS = client_settings(os.environ)
TABLE = PromptTable(os.environ["PROMPT_TABLE"])
configure_prompt_store(fetch=TABLE.fetch, read_epochs=TABLE.read_epochs, epoch_seconds=epoch_seconds_from(os.environ))
CLIENT = ClaudeClient(SETTINGS)
CLIENT.warm()
STATIC = StaticContext(
    {"location": os.environ.get("LOCATION", "Seoul"), "time_zone": os.environ.get("TIME_ZONE", "Asia/Seoul")}
)
MAX_TOKENS = int(os.environ.get("MAX_TOKENS", "1024"))
PIECE_CHARACTERS = 40  # every post_to_connection is an HTTP call: send words, not letters


class Gone(Exception):
    """The user has closed the connection."""


def handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    """Answer one WebSocket event: connect, disconnect or a message."""
    if event["requestContext"]["routeKey"] in {"$connect", "$disconnect"}:
        return {"statusCode": 200}
    connection = Connection(event["requestContext"])
    try:
        answer(event, connection, invocation_id=context.aws_request_id)
    except Gone:
        pass
    except CachewiseError as error:
        print(f"ERROR {error}")  # noqa: T201 - to CloudWatch Logs; the user learns the code only
        connection.send({"type": "error", "code": error.code})
    return {"statusCode": 200}


def answer(event: dict[str, Any], connection: Connection, *, invocation_id: str) -> None:
    """Stream Claude's answer to one message back to its sender."""
    engine, text = read_message(event.get("body"))
    request = build_request(
        get_prompt(engine).text,
        text,
        policy=SETTINGS.policy,
        engine=engine,
        static=STATIC,
        dynamic=DynamicContext(
            {"current_time": datetime.now(UTC).isoformat(timespec="seconds"), "session_id": connection.id}
        ),
        max_tokens=MAX_TOKENS,
    )
    with CLIENT.stream(request, invocation_id=invocation_id) as stream:
        for piece in in_pieces(stream.text()):
            connection.send({"type": "text", "text": piece})
    connection.send({"type": "done"})


def read_message(body: str | None) -> tuple[str, str]:
    """Take engine and text out of what the user sent."""
    try:
        message = json.loads(body or "")
        engine, text = message["engine"], message["text"]
    except (ValueError, TypeError, KeyError):
        engine = text = None
    if not isinstance(engine, str) or not isinstance(text, str) or not text:
        raise BadInput("A message could not be read.", code="BODO-400", mend='Send {"engine": "…", "text": "…"}.')
    return engine, text


def in_pieces(texts: Iterable[str]) -> Iterator[str]:
    """Join deltas into pieces worth an HTTP call each."""
    waiting = ""
    for text in texts:
        waiting += text
        if len(waiting) >= PIECE_CHARACTERS:
            yield waiting
            waiting = ""
    if waiting:
        yield waiting


class Connection:
    """The way back to one user: the API Gateway management API."""

    _clients: dict[str, Any] = {}  # noqa: RUF012 - one boto3 client per endpoint and environment

    def __init__(self, context: dict[str, Any]) -> None:
        self.id: str = context["connectionId"]
        endpoint = os.environ.get("CALLBACK_URL") or f"https://{context['domainName']}/{context['stage']}"
        if endpoint not in self._clients:
            import boto3

            self._clients[endpoint] = boto3.client("apigatewaymanagementapi", endpoint_url=endpoint)
        self._client = self._clients[endpoint]

    def send(self, message: dict[str, str]) -> None:
        """Post one message; raise Gone when nobody listens any more."""
        try:
            self._client.post_to_connection(ConnectionId=self.id, Data=json.dumps(message, ensure_ascii=False).encode())
        except self._client.exceptions.GoneException:
            raise Gone from None
