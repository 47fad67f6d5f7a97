"""Answers that Bedrock moved out of its invocation log: fetched for their counts, and nothing else of them is kept.

Above 100 KB the log holds an address in place of the body. Only there does it stand for how long what was written to
the cache lives, and the message's id. https://docs.aws.amazon.com/bedrock/latest/userguide/model-invocation-logging.html
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import orjson

from collector.event import LogEvent
from collector.parsers.bedrock_log import counts_of, is_invocation_log
from collector.sources.base import Batch
from collector.sources.file_bytes import chunks
from collector.sources.s3_faults import unread_bodies
from core.errors import BadInput

MAX_BODY = 64 * 1024 * 1024
_PATH = "outputBodyS3Path"
_KEPT = 20_000
_AGAIN_MS = 10 * 60 * 1000
Counts = dict[str, Any] | list[Any]
Fetch = Callable[[str, str], Counts | None]
"""From bucket and key to the counts of the answer that is there; None where it cannot be read."""


class MovedBodies:
    """Fetches the bodies that lines of the log name, each once; what cannot be read is tried again later.

    Lines are read again in every overlap and re-scan: what their bodies told is kept, so that they say the same.
    """

    def __init__(self, client: Callable[[], Any]) -> None:
        self._client = client
        self._read: dict[str, Counts | None] = {}  # by path
        self._failed: dict[str, int] = {}  # path to when it could not be read
        self._paths: list[str] = []  # that failed in this batch
        self._error: Exception | None = None
        self._requests = 0

    def fill(self, events: Iterable[LogEvent], batch: Batch, *, now_ms: int) -> None:
        """Put the counts of moved bodies into the events that name one; count what it took and what failed."""
        self._paths, self._error, self._requests = [], None, 0
        for event in events:
            if _PATH in event.message:
                event.message = with_body(event.message, lambda bucket, key: self._counts(bucket, key, now_ms))
        batch.requests += self._requests
        if self._error is not None:
            batch.problems.append(unread_bodies(self._error, self._paths))

    def _counts(self, bucket: str, key: str, now_ms: int) -> Counts | None:
        path = f"s3://{bucket}/{key}"
        if path in self._read:
            return self._read[path]
        if now_ms - self._failed.get(path, 0) < _AGAIN_MS:
            return None
        self._requests += 1
        try:
            data: bytes = self._client().get_object(Bucket=bucket, Key=key)["Body"].read(MAX_BODY)
        except Exception as error:  # noqa: BLE001  # boto3 raises classes made at run time; the log's counts stand
            self._paths.append(path)
            self._error = self._error or error
            self._failed[path] = now_ms
            return None
        self._failed.pop(path, None)
        body = _told(data)
        self._read[path] = None if body is None else counts_of(body)
        if len(self._read) > _KEPT:
            del self._read[next(iter(self._read))]
        return self._read[path]


def with_body(message: str, fetch: Fetch) -> str:
    """Return a line of the invocation log with the counts of its moved answer; any other line as it is."""
    if _PATH not in message:
        return message
    try:
        record = orjson.loads(message)
    except orjson.JSONDecodeError:
        return message
    output = record.get("output") if isinstance(record, dict) and is_invocation_log(record) else None
    if not isinstance(output, dict) or output.get("outputBodyJson"):
        return message
    path = output.get(_PATH)
    if not isinstance(path, str) or not path.startswith("s3://"):
        return message
    bucket, _, key = path.removeprefix("s3://").partition("/")
    counts = fetch(bucket, key) if bucket and key else None
    if counts is None:
        return message
    return orjson.dumps({**record, "output": {**output, "outputBodyJson": counts}}).decode()


def _told(data: bytes) -> Mapping[str, Any] | list[Any] | None:
    plain = bytearray()
    try:
        for piece in chunks(io.BytesIO(data)):
            plain += piece
            if len(plain) > MAX_BODY:
                return None
        body = orjson.loads(plain)
    except (BadInput, orjson.JSONDecodeError):
        return None
    return body if isinstance(body, dict | list) else None
