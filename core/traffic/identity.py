"""Which model and TTL a call really ran with, where its line does not say and its dollar figure does.

A 💰 line names neither: the source's defaults stand in. Where its own dollars fit another model or TTL and not the
defaults (`price_check`), that is what it ran with. Only some lines tell (a read costs the same under both TTLs), so
the lines of one engine and source are asked together.
"""

from __future__ import annotations

from collections import Counter

import numpy as np

from core.traffic.arrays import Bools, Coded, Ints, combined

_OTHER = "other:"


def effective(
    *, model: Coded, ttl: Coded, check: Coded, text: Bools, written: Ints, group: tuple[Ints, ...], version: Ints
) -> tuple[Coded, Coded]:
    """Return the models and TTLs in force: those told, corrected by what the figures of text lines say.

    Under each function version the figures choose the model; where several fit them equally (calls without any
    cached token fit more), the one that fits most of the group's other calls is it.
    """
    suspects = np.array([value.startswith(_OTHER) for value in check.values] + [False])[check.codes] & text
    if not suspects.any():
        return model, ttl
    models, ttls = _Words(model), _Words(ttl)
    crews = combined(*group, model.codes, np.where(text, 1, 0))
    for crew in np.unique(crews[suspects]).tolist():
        rows = np.flatnonzero((crews == crew) & text)
        assumed = model.values[model.codes[rows[0]]] if model.codes[rows[0]] >= 0 else None
        usual, untold = _votes(rows, check, assumed), []
        for number in np.unique(version[rows]).tolist():
            some = rows[version[rows] == number]
            found = _elected(_votes(some, check, assumed), usual, assumed)
            if found is None:
                continue
            if found != assumed:
                models.codes[some] = models.code(found)
            if not _correct_ttl(some, check.codes[some], written[some] > 0, found, ttls=ttls, check=check):
                untold.append(some)
        _as_the_others(rows, untold, ttls)
    return models.coded(), ttls.coded()


def _votes(rows: Ints, check: Coded, assumed: str | None) -> Counter[str]:
    """Count how many of the lines' figures fit each model."""
    votes: Counter[str] = Counter()
    told = check.codes[rows]
    for code in np.unique(told[told >= 0]).tolist():
        for name in _models(check.values[code], assumed):
            votes[name] += int(np.sum(told == code))
    return votes


def _elected(votes: Counter[str], usual: Counter[str], assumed: str | None) -> str | None:
    """Return the model that fits most lines; of equals the one that fits elsewhere too, then the one assumed."""
    if not votes:
        votes = usual
    best = max(votes.values(), default=0)
    equals = [name for name in votes if votes[name] == best]
    return max(equals, key=lambda name: (usual[name], name == assumed), default=None)


class _Words:
    """A coded column that can be written to."""

    def __init__(self, column: Coded) -> None:
        self.codes = column.codes.copy()
        self.values = list(column.values)

    def code(self, word: str) -> int:
        if word not in self.values:
            self.values.append(word)
        return self.values.index(word)

    def coded(self) -> Coded:
        return Coded(self.codes, tuple(self.values))


def _models(check: str, assumed: str | None) -> list[str]:
    """Return the models under which the figure of a line comes out, each once."""
    if check == "agrees":
        return [assumed] if assumed else []
    if not check.startswith(_OTHER):
        return []
    return list(dict.fromkeys(part.rpartition("/")[0] for part in check.removeprefix(_OTHER).split(",")))


def _as_the_others(rows: Ints, untold: list[Ints], ttls: _Words) -> None:
    """Give versions of which no line tells its TTL the one that most lines of the other versions run with."""
    silent = np.concatenate(untold) if untold else rows[:0]
    told = np.setdiff1d(rows, silent)
    if len(told) and len(silent):
        ttls.codes[silent] = Counter(ttls.codes[told].tolist()).most_common(1)[0][0]


def _correct_ttl(rows: Ints, told: Ints, wrote: Bools, model: str, *, ttls: _Words, check: Coded) -> bool:
    """Give each writing line the TTL its dollars tell, the others the one that most of them tell; say if any does."""
    own = ttls.codes[rows].copy()
    known = np.zeros(len(rows), dtype=np.bool_)
    for code in np.unique(told[(told >= 0) & wrote]).tolist():
        here = (told == code) & wrote
        value = check.values[code]
        lifetimes = {part.rpartition("/")[2] for part in value.removeprefix(_OTHER).split(",") if "/" in part
                     and part.rpartition("/")[0] == model}  # fmt: skip
        if value == "agrees":
            known |= here
        elif len(lifetimes) == 1:
            own[here] = ttls.code(lifetimes.pop())
            known |= here
    if known.any():
        usual = Counter(own[known].tolist()).most_common(1)[0][0]
        own[~known] = usual
    ttls.codes[rows] = own
    return bool(known.any())
