"""The four text lines of the service, bare or with a level, a time and a request id in front."""

from __future__ import annotations

import re
from decimal import Decimal

from collector.parsers.clock import find_iso_ms
from collector.parsers.facts import NOT_OURS, CostLine, Fact, Parsed, StoreLine, skipped

MAX_TOKENS = 10**10  # no request holds ten billion tokens: a larger count is damage
MAX_ENGINE = 200
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")

_CANONICAL_COST = re.compile(
    r"API Cost: \$(\d{1,7}\.\d{1,12}) \| input: (\d{1,10}), output: (\d{1,10}), "
    r"cache_read: (\d{1,10}), cache_write: (\d{1,10})(?![\d,.])"
)
_NUMBER = r"([+-]?\d{1,3}(?:,\d{3})+|[+-]?\d+)"  # 12345 or 12,345
_LOOSE_COST = re.compile(
    r"API\s+Cost\s*:\s*\$?\s*([+-]?\$?\s*[\d,]*\.?\d+)\s*\|?\s*"
    rf"input\s*:\s*{_NUMBER}\s*,\s*output\s*:\s*{_NUMBER}\s*,\s*"
    rf"cache_read\s*:\s*{_NUMBER}\s*,\s*cache_write\s*:\s*{_NUMBER}(?![\d.]|,\d)"
)
LOOKS_LIKE_COST = re.compile(r"API\s{1,9}Cost\s{0,9}:\s{0,9}\$?[\d.]{1,20}\s{0,9}\|\s{0,9}input\s{0,9}:")
_RUN_TOGETHER = re.compile(r"(?<=\d)\s*(?=(?:💰\s*)?API Cost: \$)")
_COST_ANCHOR = re.compile(r"API\s{1,9}Cost\s{0,9}:")
_COST_START = re.compile(r"API\s+Cost\s*:\s*[+-]?\s*\$")
_ALL_COUNTS = re.compile(
    r"API\s+Cost\s*:.*?input\s*:\s*\S.*?output\s*:\s*\S.*?cache_read\s*:\s*\S.*?cache_write\s*:\s*\S"
)
_COST_SPAN = 400  # characters a cost line can take; what comes after them is not part of it
_HIT_OR_MISS = re.compile(
    r"Cache\s{1,9}(HIT|MISS)\s{1,9}for\s{1,9}(?:\[([^\]\n]{1,300})\]|([^\n]{0,300}?\S))\s{0,9}[-–—]\s{0,9}"
    r"(?:DB\s{1,9}query\s{1,9}skipped|fetching\s{1,9}from\s{1,9}DB)"
)
_STORED = re.compile(
    r"Permanently\s{1,9}cached\s{1,9}prompt\s{1,9}for\s{1,9}(?:\[([^\[\]\n]{1,300})\](?!\])|(\S[^\n\t]{0,300}))"
)


def parse_text(message: str, *, request_id: str | None = None) -> Parsed:
    """Read a message that is not JSON. `request_id` is what the wrapper around it said, if anything.

    A message of several lines may tell several facts; it still ends in one counter, that of its first fact.
    """
    if "\r" in message:  # progress bars; and what Lambda's Node runtime makes of newlines
        message = message.replace("\r", "\n")
    if message.count("Cost: $") > 1:  # threads that wrote at once
        message = _RUN_TOGETHER.sub("\n", message)
    if "\n" not in message.rstrip("\n"):
        return _parse_line(message, request_id)
    facts: list[Fact] = []
    first: Parsed | None = None
    rid = request_id or _request_id_before(message, message.index("\n"))
    for line in message.split("\n"):
        parsed = _parse_line(line, rid)
        facts.extend(parsed.facts)
        if parsed is not NOT_OURS and (first is None or (parsed.facts and not first.facts)):
            first = parsed
    if first is None:
        return NOT_OURS
    return Parsed(first.outcome, first.kind, tuple(facts))


def _parse_line(line: str, request_id: str | None) -> Parsed:
    if "Cost" in line:
        parsed = _parse_cost(line, request_id)
        if parsed is not NOT_OURS:
            return parsed
    if "Cache" in line:
        found = _HIT_OR_MISS.search(line)
        if found:
            return _store("hit" if found[1] == "HIT" else "miss", found, line, request_id)
    if "Permanently" in line:
        found = _STORED.search(line)
        if found:
            return _store("stored", found, line, request_id)
    return NOT_OURS


def _parse_cost(line: str, request_id: str | None) -> Parsed:
    found = _CANONICAL_COST.search(line)
    if found:
        dollars, given, output, read, write = found.groups()
        rid = request_id or _request_id_before(line, found.start())
        fact = CostLine(Decimal(dollars), int(given), int(output), int(read), int(write), rid)
        return Parsed("recognised", "cost", (fact,))
    return _parse_loose_cost(line, request_id)


def _parse_loose_cost(line: str, request_id: str | None) -> Parsed:
    anchor = _COST_ANCHOR.search(line)
    if anchor is None:
        return NOT_OURS
    told = line[anchor.start() : anchor.start() + _COST_SPAN]
    found = _LOOSE_COST.match(told)
    if found is None:
        if not _COST_START.match(told):
            return NOT_OURS
        return skipped("bad_count" if _ALL_COUNTS.match(told) else "broken_line")
    dollars = Decimal(found[1].replace(",", "").replace("$", "").replace(" ", ""))
    given, output, read, write = (int(text.replace(",", "")) for text in found.groups()[1:])
    counts = (given, output, read, write)
    if dollars < 0 or dollars >= 10**6 or any(not 0 <= count <= MAX_TOKENS for count in counts):
        return skipped("bad_count")
    rid = request_id or _request_id_before(line, anchor.start())
    return Parsed("recognised", "cost", (CostLine(dollars, *counts, rid),))


def _store(kind: str, found: re.Match[str], line: str, request_id: str | None) -> Parsed:
    group = 2 if kind != "stored" else 1
    engine = (found[group] or _unbracketed(found[group + 1].strip())).strip()
    if not engine or len(engine) > MAX_ENGINE:
        return skipped("bad_engine")
    start = found.start()
    rid = request_id or _request_id_before(line, start)
    stamp = find_iso_ms(line[:start]) if start > 20 and kind != "hit" else None
    assert kind in ("hit", "miss", "stored")
    fact = StoreLine(kind, engine, rid, stamp)  # type: ignore[arg-type]  # narrowed by the assert above
    return Parsed("recognised", f"prompt_store_{kind}", (fact,))


def _unbracketed(name: str) -> str:
    """Take the brackets off `[sales [v2]]`; those of `sales [v2]` and `[a] [b]` are the name's own."""
    if not (name.startswith("[") and name.endswith("]")):
        return name
    depth = 0
    for place, letter in enumerate(name):
        depth += (letter == "[") - (letter == "]")
        if depth == 0:
            return name[1:-1] if place == len(name) - 1 else name
    return name


def _request_id_before(line: str, end: int) -> str | None:
    if end < 36:
        return None
    found = UUID.search(line, 0, end)
    return found[0] if found else None
