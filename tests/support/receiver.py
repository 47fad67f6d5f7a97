"""A local receiver of webhooks that answers as it is told and remembers what it got."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any


@dataclass
class Receiver:
    """What was received, and the statuses still to be answered (200 when there is none left)."""

    url: str = ""
    answers: list[int] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    got: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)  # by which it could tell a message that comes again

    @property
    def texts(self) -> list[str]:
        """The text of every message that was taken."""
        return [message["text"] for message in self.got]


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Run a receiver on this machine."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.keys.append(self.headers["Idempotency-Key"])
            status = receiver.answers.pop(0) if receiver.answers else 200
            if status == 200:
                receiver.got.append(json.loads(body))
            self.send_response(status)
            for name, value in receiver.headers.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            """Stay quiet."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    receiver.url = f"http://127.0.0.1:{server.server_port}/services/T000/B000/secret-token"
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
