"""Building a request so that its prefix stays cached: what never changes goes first, what changes goes last.

The system block is rendered from a StaticContext alone, the user message from a DynamicContext: no parameter leads from
one to the other, and a StaticContext refuses values and names that change from request to request.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, get_args

from core.caching.cache_model import Block, CacheModel, Ttl
from core.caching.policy import CachePolicy
from core.errors import BadInput

Scalar = str | int | bool
DYNAMIC_NAMES = frozenset(
    {"now", "date", "time", "datetime", "timestamp", "nonce", "uuid", "current_time", "current_date", "local_time"}
    | {f"{whose}_id" for whose in ("session", "request", "connection", "conversation", "trace", "message", "user")}
)
_LOOKS_DYNAMIC = re.compile(
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d"  # a moment
    r"|[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"  # a UUID
    r"|^1\d{9}(\d{3})?$"  # Unix seconds or milliseconds
)
_BYTES_PER_TOKEN = 3.5  # a rough mean over English and Korean; used for warnings only, never for money


@dataclass(frozen=True, slots=True)
class StaticContext:
    """What is the same for every request of an engine: location, time zone, language. Becomes part of the prefix."""

    values: Mapping[str, Scalar] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, value in self.values.items():
            _refuse_dynamic(name, value)
        object.__setattr__(self, "values", MappingProxyType(dict(self.values)))  # checked once, so closed for good


@dataclass(frozen=True, slots=True)
class DynamicContext:
    """What differs between requests: current time, session id. Goes into the user message, after the prefix."""

    values: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PromptRequest:
    """A request ready to be sent, checked against what the API refuses. Build it with `build_request`."""

    engine: str | None
    system: tuple[Mapping[str, Any], ...]
    messages: tuple[Mapping[str, Any], ...] = field(repr=False)
    tools: tuple[Mapping[str, Any], ...] = ()
    max_tokens: int = 1024
    caching_enabled: bool = True
    cache_ttl: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)  # further parameters of messages.create, as they are

    def __post_init__(self) -> None:
        check_breakpoints(self)

    def body(self) -> dict[str, Any]:
        """Return the keyword arguments of `messages.create`, without the model; empty parts are left out."""
        body: dict[str, Any] = {"max_tokens": self.max_tokens, "messages": list(self.messages), **self.options}
        if self.system:
            body["system"] = list(self.system)
        if self.tools:
            body["tools"] = list(self.tools)
        return body


def build_request(
    prompt: str,
    user_text: str,
    *,
    policy: CachePolicy,
    engine: str | None = None,
    static: StaticContext | None = None,
    dynamic: DynamicContext | None = None,
    history: Sequence[Mapping[str, Any]] = (),
    tools: Sequence[Mapping[str, Any]] = (),
    max_tokens: int = 1024,
    options: Mapping[str, Any] | None = None,
) -> PromptRequest:
    """Put the engine's prompt and static context into one cached system block, everything else behind it.

    Two requests of one engine with equal static context have byte-identical tools and system, whatever the order in
    which their keys were given.
    """
    _refuse_swapped(static, dynamic)
    return PromptRequest(
        engine=engine,
        system=(_system_block(prompt, static or StaticContext(), policy),),
        messages=(*(_in_order(turn) for turn in history), _user_message(user_text, dynamic or DynamicContext())),
        tools=tuple(_in_order(tool) for tool in tools),
        max_tokens=max_tokens,
        caching_enabled=policy.caching_enabled,
        cache_ttl=policy.cache_ttl if policy.caching_enabled else None,
        options=dict(options or {}),
    )


def check_breakpoints(request: PromptRequest) -> None:
    """Refuse before sending what the API would refuse: over 4 breakpoints, 5m before 1h, another TTL or type."""
    marks = [_ttl_of(control) for control in _cache_controls(request)]
    CacheModel().request(0, blocks=[Block(str(at), 0, ttl) for at, ttl in enumerate(marks)])


def estimated_prefix_tokens(request: PromptRequest) -> int:
    """Estimate the tokens of tools and system from their bytes; good enough to warn, never to bill."""
    written = json.dumps([request.tools, [block.get("text", block) for block in request.system]], ensure_ascii=False)
    return round(len(written.encode()) / _BYTES_PER_TOKEN)


def minimum_warning(request: PromptRequest, *, minimum_tokens: int | None, model: str) -> str | None:
    """Say in one line that the prefix is probably too short for the model to cache it; None when it is not."""
    if not request.caching_enabled or minimum_tokens is None:
        return None
    estimate = estimated_prefix_tokens(request)
    if estimate >= minimum_tokens:
        return None
    return (
        f"SVC-425: the prefix of engine {request.engine!r} has about {estimate} tokens; {model} caches nothing below "
        f"{minimum_tokens} and says nothing about it. Lengthen the prompt or set ENABLE_PROMPT_CACHING=false."
    )


def _system_block(prompt: str, static: StaticContext, policy: CachePolicy) -> dict[str, Any]:
    text = f"{prompt}\n\n<context>{_stable(static.values)}</context>" if static.values else prompt
    block: dict[str, Any] = {"type": "text", "text": text}
    if policy.caching_enabled:
        block["cache_control"] = {"type": "ephemeral", "ttl": policy.cache_ttl}
    return block


def _user_message(text: str, dynamic: DynamicContext) -> dict[str, Any]:
    blocks = [{"type": "text", "text": text}]
    if dynamic.values:
        blocks.insert(0, {"type": "text", "text": f"<context>{_stable(dynamic.values)}</context>"})
    return {"role": "user", "content": blocks}


def _stable(values: Mapping[str, object]) -> str:
    """Serialise the same values to the same bytes, whatever their order."""
    return json.dumps(dict(values), sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=str)


def _in_order(value: Any) -> Any:
    """Return `value` with the keys of every mapping sorted: key order is part of the prefix."""
    if isinstance(value, Mapping):
        return {name: _in_order(value[name]) for name in sorted(value)}
    if isinstance(value, list | tuple):
        return [_in_order(item) for item in value]
    return value


def _refuse_dynamic(name: str, value: object) -> None:
    allowed = isinstance(value, str | int | bool)
    if allowed and name.lower() not in DYNAMIC_NAMES and not _LOOKS_DYNAMIC.search(str(value)):
        return
    raise BadInput(
        f'"{name}" ({type(value).__name__}) changes from request to request and would break the cached prefix.',
        code="SVC-420",
        mend="Put it into the DynamicContext; a StaticContext takes fixed text, whole numbers and switches.",
    )


def _refuse_swapped(static: object, dynamic: object) -> None:
    # Annotations stop a checked caller; this stops the others.
    if isinstance(static, StaticContext | None) and isinstance(dynamic, DynamicContext | None):
        return
    raise BadInput(
        f"static is a {type(static).__name__} and dynamic a {type(dynamic).__name__}.",
        code="SVC-422",
        mend="static takes a StaticContext, dynamic a DynamicContext.",
    )


def _cache_controls(request: PromptRequest) -> Iterator[Any]:
    """Yield every cache_control in the order of the prefix: tools, system, messages, then the automatic one."""
    for part in (request.tools, request.system, request.messages):
        yield from _marks_in(part)
    if request.options.get("cache_control") is not None:
        yield request.options["cache_control"]


def _marks_in(value: Any) -> Iterator[Any]:
    if isinstance(value, list | tuple):
        for item in value:
            yield from _marks_in(item)
    elif isinstance(value, Mapping):
        yield from _marks_in(value.get("content"))  # a message's blocks, and blocks inside a tool result
        if value.get("cache_control") is not None:
            yield value["cache_control"]


def _ttl_of(control: Any) -> Ttl:
    kind = control.get("type") if isinstance(control, Mapping) else control
    if kind != "ephemeral":
        raise BadInput(
            f"A cache_control has type {kind!r}.", code="SVC-423", mend='Claude accepts only {"type": "ephemeral"}.'
        )
    ttl = control.get("ttl", "5m")
    if ttl not in get_args(Ttl):
        raise BadInput(f"A cache_control has ttl {ttl!r}.", code="SVC-424", mend="Claude accepts 5m or 1h.")
    checked: Ttl = ttl
    return checked
