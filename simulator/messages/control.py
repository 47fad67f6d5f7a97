"""Routes that no real API has: move the simulated clock, order faults, hold answers, see what was asked.

All live under /_simulator and answer with plain JSON. There is no text to be seen here, only counts and ids.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from simulator.messages.faults import Fault
from simulator.messages.service import Service

Handler = Callable[[Service, dict[str, Any]], dict[str, Any]]


def routes(service: Service) -> list[Route]:
    """Return the control routes."""
    posts: dict[str, Handler] = {"clock": _move_clock, "faults": _order_fault, "hold": _hold}
    made = [Route(f"/_simulator/{name}", _post(service, handler), methods=["POST"]) for name, handler in posts.items()]

    async def state(request: Request) -> Response:
        return JSONResponse(_state(service))

    async def clear_faults(request: Request) -> Response:
        service.faults.clear()
        return JSONResponse({"simulated": True, "faults": []})

    return [
        *made,
        Route("/_simulator/state", state, methods=["GET"]),
        Route("/_simulator/faults", clear_faults, methods=["DELETE"]),
    ]


def _post(service: Service, handler: Handler) -> Callable[[Request], Any]:
    async def endpoint(request: Request) -> Response:
        try:
            body = await request.json()
            return JSONResponse({"simulated": True, **handler(service, body)})
        except (ValueError, TypeError, KeyError, OverflowError) as wrong:
            return JSONResponse({"simulated": True, "error": str(wrong)}, status_code=400)

    return endpoint


def _move_clock(service: Service, body: dict[str, Any]) -> dict[str, Any]:
    """{"advance_seconds": 301} moves the clock forward; {} only reads it."""
    now = service.clock.advance(float(body.get("advance_seconds", 0)))
    return {"now": now.isoformat(), "frozen": service.clock.frozen}


def _order_fault(service: Service, body: dict[str, Any]) -> dict[str, Any]:
    """{"kind": "rate_limit", "times": 2, "retry_after_s": 0.1} and so on: see `Fault`."""
    service.faults.add(Fault.from_json(body))
    return {"faults": service.faults.as_json()}


def _hold(service: Service, body: dict[str, Any]) -> dict[str, Any]:
    """{"held": true} keeps every answer from beginning until {"held": false}."""
    service.held = bool(body["held"])
    return {"held": service.held, "waiting": service.waiting}


def _state(service: Service) -> dict[str, Any]:
    calls = [{**asdict(seen), "at": seen.at.isoformat()} for seen in list(service.calls)[-1000:]]
    return {
        "simulated": True,
        "now": service.clock.now().isoformat(),
        "faults": service.faults.as_json(),
        "held": service.held,
        "waiting": service.waiting,
        "calls_seen": len(service.calls),
        "calls": calls,
    }
