"""The Claude client of the service and of the probe: Anthropic or Bedrock, streaming or not, every call accounted for.

Loads with the standard library alone; the anthropic SDK and boto3 are imported when the first call needs them.
"""

from typing import TYPE_CHECKING, Any

from core.client.account import CallReport
from core.client.api_key import SecretApiKey
from core.client.settings import ClientSettings, client_settings
from core.client.synchronous import CallStream, ClaudeClient, Reply

if TYPE_CHECKING:
    from core.client.asynchronous import AsyncCallStream, AsyncClaudeClient

__all__ = [
    "AsyncCallStream",
    "AsyncClaudeClient",
    "CallReport",
    "CallStream",
    "ClaudeClient",
    "ClientSettings",
    "Reply",
    "SecretApiKey",
    "client_settings",
]


def __getattr__(name: str) -> Any:
    """Load the asynchronous client when it is asked for: asyncio is half of this package's import time."""
    if name in {"AsyncCallStream", "AsyncClaudeClient"}:
        from core.client import asynchronous

        return getattr(asynchronous, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
