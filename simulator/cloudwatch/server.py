"""The HTTP door of the simulated CloudWatch, on 127.0.0.1 only: point boto3's `endpoint_url` at it."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from simulator.cloudwatch.answers import DEFAULT_ACCOUNT, ROLE_KEY, Answer, Cloud

_CREDENTIAL = re.compile(r"Credential=([^/]+)/\d{8}/([a-z0-9-]+)/")


class _Door(BaseHTTPRequestHandler):
    """One connection. `cloud` is set by the server that uses it."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    cloud: Cloud

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(length)
        if len(body) < length:
            raise ConnectionResetError("the client was killed half way through its request")
        target = self.headers.get("X-Amz-Target", "")
        if target:
            account, region = self._who()
            answer = self.cloud.logs(target.rpartition(".")[2], json.loads(body), account=account, region=region)
        elif self.path == "/_clock":
            self.cloud.clock.advance(float(json.loads(body)["advance_s"]))
            answer = self._time()
        else:
            answer = self.cloud.assume_role(body.decode())
        self._say(answer)

    def do_GET(self) -> None:
        answer = self._time() if self.path == "/_clock" else self.cloud.function(self.path)
        self._say(answer)

    def _who(self) -> tuple[str, str]:
        """Return (account, region) of the keys that signed the request."""
        found = _CREDENTIAL.search(self.headers.get("Authorization", ""))
        if not found:
            return DEFAULT_ACCOUNT, "us-east-1"
        key = found[1]
        return (key[len(ROLE_KEY) :] if key.startswith(ROLE_KEY) else DEFAULT_ACCOUNT), found[2]

    def _time(self) -> Answer:
        return Answer(200, json.dumps({"now_ms": self.cloud.now_ms}).encode(), "application/json")

    def _say(self, answer: Answer) -> None:
        self.send_response_only(answer.status)
        self.send_header("Date", format_datetime(self.cloud.clock.now(), usegmt=True))
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        if answer.error:
            self.send_header("x-amzn-ErrorType", answer.error)
        self.send_header("x-amzn-RequestId", "00000000-0000-4000-8000-000000000000")
        self.end_headers()
        self.wfile.write(answer.body[: len(answer.body) // 2] if answer.cut else answer.body)
        self.close_connection = answer.cut

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True  # the client was killed; that is what some tests do

    def log_message(self, format: str, *args: Any) -> None:
        """Keep requests, which carry names of log groups, out of every log."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64


@contextmanager
def running_cloud(cloud: Cloud, *, port: int = 0) -> Iterator[str]:
    """Serve while the block runs; yield the URL."""
    server = _Server(("127.0.0.1", port), type("Door", (_Door,), {"cloud": cloud}))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join(5)
        server.server_close()
