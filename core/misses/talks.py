"""Conversations: calls whose messages are cached too, told by their listed blocks.

Two calls of one engine belong to one conversation when their messages begin alike, by more than a greeting. What a
call should have read is what its conversation's nearest earlier call, its kin, left behind: another conversation's
entry, used a moment ago, explains nothing about this one. One that begins as another does and then differs was edited,
unless that other is gone on with later: then two conversations only opened alike.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import zip_longest

import numpy as np

from core.traffic import Traffic
from core.traffic.arrays import Bools, Ints

MESSAGES = "messages:"
_OPENING = 2  # messages that conversations may have in common: a greeting, but hardly the answer to it
_SIDE_BY_SIDE = 0.1
"""An engine that turns to another model more often than this, and not once only, does not switch: it uses both."""


@dataclass(frozen=True, slots=True)
class Kinship:
    """One conversational call, and how its blocks stand to its kin's."""

    row: int
    kin: int  # row of the nearest earlier call, -1: the engine had none
    shared: int  # how many of its messages it begins with are the kin's; none: a conversation of its own
    differs: str | None  # part of the first block that is not the kin's; None: the kin's whole prefix is in this one
    added: int  # blocks beyond the kin's


@dataclass(slots=True)
class _Node:
    """A beginning of messages: the latest call that had it, and what came next."""

    row: int = -1
    then: dict[str, _Node] = field(default_factory=dict)


def conversations(calls: Traffic, house: Ints, touched: Bools) -> list[Kinship]:
    """Return the kinship of every call that used the cache and lists messages, in order of their starts.

    `house` numbers each call's engine, whatever its model.
    """
    talks = np.array([MESSAGES in value for value in calls.blocks.values] + [False])
    rows = np.flatnonzero(talks[calls.blocks.codes] & touched)
    engines: dict[int, _Node] = {}
    latest: dict[int, int] = {}
    split = [_split(value) if MESSAGES in value else ([], []) for value in calls.blocks.values]
    blocks = calls.blocks.codes
    nearest: dict[int, tuple[int, int]] = {}  # row → kin and how many messages they share
    last: dict[int, int] = {}  # row → the engine's call before
    ends: dict[int, _Node] = {}
    for row in rows.tolist():
        engine, turns = int(house[row]), split[blocks[row]][1]
        node = engines.setdefault(engine, _Node())
        nearest[row], last[row] = _kin(node, turns), latest.get(engine, -1)
        ends[row] = _remember(node, turns, row)
        latest[engine] = row
    found: list[Kinship] = []
    for row, (kin, shared) in nearest.items():
        if shared and _apart(shared, split[blocks[kin]][1], gone_on=ends[kin].row > row):
            shared = 0
        kin = kin if shared else last[row]
        found.append(_kinship(row, kin, shared, split[blocks[row]], split[blocks[kin]]))
    return found


def _apart(shared: int, turns: list[str], *, gone_on: bool) -> bool:
    """Say whether two calls only opened alike: a greeting may be anybody's, and what was edited is not gone on with."""
    return shared < len(turns) and (shared < _OPENING or gone_on)


def _split(listed: str) -> tuple[list[str], list[str]]:
    """Return the blocks of tools and system, and those of the messages."""
    blocks = listed.split()
    first = next(place for place, block in enumerate(blocks) if block.startswith(MESSAGES))
    return blocks[:first], blocks[first:]


def _kin(node: _Node, turns: list[str]) -> tuple[int, int]:
    """Return the latest call that shares most of the messages, and how many blocks it shares."""
    shared = 0
    for turn in turns:
        further = node.then.get(turn)
        if further is None:
            break
        node, shared = further, shared + 1
    return node.row, shared


def _remember(node: _Node, turns: list[str], row: int) -> _Node:
    for turn in turns:
        node = node.then.setdefault(turn, _Node())
        node.row = row
    return node


def _kinship(
    row: int, kin: int, shared: int, now: tuple[list[str], list[str]], before: tuple[list[str], list[str]]
) -> Kinship:
    if kin < 0:
        return Kinship(row, -1, 0, None, 0)
    differs = _first_difference(now[0], before[0])
    if differs is None and shared < len(before[1]):
        differs = "messages"
    return Kinship(row, kin, shared, differs, len(now[1]) - len(before[1]))


def _first_difference(now: list[str], before: list[str]) -> str | None:
    """Return the part of the first block that is not alike, be it one that came or went; None when all are."""
    for new, old in zip_longest(now, before):
        if new != old:
            return (new or old).partition(":")[0]
    return None


def side_by_side(house: Ints, scope: Ints) -> Bools:
    """Say which calls are of engines that use several models side by side: no switch, but lanes by design."""
    order = np.argsort(house, kind="stable")  # calls come in the order of their starts
    same = np.diff(house[order]) == 0
    turned = same & (np.diff(scope[order]) != 0)
    size = int(house.max(initial=-1)) + 1
    pairs = np.bincount(house[order][1:][same], minlength=size)
    turns = np.bincount(house[order][1:][turned], minlength=size)
    return (turns > np.maximum(_SIDE_BY_SIDE * pairs, 1))[house] if len(house) else np.zeros(0, dtype=np.bool_)
