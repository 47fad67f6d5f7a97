"""The HTTP routes of the simulated Claude API (ANTHROPIC_BASE_URL): JSON and server-sent events.

https://platform.claude.com/docs/en/api/messages, …/api/messages-count-tokens, …/api/models-list
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from simulator.messages import bedrock, control
from simulator.messages.errors import ApiError
from simulator.messages.faults import Fault
from simulator.messages.http_body import read_json
from simulator.messages.service import Call, CallSeen, Service, new_request_id
from simulator.messages.wire import sse

SIMULATED_HEADER = "x-cachewise-simulated"

Endpoint = Callable[[Request], Awaitable[Response]]


class ConnectionCut(Exception):
    """Raised inside a stream to break it off, as an ordered fault; the server then closes the connection."""


def build_app(service: Service, *, more: Sequence[BaseRoute] = ()) -> ASGIApp:
    """Return the ASGI application of the simulator, with `more` routes beside its own."""
    routes = [
        Route("/v1/messages", _endpoint(service, _messages), methods=["POST"]),
        Route("/v1/messages/count_tokens", _endpoint(service, _count_tokens), methods=["POST"]),
        Route("/v1/models", _endpoint(service, _models), methods=["GET"]),
        Route("/v1/models/{model_id}", _endpoint(service, _model), methods=["GET"]),
        *bedrock.routes(service, stream_events),
        *control.routes(service),
        *more,
    ]
    app = Starlette(routes=routes, exception_handlers={HTTPException: _no_such_route})
    return Labelled(app)


async def stream_events(service: Service, call: Call, fault: Fault | None) -> AsyncIterator[dict[str, Any]]:
    """Yield the events of one streamed answer, broken off where a fault says so."""
    answer = call.answer
    for event in answer.start_events():
        yield event
    deltas = answer.delta_events()
    for position, event in enumerate(deltas):
        if _breaks(fault, position):
            yield _break_off(fault)
            return
        await service.generate(call, share=1 / len(deltas))
        yield event
    if _breaks(fault, len(deltas)):
        yield _break_off(fault)
        return
    for event in answer.end_events():
        yield event


def _breaks(fault: Fault | None, position: int) -> bool:
    return fault is not None and fault.kind in ("stream_error", "stream_cut") and position >= fault.after_deltas


def _break_off(fault: Fault | None) -> dict[str, Any]:
    if fault is not None and fault.kind == "stream_cut":
        raise ConnectionCut
    return {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}


async def _messages(request: Request, service: Service) -> Response:
    seen = request.state.seen = _seen(request, service)
    fault = service.next_fault()
    prompt = service.reader.read(await read_json(request))
    request.state.seen = seen = replace(seen, model=prompt.model)
    pending = fault is not None and fault.kind == "diagnosis_pending"
    call = service.start(prompt, provider="anthropic", workspace=seen.workspace, pending=pending)
    await service.begin(call)
    service.note(seen, call)
    if prompt.stream:
        events = (sse(event) async for event in stream_events(service, call, fault))
        return StreamingResponse(events, media_type="text/event-stream", headers={"cache-control": "no-cache"})
    await service.generate(call)
    return JSONResponse(call.answer.message())


async def _count_tokens(request: Request, service: Service) -> Response:
    service.workspace_of(_key(request))
    prompt = service.reader.read(await read_json(request), counting=True)
    service.catalog.find(prompt.model, "anthropic", day=service.clock.now().date())
    return JSONResponse({"input_tokens": prompt.tokens})


async def _models(request: Request, service: Service) -> Response:
    service.workspace_of(_key(request))
    models = service.catalog.listing(day=service.clock.now().date())
    first, last = (models[0]["id"], models[-1]["id"]) if models else (None, None)
    return JSONResponse({"data": models, "has_more": False, "first_id": first, "last_id": last})


async def _model(request: Request, service: Service) -> Response:
    service.workspace_of(_key(request))
    return JSONResponse(service.catalog.describe(request.path_params["model_id"], day=service.clock.now().date()))


def _seen(request: Request, service: Service) -> CallSeen:
    """Start the note on a request: who calls, and the how-manieth try of the SDK this is."""
    retries = request.headers.get("x-stainless-retry-count", "0")
    return CallSeen(
        at=service.clock.now(),
        request_id=request.state.request_id,
        message_id=None,
        provider="anthropic",
        workspace=service.workspace_of(_key(request)),
        model="",
        status=200,
        retry=int(retries) if retries.isdigit() else 0,
    )


def _key(request: Request) -> str | None:
    bearer = request.headers.get("authorization", "").removeprefix("Bearer ").strip()
    return request.headers.get("x-api-key") or bearer or None


def _endpoint(service: Service, answer: Callable[[Request, Service], Awaitable[Response]]) -> Endpoint:
    """Wrap a route: give the request an id, turn errors into the API's bodies, note failed messages."""

    async def endpoint(request: Request) -> Response:
        request.state.request_id = request_id = new_request_id()
        try:
            response = await answer(request, service)
        except ApiError as error:
            seen = getattr(request.state, "seen", None)
            if seen is not None:
                service.note(seen, error=error)
            response = JSONResponse(error.body(request_id), status_code=error.status, headers=error.headers)
        response.headers["request-id"] = request_id
        seen = getattr(request.state, "seen", None)
        if seen is not None:
            response.headers["anthropic-workspace-id"] = seen.workspace
            response.headers["anthropic-organization-id"] = "org_simulated"
        return response

    return endpoint


async def _no_such_route(request: Request, error: Exception) -> Response:
    """Answer an unknown path or method as the API does: JSON, never a page."""
    assert isinstance(error, HTTPException)
    kind = "not_found_error" if error.status_code == 404 else "invalid_request_error"
    refused = ApiError(error.status_code, kind, error.detail)
    request_id = new_request_id()
    return JSONResponse(refused.body(request_id), status_code=refused.status, headers={"request-id": request_id})


class Labelled:
    """Marks every response as simulated."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, with the label in the headers."""

        async def labelled(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), (SIMULATED_HEADER.encode(), b"true")]
            await send(message)

        await self._app(scope, receive, labelled)
