"""Which model and TTL a call really ran with, where its line does not say and its dollar figure does.

A 💰 line names neither: the source's defaults stand in. Where its own dollars fit another model or TTL and not the
defaults (`price_check`), that is what it ran with. Only some lines tell (a read costs the same under both TTLs), so
the lines of one engine, source and function version are asked together.
"""

from __future__ import annotations

from collections import Counter

import numpy as np

from core.traffic.arrays import Coded, Ints, combined

_OTHER = "other:"


def effective(
    *, model: Coded, ttl: Coded, check: Coded, text: np.ndarray, written: Ints, group: tuple[Ints, ...]
) -> tuple[Coded, Coded]:
    """Return the models and TTLs in force: those told, corrected by what the figures of text lines say."""
    suspects = np.array([value.startswith(_OTHER) for value in check.values] + [False])[check.codes] & text
    if not suspects.any():
        return model, ttl
    models, ttls = _Words(model), _Words(ttl)
    crews = combined(*group, model.codes, np.where(text, 1, 0))
    for crew in np.unique(crews[suspects]).tolist():
        rows = np.flatnonzero((crews == crew) & text)
        _correct(rows, models=models, ttls=ttls, check=check, written=written)
    return models.coded(), ttls.coded()


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


def _correct(rows: Ints, *, models: _Words, ttls: _Words, check: Coded, written: Ints) -> None:
    """Correct the calls of one engine, source and version, which all were booked under one model."""
    assumed = models.values[models.codes[rows[0]]] if models.codes[rows[0]] >= 0 else None
    told = check.codes[rows]
    wrote = written[rows] > 0
    votes: Counter[str] = Counter()
    for code in np.unique(told[told >= 0]).tolist():
        weight = int(np.sum(told == code))
        for name in _models(check.values[code], assumed):
            votes[name] += weight
    if not votes:
        return
    best = max(votes.values())
    if assumed is not None and votes.get(assumed, 0) == best:
        found = assumed
    else:
        found = next(name for name in votes if votes[name] == best)
        models.codes[rows] = models.code(found)
    _correct_ttl(rows, told, wrote, found, ttls=ttls, check=check)


def _models(check: str, assumed: str | None) -> list[str]:
    """Return the models under which the figure of a line comes out, each once."""
    if check == "agrees":
        return [assumed] if assumed else []
    if not check.startswith(_OTHER):
        return []
    return list(dict.fromkeys(part.rpartition("/")[0] for part in check.removeprefix(_OTHER).split(",")))


def _correct_ttl(rows: Ints, told: Ints, wrote: np.ndarray, model: str, *, ttls: _Words, check: Coded) -> None:
    """Give each writing line the TTL its dollars tell, and the others the one that most of them tell."""
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
