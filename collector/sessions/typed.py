"""The form in which Claude Code writes a line, as types: what else stands in a line is passed over and not kept.

msgspec checks the JSON of all of it and the types of what is named here. Whatever does not fit raises, and is looked at
by `lines.py` as it stands (docs/decisions/103-session-lines-by-type.md).
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Raw, Struct, UnsetType, field
from msgspec.json import Decoder

from core.usage.shapes import INVOCATION_METRICS

Absent = Literal["\0"] | UnsetType
"""Of a member that a line in this form does not have."""
Nothing = Annotated[list[Raw], Meta(max_length=0)] | None


class Split(Struct, gc=False):
    """`usage.cache_creation`: how long what was written is kept."""

    ephemeral_5m_input_tokens: int
    ephemeral_1h_input_tokens: int


class Tools(Struct, gc=False):
    """`usage.server_tool_use`."""

    web_search_requests: int


class PlainUsage(Struct, gc=False):
    """`message.usage` of a call of one step."""

    input_tokens: int
    cache_read_input_tokens: int
    cache_creation_input_tokens: int
    output_tokens: int
    cache_creation: Split | None = None
    server_tool_use: Tools | None = None
    service_tier: str | None = None
    speed: str | None = None
    inference_geo: str | None = None
    iterations: Nothing = None
    output_tokens_details: None = None


class Message(Struct, gc=False):
    """What was said: of an answer its id and counts; of anything else nothing."""

    id: str = ""
    model: str = ""
    usage: PlainUsage | None = None
    stop_reason: str | None = None
    stop_details: None = None
    metrics: Absent = field(default=UNSET, name=INVOCATION_METRICS)


class Line(Struct, gc=False):
    """A line of a session file."""

    type: str
    message: Message | None = None
    timestamp: str = ""
    cwd: str | None = None
    requestId: str | None = None  # as it is written
    isApiErrorMessage: bool | None = None
    costUSD: float | str | None = None
    sessionId: str = ""
    uuid: str = ""
    level: Absent = UNSET
    logEvents: Absent = UNSET
    awslogs: Absent = UNSET
    eventId: Absent = UNSET
    messageType: Absent = UNSET
    resourceSpans: Absent = UNSET
    event: Absent = UNSET


decode = Decoder(Line).decode
