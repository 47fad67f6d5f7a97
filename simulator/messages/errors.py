"""Errors as the Messages API sends them.

Shapes and types: https://platform.claude.com/docs/en/api/errors
"""

from __future__ import annotations

from typing import Any


class ApiError(Exception):
    """An answer that is an error: HTTP status, error type, message and extra headers."""

    def __init__(self, status: int, kind: str, message: str, *, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind
        self.message = message
        self.headers = headers or {}

    def body(self, request_id: str) -> dict[str, Any]:
        """Return the JSON body of the error."""
        return {"type": "error", "error": {"type": self.kind, "message": self.message}, "request_id": request_id}


def invalid_request(message: str) -> ApiError:
    """400: the request cannot be served as it is."""
    return ApiError(400, "invalid_request_error", message)


def authentication(message: str) -> ApiError:
    """401: no key, or one that is not accepted."""
    return ApiError(401, "authentication_error", message, headers={"x-should-retry": "false"})


def not_found(message: str) -> ApiError:
    """404: an unknown model or path."""
    return ApiError(404, "not_found_error", message)


def rate_limited(retry_after_s: float) -> ApiError:
    """429: too many requests or tokens; `retry-after` says how long to wait."""
    message = "This request would exceed your organization's rate limit (simulated). Please try again later."
    headers = {"retry-after": f"{retry_after_s:g}", "x-should-retry": "true"}
    return ApiError(429, "rate_limit_error", message, headers=headers)


def overloaded() -> ApiError:
    """529: the service as a whole is overloaded."""
    return ApiError(529, "overloaded_error", "Overloaded", headers={"x-should-retry": "true"})


def internal() -> ApiError:
    """500: something broke inside the service."""
    return ApiError(500, "api_error", "Internal server error", headers={"x-should-retry": "true"})
