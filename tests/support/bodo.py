"""bodo for tests: its prompt table and secret, a place to post answers to, and its handler freshly loaded."""

from __future__ import annotations

import importlib.util
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

FOLDER = Path(__file__).parents[2] / "examples" / "bodo"
TABLE = "bodo-prompts"
PROMPT = "You sell bicycles in Seoul and know every one of them by name. " * 500


def put_prompts(dynamodb: Any, *engines: str, text: str = PROMPT) -> None:
    """Create the prompt table with an item per engine."""
    dynamodb.create_table(
        TableName=TABLE,
        KeySchema=[{"AttributeName": "engine", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "engine", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    for engine in engines:
        item = {"engine": {"S": engine}, "prompt": {"S": f"{engine}: {text}"}, "version": {"S": "1"}}
        dynamodb.put_item(TableName=TABLE, Item=item)


_loaded: list[ModuleType] = []


def close_handlers() -> None:
    """Close the clients of every handler that was loaded, as an environment's end does."""
    while _loaded:
        _loaded.pop().CLIENT.close()


def load_handler() -> ModuleType:
    """Load handler.py as a new environment would: its module code runs again, in the current environment variables."""
    spec = importlib.util.spec_from_file_location("bodo_handler", FOLDER / "handler.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    _loaded.append(module)
    return module


def event(route: str = "$default", **message: str) -> dict[str, Any]:
    """Return what API Gateway sends for one WebSocket event."""
    context = {"routeKey": route, "connectionId": "conn-1", "domainName": "example.test", "stage": "live"}
    return {"requestContext": context, "body": json.dumps(message) if message else None}


def context(request_id: str = "inv-1") -> Any:
    """Return the part of Lambda's context that bodo reads."""
    return SimpleNamespace(aws_request_id=request_id)


class User:
    """A user's end of the WebSocket: what was posted to the connection; `gone` closes it."""

    def __init__(self) -> None:
        self.messages: list[dict[str, str]] = []
        self.gone_after: int | None = None
        self.url = ""

    def take(self, data: bytes) -> int:
        """Take one posted message; return the HTTP status that the management API would give."""
        if self.gone_after is not None and len(self.messages) >= self.gone_after:
            return 410
        self.messages.append(json.loads(data))
        return 200

    @property
    def text(self) -> str:
        """The answer as the user reads it."""
        return "".join(message["text"] for message in self.messages if message["type"] == "text")


@contextmanager
def listening_user() -> Iterator[User]:
    """Serve the management API's POST /@connections/{id} on 127.0.0.1 while the block runs."""
    user = User()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            status = user.take(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(status)
            if status == 410:
                self.send_header("x-amzn-ErrorType", "GoneException")
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    user.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield user
    finally:
        server.shutdown()
        thread.join(5)
        server.server_close()
