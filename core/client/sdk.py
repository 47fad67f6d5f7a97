"""The one place that imports the anthropic SDK: opening it for a door, shaping arguments, reading its errors."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal

from core.caching.request import PromptRequest
from core.client.settings import ClientSettings
from core.errors import BadInput, CachewiseError, FixSettings, TryAgain

Provider = Literal["anthropic", "bedrock"]
LEGACY_BEDROCK_VERSION = "bedrock-2023-05-31"
LONGEST_QUOTE = 200

# SDK 2 writes anthropic_version "2026-10-21" into Bedrock bodies, which models with a version in their id may refuse:
# https://platform.claude.com/docs/en/build-with-claude/claude-on-amazon-bedrock
_VERSIONED = re.compile(r"-v\d+(:\d+)?$|^arn:")

_PASSING = frozenset({"overloaded_error", "api_error", "rate_limit_error", "timeout_error"})
_COUNTED = ("messages", "system", "tools", "tool_choice", "thinking", "cache_control")
_RETRY_HEADER = "x-stainless-retry-count"  # set by the SDK on every attempt: 0, 1, 2 …
_SIMULATED_HEADER = "x-cachewise-simulated"  # set by simulators of the API on every answer


@dataclass(frozen=True, slots=True)
class Door:
    """A way to Claude: the provider and the model's name there."""

    provider: Provider
    model: str


def doors(settings: ClientSettings) -> tuple[Door, ...]:
    """Return the doors to try in order: the one the switch names, then Bedrock where the fallback is on."""
    bedrock = Door("bedrock", settings.bedrock_model) if settings.bedrock_model else None
    if not settings.policy.use_anthropic_api:
        return (bedrock,) if bedrock else ()
    direct = Door("anthropic", settings.model)
    return (direct, bedrock) if bedrock and settings.fallback_to_bedrock else (direct,)


def load() -> None:
    """Import the SDK now: one to two seconds that a cold start pays at full CPU."""
    import anthropic  # noqa: F401


def open_client(
    door: Door, settings: ClientSettings, *, api_key: str | None, http_client: Any, asynchronous: bool
) -> Any:
    """Open the SDK's client for a door. It is thread-safe and keeps its connections, so open it once."""
    import anthropic

    limits: dict[str, Any] = {"timeout": settings.timeout_s, "max_retries": settings.max_retries}
    if http_client is not None:
        limits["http_client"] = http_client
    if settings.base_url is not None and door.provider == "anthropic":
        limits["base_url"] = settings.base_url
    if door.provider == "anthropic":
        direct = anthropic.AsyncAnthropic if asynchronous else anthropic.Anthropic
        return direct(api_key=api_key, **limits)
    bedrock = anthropic.AsyncAnthropicBedrock if asynchronous else anthropic.AnthropicBedrock
    return bedrock(aws_region=settings.region, **limits)


def arguments(
    door: Door, request: PromptRequest, *, diagnose: bool = False, previous_message_id: str | None = None
) -> dict[str, Any]:
    """Return the arguments of `messages.create` at this door. No beta header: prompt caching needs none any more."""
    body = {"model": door.model, **request.body()}
    if door.provider == "anthropic":
        if diagnose:
            body["diagnostics"] = {"previous_message_id": previous_message_id}
        return body
    if _VERSIONED.search(door.model):
        # setdefault, as the SDK does: whoever set a version knows why.
        body["extra_body"] = {"anthropic_version": LEGACY_BEDROCK_VERSION, **body.get("extra_body", {})}
    return body


def counting_arguments(door: Door, request: PromptRequest) -> dict[str, Any]:
    """Return the arguments of `messages.count_tokens`: what makes up the prompt, and nothing else."""
    body = request.body()
    return {"model": door.model} | {name: body[name] for name in _COUNTED if name in body}


def error_type(error: BaseException) -> str:
    """Return the API's own name of the error, else the exception's."""
    told = getattr(error, "type", None)
    return told if isinstance(told, str) else type(error).__name__


def request_id(answer: Any) -> str | None:
    """Return the provider's id of the request, from an HTTP response (or an error that holds one)."""
    headers = getattr(getattr(answer, "response", answer), "headers", None)
    if headers is None:
        return None
    found = headers.get("request-id") or headers.get("x-amzn-requestid")
    return str(found) if found else None


def workspace(answer: Any) -> str | None:
    """Return the id of the workspace that a request was made in, from an HTTP response (or an error that holds one).

    Anthropic tells it in a header; a workspace has a cache of its own. Bedrock has none.
    """
    headers = getattr(getattr(answer, "response", answer), "headers", None)
    told = headers.get("anthropic-workspace-id") if headers is not None else None
    return str(told) if told else None


def is_simulated(answer: Any) -> bool:
    """Say whether the server that sent this response (or error) says of itself that it makes its answers up."""
    headers = getattr(getattr(answer, "response", answer), "headers", None)
    return headers is not None and headers.get(_SIMULATED_HEADER) == "true"


def attempts(answer: Any) -> int | None:
    """Return how many HTTP requests were sent for this answer or error, retries included."""
    request = getattr(answer, "request", None)
    told = request.headers.get(_RETRY_HEADER) if request is not None else None
    return int(told) + 1 if told and told.isdigit() else None


def may_fall_back(error: BaseException) -> bool:
    """Say whether another provider may succeed: yes, unless the request itself was refused."""
    status = getattr(error, "status_code", None)
    if status is None:
        import anthropic

        return isinstance(error, anthropic.APIConnectionError | CachewiseError)
    return status not in {400, 413, 422}


def is_refused_key(error: BaseException) -> bool:
    """Say whether the API did not accept the key."""
    return getattr(error, "status_code", None) == 401


def explain(error: Exception, door: Door) -> Exception:
    """Return the error an operator can act on; one that does not come from the API is returned as it is."""
    import anthropic

    if isinstance(error, anthropic.APIStatusError):
        return _explain_status(error, door)
    if isinstance(error, anthropic.APIConnectionError):
        what = "did not answer in time" if isinstance(error, anthropic.APITimeoutError) else "could not be reached"
        return TryAgain(f"{_name(door)} {what}.", code="SVC-435", mend="Try again; check the network if it stays.")
    return error


def _explain_status(error: Any, door: Door) -> CachewiseError:
    status, kind = error.status_code, error_type(error)
    quote = str(error.api_message or error.message).replace("\n", " ")[:LONGEST_QUOTE]
    told = f"{_name(door)} answered {status} {kind} (request {request_id(error) or 'without id'}): {quote}"
    if status in {401, 403}:
        return FixSettings(told, code="SVC-431", mend="Check the key or the role, and its rights.")
    if status == 404:
        return FixSettings(told, code="SVC-432", mend=f'Check the model id "{door.model}" and the region.')
    if status == 429:
        return TryAgain(told, code="SVC-433", mend=f"Try again{_after(error)}.")
    if status == 200 and kind not in _PASSING:
        return TryAgain(told, code="SVC-436", mend="The stream broke off; try again.")
    if status >= 500 or status in {408, 409} or kind in _PASSING:
        return TryAgain(told, code="SVC-434", mend="Try again.")
    return BadInput(told, code="SVC-430", mend="Mend the request; sending it again changes nothing.")


def _after(error: Any) -> str:
    seconds = error.response.headers.get("retry-after")
    return f" after {seconds} s" if seconds else ""


def _name(door: Door) -> str:
    return "The Claude API" if door.provider == "anthropic" else "Bedrock"
