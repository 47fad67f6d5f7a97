"""Log events as a subscription filter delivers them: ids laid out like CloudWatch's, one payload a line.

Format: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/SubscriptionFilters.html
"""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from simulator.fleet.engines import Function
from simulator.fleet.lines import ACCOUNT


class Envelope:
    """Wraps events into payloads and numbers them."""

    def __init__(self) -> None:
        self._puts = 0

    def wrap(self, function: Function, stream: str, events: Sequence[tuple[int, str]], ingested_ms: int) -> bytes:
        """Return one DATA_MESSAGE line that holds `events` of one stream, put together at `ingested_ms`."""
        self._puts = (self._puts + 1) % (1 << 22)
        put_id = (ingested_ms & ((1 << 42) - 1)) << 22 | self._puts
        payload = {
            "messageType": "DATA_MESSAGE",
            "owner": ACCOUNT,
            "logGroup": function.log_group,
            "logStream": stream,
            "subscriptionFilters": ["all"],
            "logEvents": [
                {"id": event_id(at_ms, ingested_ms, put_id, position), "timestamp": at_ms, "message": message}
                for position, (at_ms, message) in enumerate(events)
            ],
        }
        return orjson.dumps(payload, option=orjson.OPT_APPEND_NEWLINE)


def event_id(at_ms: int, ingested_ms: int, put_id: int, position: int) -> str:
    """Return a 56-digit id: event time, ingestion time, put and position, so that ids sort in emission order."""
    return f"{at_ms << 144 | ingested_ms << 80 | put_id << 16 | position:056d}"
