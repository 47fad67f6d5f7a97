"""The provider's prompt-cache rules as a pure model: no clock, no network, no dice.

Rules, from https://platform.claude.com/docs/en/build-with-claude/prompt-caching:

* A prefix is the sequence of blocks (tools, system, messages) up to a breakpoint. At most 4 breakpoints; 1h ones
  must come before 5m ones.
* Lifetime counts from the START of the request that wrote or last read the entry. A read refreshes it for free.
* An entry can be read only once the response of the request that wrote it has begun: of two concurrent first
  requests, both write.
* From each breakpoint the cache looks back over 20 positions, the breakpoint's own among them, and the longest
  entry found by any breakpoint is read.
* A prefix shorter than the model's minimum is silently neither read nor written.
* Entries are kept apart per workspace and model.

Where the documentation is silent the model chooses, and says so here:

* the edge: an entry last used exactly one lifetime ago is still read; one millisecond later it has expired;
* reading a long prefix uses, and so refreshes, every live entry inside it;
* an entry keeps the lifetime it was written with; two concurrent writers leave the longer of theirs;
* a breakpoint inside what was read writes nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from core.errors import BadInput

Ttl = Literal["5m", "1h"]
Cause = Literal[
    "hit",  # everything marked was read
    "first_touch",  # nobody wrote this prefix before
    "expired",  # it was written, and last used longer ago than its lifetime
    "concurrent_first_write",  # it was being written: that response had not begun
    "lookback",  # an entry was there, but 20 or more positions before every breakpoint
    "below_minimum",  # marked, but shorter than the model's minimum
    "off",  # nothing was marked
]

TTL_MS: dict[str, int] = {"5m": 300_000, "1h": 3_600_000}
MAX_BREAKPOINTS = 4
LOOKBACK_POSITIONS = 20


@dataclass(frozen=True, slots=True)
class Block:
    """One block of a prompt. `fingerprint` stands for its content; `ttl` makes it a breakpoint."""

    fingerprint: str
    tokens: int
    ttl: Ttl | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one request did to the cache, in tokens. The four counts sum to the prompt."""

    read: int
    write_5m: int
    write_1h: int
    uncached: int
    cause: Cause  # why the marked part was not (wholly) read; "hit" when it was
    missed: int  # marked tokens that were not read: written, or below the minimum
    gap_ms: int | None = None  # since the last use of the entry read, or of the one that had expired

    @property
    def prompt(self) -> int:
        """Tokens of the whole prompt."""
        return self.read + self.write_5m + self.write_1h + self.uncached


@dataclass(slots=True)
class _Entry:
    used_ms: int
    readable_ms: int
    ttl_ms: int


class CacheModel:
    """The cache of one organisation. Feed it requests in order of their start.

    `minimum_tokens` is the smallest cacheable prefix, or a function from the model's name to it.
    """

    def __init__(self, *, minimum_tokens: int | Callable[[str], int] = 0, lookback: int = LOOKBACK_POSITIONS) -> None:
        self._minimum = minimum_tokens
        self._lookback = lookback
        self._nodes: dict[tuple[object, str], int] = {}  # (parent node or scope, fingerprint) → node of that prefix
        self._entries: dict[int, _Entry] = {}
        self._next_node = 0

    def request(
        self,
        at_ms: int,
        *,
        blocks: Sequence[Block],
        workspace: str = "",
        model: str = "",
        response_begins_ms: int | None = None,
    ) -> Outcome:
        """Answer what the request starting at `at_ms` reads and writes, and remember it.

        `response_begins_ms` is when the first byte of the answer comes; None = at once. Where that depends on the
        outcome, give `sys.maxsize` and call `response_began` later. Raises BadInput for breakpoints that the API
        would refuse.
        """
        marks = _breakpoints(blocks)
        total = sum(block.tokens for block in blocks)
        if not marks:
            return Outcome(0, 0, 0, total, "off", 0)
        ends = _prefix_tokens(blocks)
        minimum = self._minimum if isinstance(self._minimum, int) else self._minimum(model)
        valid = [mark for mark in marks if ends[mark] >= minimum]
        if not valid:
            return Outcome(0, 0, 0, total, "below_minimum", ends[marks[-1]])
        path = self._path((workspace, model), blocks[: valid[-1] + 1])
        hit = self._longest(path, valid, at_ms)
        outcome = self._bill(path, hit, valid, blocks, ends, at_ms)
        begins = at_ms if response_begins_ms is None else response_begins_ms
        self._refresh(path, hit, at_ms)
        for mark in valid:
            if mark > hit:
                self._write(path[mark], at_ms, begins, TTL_MS[blocks[mark].ttl or "5m"])
        return outcome

    def response_began(self, at_ms: int, *, blocks: Sequence[Block], workspace: str = "", model: str = "") -> None:
        """Make readable from `at_ms` on what a request wrote, where its start could not tell when it would answer.

        Such a request is fed with a `response_begins_ms` that never comes (sys.maxsize).
        """
        path = self._path((workspace, model), blocks)
        for mark in _breakpoints(blocks):
            entry = self._entries.get(path[mark])
            if entry is not None:
                entry.readable_ms = min(entry.readable_ms, at_ms)

    def forget(self, before_ms: int) -> int:
        """Drop the entries last used before `before_ms`, so that a long run stays small; say how many.

        A dropped prefix is a first touch again, so keep at least as long as "expired" should be told apart.
        """
        old = {node for node, entry in self._entries.items() if entry.used_ms < before_ms}
        for node in old:
            del self._entries[node]
        live = self._nodes_under_entries()
        self._nodes = {key: node for key, node in self._nodes.items() if node in live}
        return len(old)

    def _nodes_under_entries(self) -> set[int]:
        parents = {node: parent for (parent, _), node in self._nodes.items()}
        live: set[int] = set()
        for node in self._entries:
            at: object = node
            while isinstance(at, int) and at not in live:
                live.add(at)
                at = parents[at]
        return live

    def _path(self, scope: tuple[str, str], blocks: Sequence[Block]) -> list[int]:
        """Return the node of every prefix of `blocks`, making new ones: equal content, equal node."""
        nodes, path = self._nodes, []
        parent: object = scope
        for block in blocks:
            node = nodes.get((parent, block.fingerprint))
            if node is None:
                node = nodes[parent, block.fingerprint] = self._next_node
                self._next_node += 1
            path.append(node)
            parent = node
        return path

    def _longest(self, path: list[int], marks: list[int], at_ms: int) -> int:
        """Return the position of the longest readable prefix within the look-back of a breakpoint, or -1."""
        entries = self._entries
        floor = len(path)
        for mark in reversed(marks):
            for position in range(min(mark, floor - 1), max(-1, mark - self._lookback), -1):
                entry = entries.get(path[position])
                if entry is not None and entry.readable_ms <= at_ms <= entry.used_ms + entry.ttl_ms:
                    return position
                floor = position
        return -1

    def _bill(
        self, path: list[int], hit: int, marks: list[int], blocks: Sequence[Block], ends: list[int], at_ms: int
    ) -> Outcome:
        """Split the prompt at A (read), B (last 1h breakpoint) and C (last 5m breakpoint)."""
        read = ends[hit] if hit >= 0 else 0
        end_1h = max((ends[mark] for mark in marks if blocks[mark].ttl == "1h"), default=0)
        end_all = max(read, ends[marks[-1]])
        write_1h = max(0, end_1h - read)
        write_5m = end_all - read - write_1h
        cause, gap_ms = self._why(path, hit, marks, at_ms)
        return Outcome(read, write_5m, write_1h, ends[-1] - end_all, cause, write_5m + write_1h, gap_ms)

    def _why(self, path: list[int], hit: int, marks: list[int], at_ms: int) -> tuple[Cause, int | None]:
        """Say why the last breakpoint was not read: by its own entry, else by the longest one under it."""
        if hit == marks[-1]:
            return "hit", at_ms - self._entries[path[hit]].used_ms
        for position in range(marks[-1], hit, -1):
            entry = self._entries.get(path[position])
            if entry is None:
                continue
            gap_ms = at_ms - entry.used_ms
            if gap_ms > entry.ttl_ms:
                return "expired", gap_ms
            return ("concurrent_first_write" if entry.readable_ms > at_ms else "lookback"), gap_ms
        return "first_touch", None

    def _refresh(self, path: list[int], hit: int, at_ms: int) -> None:
        for position in range(hit + 1):
            entry = self._entries.get(path[position])
            if entry is not None and at_ms <= entry.used_ms + entry.ttl_ms:
                entry.used_ms = max(entry.used_ms, at_ms)

    def _write(self, node: int, at_ms: int, readable_ms: int, ttl_ms: int) -> None:
        entry = self._entries.get(node)
        if entry is None or at_ms > entry.used_ms + entry.ttl_ms:
            self._entries[node] = _Entry(at_ms, readable_ms, ttl_ms)
            return
        entry.used_ms = max(entry.used_ms, at_ms)  # a concurrent writer got here first
        entry.readable_ms = min(entry.readable_ms, readable_ms)
        entry.ttl_ms = max(entry.ttl_ms, ttl_ms)


def _breakpoints(blocks: Sequence[Block]) -> list[int]:
    """Return the positions of the breakpoints, refusing what the API refuses."""
    marks = [position for position, block in enumerate(blocks) if block.ttl is not None]
    if len(marks) > MAX_BREAKPOINTS:
        raise BadInput(
            f"A prompt has {len(marks)} cache breakpoints.",
            code="CAC-001",
            mend=f"Claude accepts at most {MAX_BREAKPOINTS}: mark fewer blocks.",
        )
    short_seen = False
    for mark in marks:
        ttl = blocks[mark].ttl
        if ttl not in get_args(Ttl):
            raise BadInput(f"A cache breakpoint has ttl {ttl!r}.", code="CAC-002", mend="Claude knows only 5m and 1h.")
        if ttl == "1h" and short_seen:
            raise BadInput("A 1h cache breakpoint comes after a 5m one.", code="CAC-003", mend="Put the 1h ones first.")
        short_seen = short_seen or ttl == "5m"
    return marks


def _prefix_tokens(blocks: Sequence[Block]) -> list[int]:
    """Return, for every position, the tokens of the prompt up to and with it."""
    ends, total = [], 0
    for block in blocks:
        if not 0 <= block.tokens <= sys.maxsize:
            raise BadInput(f"A prompt block has {block.tokens} tokens.", code="CAC-004", mend="Accepted: 0 or more.")
        total += block.tokens
        ends.append(total)
    return ends
