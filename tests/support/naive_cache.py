"""The cache rules once more, as slow and as plainly as possible: every block of every prompt is looked at by itself."""

from __future__ import annotations

from dataclasses import dataclass

from core.caching.cache_model import Block

LIFETIMES = {"5m": 300_000, "1h": 3_600_000}


@dataclass
class NaiveEntry:
    """A cached prefix, spelled out."""

    scope: tuple[str, str]
    prefix: tuple[str, ...]
    used: int
    readable: int
    lifetime: int

    def lives(self, at: int) -> bool:
        return at - self.used <= self.lifetime


class NaiveCache:
    """A list of entries, searched from end to end."""

    def __init__(self, minimum: int, lookback: int) -> None:
        self.minimum = minimum
        self.lookback = lookback
        self.entries: list[NaiveEntry] = []

    def request(
        self, at: int, blocks: list[Block], workspace: str, model: str, begins: int
    ) -> tuple[int, int, int, int]:
        """Return (read, write_5m, write_1h, uncached)."""
        scope = (workspace, model)
        prefixes = [tuple(b.fingerprint for b in blocks[: i + 1]) for i in range(len(blocks))]
        sizes = [sum(b.tokens for b in blocks[: i + 1]) for i in range(len(blocks))]
        marks = [i for i, b in enumerate(blocks) if b.ttl and sizes[i] >= self.minimum]
        hit = -1
        for i, prefix in enumerate(prefixes):
            seen = any(mark - self.lookback < i <= mark for mark in marks)
            if seen and any(self._readable(e, scope, prefix, at) for e in self.entries):
                hit = i
        for entry in self.entries:
            if entry.scope == scope and entry.prefix in prefixes[: hit + 1] and entry.lives(at):
                entry.used = max(entry.used, at)
        for mark in marks:
            if mark > hit:
                self._write(scope, prefixes[mark], at, begins, LIFETIMES[str(blocks[mark].ttl)])
        return self._bill(blocks, marks, hit)

    def _readable(self, entry: NaiveEntry, scope: tuple[str, str], prefix: tuple[str, ...], at: int) -> bool:
        return entry.scope == scope and entry.prefix == prefix and entry.readable <= at and entry.lives(at)

    def _write(self, scope: tuple[str, str], prefix: tuple[str, ...], at: int, begins: int, lifetime: int) -> None:
        same = [e for e in self.entries if (e.scope, e.prefix) == (scope, prefix)]
        if same and same[0].lives(at):
            same[0].used = max(same[0].used, at)
            same[0].readable = min(same[0].readable, begins)
            same[0].lifetime = max(same[0].lifetime, lifetime)
            return
        self.entries = [e for e in self.entries if e not in same]
        self.entries.append(NaiveEntry(scope, prefix, at, begins, lifetime))

    @staticmethod
    def _bill(blocks: list[Block], marks: list[int], hit: int) -> tuple[int, int, int, int]:
        bill = {"read": 0, "5m": 0, "1h": 0, "uncached": 0}
        for i, block in enumerate(blocks):
            after = {blocks[mark].ttl for mark in marks if mark >= i}
            kind = "read" if i <= hit else "1h" if "1h" in after else "5m" if "5m" in after else "uncached"
            bill[kind] += block.tokens
        return bill["read"], bill["5m"], bill["1h"], bill["uncached"]
