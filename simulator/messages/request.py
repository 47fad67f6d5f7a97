"""Read the body of a Messages request: check it as the API does, and reduce it to fingerprints and token counts.

After this module no prompt text is left: a block is a keyed hash, its tokens and its breakpoint.
Rules: https://platform.claude.com/docs/en/build-with-claude/prompt-caching and …/docs/en/api/messages
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from core.caching.cache_model import MAX_BREAKPOINTS, Block, Ttl
from simulator.messages.errors import invalid_request
from simulator.messages.tokens import TURN_OVERHEAD, count_block

Section = Literal["tools", "system", "messages"]
SECTIONS: tuple[Section, ...] = ("tools", "system", "messages")
_UNMARKABLE = ("thinking", "redacted_thinking")
_DEFAULT_EFFORT = "high"  # an explicit default effort is the same prompt as an omitted one


@dataclass(frozen=True, slots=True)
class Part:
    """One block of the prompt: where it stands, what it counts, and the hash that stands for its content."""

    section: Section
    path: str  # as error messages name it: messages.0.content.1
    fingerprint: str
    tokens: int
    ttl: Ttl | None
    markable: bool


@dataclass(frozen=True, slots=True)
class Prompt:
    """A request without its text."""

    model: str
    max_tokens: int
    stream: bool
    speed: str
    parts: tuple[Part, ...]
    options_fingerprint: str  # what else shapes the prompt: tool_choice, thinking, effort
    diagnose: bool
    previous_message_id: str | None

    @property
    def tokens(self) -> int:
        """Tokens of the whole prompt."""
        return sum(part.tokens for part in self.parts)

    def blocks(self) -> list[Block]:
        """Return the prompt as the cache model wants it."""
        return [Block(part.fingerprint, part.tokens, part.ttl) for part in self.parts]


class Reader:
    """Turns bodies into prompts. The hash key is drawn at the start, so fingerprints mean nothing elsewhere."""

    def __init__(self, key: bytes | None = None) -> None:
        self._key = key or secrets.token_bytes(32)

    def fingerprint(self, *values: object) -> str:
        """Return the keyed hash of some values; JSON key order counts, as it does for the real cache."""
        text = json.dumps(values, ensure_ascii=False, separators=(",", ":"))
        return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), key=self._key, digest_size=16).hexdigest()

    def read(self, body: Mapping[str, Any], *, counting: bool = False) -> Prompt:
        """Check a body and reduce it. `counting` leaves out what count_tokens does not ask for."""
        model = _required(body, "model", str, "string")
        messages = _required(body, "messages", list, "list")
        max_tokens = 1 if counting else _max_tokens(body)
        if not messages:
            raise invalid_request("messages: at least one message is required")
        parts = _with_automatic(tuple(self._parts(body, messages)), body)
        _check_breakpoints(parts, body)
        diagnose, previous = _diagnostics(body)
        prompt = Prompt(
            model=model,
            max_tokens=max_tokens,
            stream=body.get("stream") is True,
            speed=_speed(body),
            parts=parts,
            options_fingerprint=self._options(body),
            diagnose=diagnose,
            previous_message_id=previous,
        )
        _check_prewarm(prompt, body)
        return prompt

    def _options(self, body: Mapping[str, Any]) -> str:
        output = _object(body, "output_config")
        effort = output.get("effort") or _DEFAULT_EFFORT
        return self.fingerprint(body.get("tool_choice"), body.get("thinking"), effort, output.get("format"))

    def _parts(self, body: Mapping[str, Any], messages: list[Any]) -> Iterator[Part]:
        """Yield the blocks in the order the cache sees them, each hashed with what invalidates its section."""
        salts = {
            "tools": "",
            "system": self.fingerprint(_speed(body), _has_citations(messages)),
            "messages": self.fingerprint(self._options(body), _has_images(messages)),
        }
        for section, path, role, extra, block in _walk(body, messages):
            content = {key: value for key, value in block.items() if key != "cache_control"}
            salted = salts[section] + (salts["system"] if section == "messages" else "")
            yield Part(
                section=section,
                path=path,
                fingerprint=self.fingerprint(salted, role, content),
                tokens=count_block(block) + extra,
                ttl=_ttl(block.get("cache_control"), path),
                markable=_markable(block, path),
            )


def _walk(body: Mapping[str, Any], messages: list[Any]) -> Iterator[tuple[Section, str, str, int, Mapping[str, Any]]]:
    """Yield section, path, role, extra tokens and block of all content, tools → system → messages."""
    for position, tool in enumerate(_content(body.get("tools") or [], "tools")):
        yield "tools", f"tools.{position}", "", 0, tool
    for position, block in enumerate(_content(body.get("system") or [], "system")):
        yield "system", f"system.{position}", "", 0, block
    last_role = ""
    for position, entry in enumerate(messages):
        message = _mapping(entry, f"messages.{position}")
        role = _role(message, position)
        for index, block in enumerate(_content(message.get("content"), f"messages.{position}.content")):
            yield "messages", f"messages.{position}.content.{index}", role, _turn(role, last_role), block
            last_role = role  # consecutive messages of one role are one turn


def _turn(role: str, last_role: str) -> int:
    return 0 if role == last_role else TURN_OVERHEAD


def _content(value: Any, path: str) -> list[Mapping[str, Any]]:
    """Return content as blocks; a string is short for one text block."""
    if isinstance(value, str):
        return [{"type": "text", "text": value}]
    if not isinstance(value, list):
        raise invalid_request(f"{path}: Input should be a valid list")
    return [_mapping(block, f"{path}.{position}") for position, block in enumerate(value)]


def _mapping(value: Any, path: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise invalid_request(f"{path}: Input should be an object")
    return value


def _object(body: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return an optional object of the body; an absent one is empty."""
    return _mapping(body.get(name) or {}, name)


def _role(message: Mapping[str, Any], position: int) -> str:
    role = message.get("role")
    if role not in ("user", "assistant", "system"):
        raise invalid_request(f"messages.{position}.role: Input should be 'user', 'assistant' or 'system'")
    return str(role)


def _markable(block: Mapping[str, Any], path: str) -> bool:
    """Say whether a breakpoint may stand here; refuse one that stands where it must not."""
    marked = block.get("cache_control") is not None
    if block.get("type") in _UNMARKABLE:
        if marked:
            raise invalid_request(f"{path}.{block['type']}.cache_control: Extra inputs are not permitted")
        return False
    if block.get("type") == "text" and not str(block.get("text", "")):
        if marked:
            raise invalid_request(f"{path}.text: cache_control cannot be set for empty text blocks")
        raise invalid_request(f"{path.split('.')[0]}: text content blocks must be non-empty")
    return True


def _ttl(control: Any, path: str) -> Ttl | None:
    """Return the lifetime a cache_control asks for; 5m when it does not say."""
    if control is None:
        return None
    where = f"{path}.cache_control".removeprefix(".")
    if not isinstance(control, Mapping) or control.get("type") != "ephemeral":
        raise invalid_request(f"{where}.type: Input should be 'ephemeral'")
    ttl = control.get("ttl")
    if ttl is None or ttl == "5m":
        return "5m"
    if ttl == "1h":
        return "1h"
    raise invalid_request(f"{where}.ttl: Input should be '5m' or '1h'")


def _with_automatic(parts: tuple[Part, ...], body: Mapping[str, Any]) -> tuple[Part, ...]:
    """Apply a top-level cache_control to the last block that can carry a breakpoint."""
    ttl = _ttl(body.get("cache_control"), "")
    target = next((at for at in range(len(parts) - 1, -1, -1) if parts[at].markable), None)
    if ttl is None or target is None:
        return parts
    present = parts[target].ttl
    if present is not None and present != ttl:
        raise invalid_request(
            f"cache_control.ttl: automatic caching asks for ttl='{ttl}' but {parts[target].path} has ttl='{present}'"
        )
    return (*parts[:target], replace(parts[target], ttl=ttl), *parts[target + 1 :])


def _check_breakpoints(parts: tuple[Part, ...], body: Mapping[str, Any]) -> None:
    marked = [part for part in parts if part.ttl is not None]
    if len(marked) > MAX_BREAKPOINTS:
        raise invalid_request(
            f"A maximum of {MAX_BREAKPOINTS} blocks with cache_control may be provided. Found {len(marked)}."
        )
    short_seen = False
    for part in marked:
        if part.ttl == "1h" and short_seen:
            automatic = part is marked[-1] and body.get("cache_control") is not None
            raise invalid_request(
                f"{'cache_control' if automatic else part.path + '.cache_control'}.ttl: a ttl='1h' cache_control block "
                "must not come after a ttl='5m' cache_control block. Note that blocks are processed in the following "
                "order: `tools`, `system`, `messages`."
            )
        short_seen = short_seen or part.ttl == "5m"


def _check_prewarm(prompt: Prompt, body: Mapping[str, Any]) -> None:
    """Refuse what cannot go with max_tokens: 0, which asks for no output."""
    if prompt.max_tokens > 0:
        return
    clashes = {
        "stream": prompt.stream,
        "thinking": _object(body, "thinking").get("type") == "enabled",
        "output_config.format": _object(body, "output_config").get("format") is not None,
        "tool_choice": _object(body, "tool_choice").get("type") in ("any", "tool"),
    }
    for name, clash in clashes.items():
        if clash:
            raise invalid_request(f"max_tokens: 0 is not supported together with {name}")


def _diagnostics(body: Mapping[str, Any]) -> tuple[bool, str | None]:
    asked = body.get("diagnostics")
    if asked is None:
        return False, None
    previous = _mapping(asked, "diagnostics").get("previous_message_id")
    if previous is not None and not isinstance(previous, str):
        raise invalid_request("diagnostics.previous_message_id: Input should be a valid string")
    return True, previous


def _speed(body: Mapping[str, Any]) -> str:
    speed = body.get("speed")
    if speed not in (None, "standard", "fast"):
        raise invalid_request("speed: Input should be 'standard' or 'fast'")
    return speed or "standard"


def _max_tokens(body: Mapping[str, Any]) -> int:
    value = _required(body, "max_tokens", int, "integer")
    if value < 0:
        raise invalid_request("max_tokens: Input should be greater than or equal to 0")
    return int(value)


def _required(body: Mapping[str, Any], name: str, kind: type, label: str) -> Any:
    if name not in body:
        raise invalid_request(f"{name}: Field required")
    value = body[name]
    if not isinstance(value, kind) or isinstance(value, bool):
        raise invalid_request(f"{name}: Input should be a valid {label}")
    return value


def _blocks_of(messages: list[Any]) -> Iterator[Mapping[str, Any]]:
    for message in messages:
        content = message.get("content") if isinstance(message, Mapping) else None
        if isinstance(content, list):
            yield from (block for block in content if isinstance(block, Mapping))


def _has_images(messages: list[Any]) -> bool:
    return any(block.get("type") == "image" for block in _blocks_of(messages))


def _has_citations(messages: list[Any]) -> bool:
    asked = [block.get("citations") for block in _blocks_of(messages)]
    return any(isinstance(citations, Mapping) and citations.get("enabled") for citations in asked)
