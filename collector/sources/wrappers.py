"""What stands around a log line once a container's runtime, a shipper or the journal has passed it on.

Docker's json-file and fluentd drivers, Fluent Bit and FireLens put it into an object under `log`, the journal under
`MESSAGE`; Kubernetes puts time, stream and a flag in front. Lines over 8 to 48 kB come in pieces.
https://docs.docker.com/engine/logging/drivers/json-file/ · https://github.com/kubernetes/design-proposals-archive (CRI
log format) · https://systemd.io/JOURNAL_EXPORT_FORMATS/
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from collector.parsers.clock import iso_ms
from collector.parsers.values import inner, moment_ms, text, whole

PIECE = 16 * 1024 - 16
"""Docker cuts a line into pieces of 16 kB, and marks none of them: a shorter one without its newline is whole."""
_HINTS = ('"log":', '"log" :', '"MESSAGE":', '"MESSAGE" :')
_CRI = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)) (stdout|stderr) ([FP])(?::\S*)? ?")
_HEAD = re.compile(
    rb"\s*(?:\d{4}-\d\d-\d\dT\S+ std(?:out|err) [FP][ :]|\x1e?\{[^\n]*"
    rb'"(?:log|MESSAGE|__REALTIME_TIMESTAMP|container_name|container_id)"\s*:)'
)
_UNTOLD = re.compile(rb'"MESSAGE"\s*:\s*(?:\[|null)')
_OPENS = re.compile(rb'"(?:log|MESSAGE)"\s*:\s*"\{\s*(?:\\r)?(?:\\n)?"')
_PARTIAL_CRI = re.compile(rb"\d{4}-\d\d-\d\dT\S+ std(?:out|err) P[ :]")
TIMES = ("time", "timestamp", "@timestamp", "date", "ts", "_time")
_JOURNAL_TIMES = ("__REALTIME_TIMESTAMP", "_SOURCE_REALTIME_TIMESTAMP")


@dataclass(frozen=True, slots=True)
class Unwrapped:
    """A line, or a piece of one, out of what stood around it."""

    message: str | None  # None: what stood around it says that it was left out
    ts_ms: int | None = None
    stream: str | None = None  # who wrote it, where several write into one file
    pieces: str = ""  # tells the pieces of one line from those of others
    more: bool = False  # its next piece follows


def is_wrapped(head: bytes) -> bool:
    """Say whether a file's lines have something around them that may cut them into pieces."""
    return _HEAD.match(head) is not None


def may_hide(line: bytes) -> bool:
    """Say whether a line may be ours although it shows no word of ours: in a piece, or as numbers."""
    if len(line) >= PIECE:
        return True
    if line[:1] == b"2":
        return _PARTIAL_CRI.match(line) is not None
    return (
        b'"_p"' in line
        or b"partial_message" in line
        or b"PARTIAL_MESSAGE" in line
        or b"_LINE_BREAK" in line
        or (b'"MESSAGE"' in line and _UNTOLD.search(line) is not None)
    )


def may_open(line: bytes) -> bool:
    """Say whether a line may be the first of an object over several: what it holds is a brace and nothing else."""
    if line[:1] == b"2":
        return line.endswith((b" {", b" {\r"))
    return b'"{' in line and _OPENS.search(line) is not None


def unwrap(line: str) -> Unwrapped | None:
    """Take a line out of what stands around it; None: nothing does that is known here."""
    if line[:1] == "2":
        found = _CRI.match(line)
        if found is None:
            return None
        return Unwrapped(line[found.end() :], iso_ms(found[1]), None, found[2], found[3] == "P")
    if line[:1] not in ("{", "\x1e") or not any(hint in line for hint in _HINTS):
        return None
    try:
        body = orjson.loads(line.lstrip("\x1e"))
    except orjson.JSONDecodeError:
        return None
    return opened(body) if isinstance(body, dict) else None


def opened(body: Mapping[str, Any]) -> Unwrapped | None:
    """Take a line out of an object that was put around it."""
    log = body.get("log")
    if isinstance(log, str):
        return _shipped(body, log)
    if "MESSAGE" in body and any(name in body for name in _JOURNAL_TIMES):
        return _journalled(body)
    return None


def time_of(body: Mapping[str, Any]) -> int | None:
    """Return the time that an object around a line tells."""
    return next((ms for name in TIMES if (ms := moment_ms(whole(body.get(name)))) is not None), None)


def _shipped(body: Mapping[str, Any], log: str) -> Unwrapped:
    """Open what Docker, Fluent Bit, Fluentd or FireLens wrote."""
    more = body.get("_p") == "P" or (_is_true(body.get("partial_message")) and not _is_true(body.get("partial_last")))
    if body.keys() <= {"log", "stream", "time", "attrs"} and "time" in body:
        more = not log.endswith("\n") and len(log.encode("utf-8", "surrogatepass")) >= PIECE
    told = "|".join(str(body.get(name, "")) for name in ("stream", "source", "partial_id"))
    return Unwrapped(log.rstrip("\r\n") if not more else log, time_of(body), _writer(body), told, more)


def _journalled(body: Mapping[str, Any]) -> Unwrapped:
    """Open what `journalctl -o json` printed; it writes a field that is no plain text as a list of bytes."""
    said = body["MESSAGE"]
    if isinstance(said, list):
        try:
            said = bytes(said).decode("utf-8", "replace")
        except (ValueError, TypeError):
            said = None
    stamp = next((ms for name in _JOURNAL_TIMES if (ms := moment_ms(whole(body.get(name)))) is not None), None)
    more = body.get("_LINE_BREAK") == "line-max" or _is_true(body.get("CONTAINER_PARTIAL_MESSAGE"))
    told = str(body.get("_STREAM_ID") or body.get("CONTAINER_PARTIAL_ID") or "")
    writer = text(body, "CONTAINER_NAME", "_SYSTEMD_UNIT", "_SYSTEMD_USER_UNIT", "SYSLOG_IDENTIFIER")
    return Unwrapped(said if isinstance(said, str) else None, stamp, writer, told, more)


def _writer(body: Mapping[str, Any]) -> str | None:
    pod = inner(body, "kubernetes")
    names = [text(pod, name) for name in ("namespace_name", "pod_name", "container_name")]
    if any(names):
        return "/".join(name for name in names if name)
    task, container = text(body, "ecs_task_arn"), text(body, "container_name", "container_id")
    return "/".join(name for name in ((task or "").rpartition("/")[2], (container or "").lstrip("/")) if name) or None


def _is_true(value: Any) -> bool:
    return value is True or value == "true"
