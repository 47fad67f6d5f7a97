"""Pages of FilterLogEvents decoded once: botocore walks through every member of every event to bring it into a shape.

That walk is most of what a page costs, and changes nothing in events: strings and whole numbers stay what they are.
"""

from __future__ import annotations

from typing import Any

import orjson

_PARSING = "before-parse.cloudwatch-logs.FilterLogEvents"


def quicken(client: Any) -> None:
    """Let a client's pages be decoded by orjson. A botocore that no longer asks anybody reads them as it always did."""
    events = getattr(client.meta, "events", None)
    if events is not None:
        events.register(_PARSING, take_events, unique_id="cachewise-quick-pages")


def take_events(response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: Any) -> None:
    """Take the events out of an answer before it is parsed; whatever is not as it should be is left to botocore."""
    if response_dict.get("status_code") != 200:
        return
    try:
        page = orjson.loads(response_dict["body"])
    except (KeyError, TypeError, ValueError):
        return
    events = page.pop("events", None) if type(page) is dict else None
    if type(events) is not list or not all(_is_event(event) for event in events):
        return
    response_dict["body"] = orjson.dumps(page)
    customized_response_dict["events"] = events


def _is_event(event: Any) -> bool:
    return type(event) is dict and type(event.get("message")) is str and type(event.get("logStreamName")) is str
