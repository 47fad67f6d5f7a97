"""Content-free fingerprints of what precedes a cache breakpoint: keyed hashes that tell change, never text.

Equal fingerprints mean equal bytes under one key. The key keeps anyone with the logs from confirming a guessed prompt:
set FINGERPRINT_KEY to a secret where that matters. Without it a key is derived from the deployment's name, which keeps
deployments apart but is guessable.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from core.errors import FixSettings

LENGTH = 16  # hex digits: 64 bits tell a fleet's prefixes apart, and stay readable in a chart
SHORTEST_KEY = 16
Part = Literal["tools", "system", "messages"]


@dataclass(frozen=True, slots=True)
class BlockFingerprint:
    """One block of the prefix: where it stands and its keyed hash."""

    part: Part
    index: int
    fingerprint: str


@dataclass(frozen=True, slots=True)
class PrefixFingerprint:
    """The prefix up to its last breakpoint as one hash, and block by block, so that a change can be located."""

    prefix: str
    blocks: tuple[BlockFingerprint, ...]

    def as_record(self) -> list[dict[str, Any]]:
        """Return the blocks as the structured record writes them."""
        return [{"part": block.part, "index": block.index, "fingerprint": block.fingerprint} for block in self.blocks]


def fingerprint_key(environ: Mapping[str, str]) -> bytes:
    """Return the key: FINGERPRINT_KEY, else one derived from the function's name and region."""
    given = environ.get("FINGERPRINT_KEY", "")
    if given:
        if len(given) < SHORTEST_KEY:
            raise FixSettings(
                f"FINGERPRINT_KEY has {len(given)} characters.",
                code="SVC-421",
                mend=f"Use at least {SHORTEST_KEY} random characters.",
            )
        return given.encode()
    deployment = f"{environ.get('AWS_REGION', '')}/{environ.get('AWS_LAMBDA_FUNCTION_NAME', 'local')}"
    return hashlib.sha256(f"cachewise fingerprint key of {deployment}".encode()).digest()


def prefix_fingerprint(
    *, tools: Sequence[Mapping[str, Any]], system: Sequence[Mapping[str, Any]], key: bytes
) -> PrefixFingerprint | None:
    """Fingerprint tools and system up to the last breakpoint in them; None when nothing is marked."""
    marked: list[tuple[Part, int, Mapping[str, Any]]] = [("tools", at, block) for at, block in enumerate(tools)]
    marked += [("system", at, block) for at, block in enumerate(system)]
    last = max((at for at, (_, _, block) in enumerate(marked) if "cache_control" in block), default=None)
    if last is None:
        return None
    blocks = tuple(
        BlockFingerprint(part, index, block_fingerprint(block, key)) for part, index, block in marked[: last + 1]
    )
    whole = "/".join(f"{block.part}:{block.fingerprint}" for block in blocks)
    return PrefixFingerprint(_keyed(whole.encode(), key), blocks)


def block_fingerprint(block: Mapping[str, Any], key: bytes) -> str:
    """Fingerprint one block as it is sent: key order counts, because it counts for the Claude cache.

    The breakpoint itself is no content and is left out, so that another TTL is not a changed prefix.
    """
    content = {name: value for name, value in block.items() if name != "cache_control"}
    return _keyed(json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode(), key)


def _keyed(content: bytes, key: bytes) -> str:
    return hmac.new(key, content, hashlib.sha256).hexdigest()[:LENGTH]
