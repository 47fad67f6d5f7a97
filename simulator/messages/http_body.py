"""Read a request's body as a JSON object, or refuse it as the API does."""

from __future__ import annotations

import json
from typing import Any

from starlette.requests import Request

from simulator.messages.errors import ApiError, invalid_request

MAX_BODY_BYTES = 32 * 1024 * 1024  # https://platform.claude.com/docs/en/api/overview#request-size-limits


async def read_json(request: Request) -> dict[str, Any]:
    """Return the body; 413 when it is too big, 400 when it is not a JSON object."""
    raw = await request.body()
    if len(raw) > MAX_BODY_BYTES:
        raise ApiError(413, "request_too_large", "Request exceeds the maximum size")
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError) as broken:
        raise invalid_request("The request body is not valid JSON") from broken
    if not isinstance(body, dict):
        raise invalid_request("Input should be a valid dictionary")
    return body
