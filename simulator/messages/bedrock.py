"""The two paths of the Bedrock runtime that the SDK's AnthropicBedrock speaks: InvokeModel, whole and streamed.

https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-anthropic-claude-messages.html
Signatures are not verified: the access key id (or bearer token) only says whose cache it is.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from simulator.messages import event_stream
from simulator.messages.errors import ApiError, invalid_request
from simulator.messages.faults import Fault
from simulator.messages.http_body import read_json
from simulator.messages.service import Call, CallSeen, Service, new_request_id
from simulator.messages.wire import Answer

Events = Callable[[Service, Call, Fault | None], AsyncIterator[dict[str, Any]]]

BEDROCK_VERSION = "bedrock-2023-05-31"
_DATED = re.compile(r"-\d{8}-v\d")  # ids of the generation that knows only the version above
_CREDENTIAL = re.compile(r"Credential=([^/,\s]+)")
_NAMES = {
    400: "ValidationException",
    401: "UnrecognizedClientException",
    404: "ResourceNotFoundException",
    429: "ThrottlingException",
    500: "InternalServerException",
    529: "ServiceUnavailableException",
}
_STATUS = {401: 403, 529: 503}


def routes(service: Service, events: Events) -> list[Route]:
    """Return the routes of the Bedrock runtime."""

    def route(path: str, *, stream: bool) -> Route:
        async def endpoint(request: Request) -> Response:
            return await _invoke(request, service, events, stream=stream)

        return Route(path, endpoint, methods=["POST"])

    return [
        route("/model/{model:path}/invoke", stream=False),
        route("/model/{model:path}/invoke-with-response-stream", stream=True),
    ]


async def _invoke(request: Request, service: Service, events: Events, *, stream: bool) -> Response:
    request_id = new_request_id()
    seen = None
    try:
        seen = _seen(request, service, request_id)
        response = await _answer(request, service, events, seen, stream)
    except ApiError as error:
        if seen is not None:
            service.note(seen, error=error)
        response = _refusal(error)
    response.headers["x-amzn-requestid"] = request_id
    return response


async def _answer(request: Request, service: Service, events: Events, seen: CallSeen, stream: bool) -> Response:
    fault = service.next_fault()
    body = await _body(request, seen.model, stream)
    call = service.start(service.reader.read(body), provider="bedrock", workspace=seen.workspace)
    await service.begin(call)
    service.note(seen, call)
    if stream:
        framed = _framed(events(service, call, fault), call)
        return StreamingResponse(framed, media_type="application/vnd.amazon.eventstream")
    await service.generate(call)
    return JSONResponse(call.answer.message(), headers=_count_headers(call.answer))


async def _body(request: Request, model: str, stream: bool) -> dict[str, Any]:
    """Return the request as the Messages API would have it; refuse what Bedrock does not know."""
    body = await read_json(request)
    version = body.pop("anthropic_version", None)
    if version is None:
        raise invalid_request("anthropic_version: Field required")
    if version != BEDROCK_VERSION and _DATED.search(model):
        raise invalid_request(f"anthropic_version: {version} is not supported by {model}; use {BEDROCK_VERSION}")
    for member in ("cache_control", "diagnostics", "model", "stream"):
        if body.get(member) is not None:
            raise invalid_request(f"{member}: Extra inputs are not permitted")
    return {**body, "model": model, "stream": stream}


async def _framed(events: AsyncIterator[dict[str, Any]], call: Call) -> AsyncIterator[bytes]:
    async for event in events:
        if event["type"] == "error":
            yield event_stream.exception("modelStreamErrorException", event["error"]["message"])
            return
        if event["type"] == "message_stop":
            event = {**event, "amazon-bedrock-invocationMetrics": _metrics(call)}
        yield event_stream.chunk(event)


def _metrics(call: Call) -> dict[str, int]:
    """Return the metrics of a stream's last event; inputTokenCount excludes cached tokens."""
    usage = call.answer.delta_usage()
    return {
        "inputTokenCount": usage["input_tokens"],
        "outputTokenCount": usage["output_tokens"],
        "invocationLatency": round(call.ttft_ms),
        "firstByteLatency": round(call.ttft_ms),
        "cacheReadInputTokenCount": usage["cache_read_input_tokens"],
        "cacheWriteInputTokenCount": usage["cache_creation_input_tokens"],
    }


def _count_headers(answer: Answer) -> dict[str, str]:
    usage = answer.delta_usage()
    return {
        "x-amzn-bedrock-input-token-count": str(usage["input_tokens"]),
        "x-amzn-bedrock-output-token-count": str(usage["output_tokens"]),
        "x-amzn-bedrock-cache-read-input-token-count": str(usage["cache_read_input_tokens"]),
        "x-amzn-bedrock-cache-write-input-token-count": str(usage["cache_creation_input_tokens"]),
    }


def _seen(request: Request, service: Service, request_id: str) -> CallSeen:
    authorization = request.headers.get("authorization", "")
    credential = _CREDENTIAL.search(authorization)
    owner = credential.group(1) if credential else authorization.removeprefix("Bearer ").strip()
    if not owner:
        raise ApiError(401, "authentication_error", "The security token included in the request is invalid.")
    return CallSeen(
        at=service.clock.now(),
        request_id=request_id,
        message_id=None,
        provider="bedrock",
        workspace=f"account_sim_{service.reader.fingerprint('account', owner)[:12]}",
        model=request.path_params["model"],
        status=200,
        retry=0,
    )


def _refusal(error: ApiError) -> Response:
    headers = {**error.headers, "x-amzn-errortype": _NAMES.get(error.status, "ValidationException")}
    return JSONResponse(
        {"message": error.message}, status_code=_STATUS.get(error.status, error.status), headers=headers
    )
