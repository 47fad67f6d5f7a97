"""What session files told in a batch: one call for each message id, as columns."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from collector.lane.requests import Place
from collector.parsers.clock import AHEAD_MS
from collector.sessions.told import NUMBERS, Shape, ToldPiece

if TYPE_CHECKING:
    from collector.sessions.lines import Fullness

Ints = NDArray[np.int64]
_AT = {name: place for place, name in enumerate(NUMBERS)}


@dataclass(frozen=True, slots=True)
class SessionRows:
    """Rows in the order in which their messages were met."""

    places: list[Place]
    ids: pa.Array
    requests: pa.Array
    place: Ints
    before: Ints  # how many ordinary events of the batch come before it
    numbers: Ints  # a row of NUMBERS for each
    shapes: list[Shape]
    costs: dict[int, Decimal]  # by row, as are the next two
    steps: dict[int, str]
    unsplit: dict[int, bytes]

    def __len__(self) -> int:
        """Return how many messages there are."""
        return len(self.place)

    def __getitem__(self, name: str) -> Ints:
        """Return one of NUMBERS."""
        column: Ints = self.numbers[:, _AT[name]]
        return column

    def fullness(self, row: int) -> Fullness:
        """Say how much of its message a row knows: it ended, its output, its prompt."""
        told = dict(zip(NUMBERS, self.numbers[row].tolist(), strict=True))
        prompt = told["input"] + told["read"] + told["write_5m"] + told["write_1h"]
        return self.shapes[told["shape"]][2] is not None, told["output"], prompt

    def by_id(self) -> dict[str, int]:
        """Return the row of each message."""
        return {message_id: row for row, message_id in enumerate(self.ids.to_pylist())}

    def without(self, rows: Collection[int]) -> SessionRows:
        """Return the others, in the same order."""
        return self._taken(np.delete(np.arange(len(self)), list(rows))) if rows else self

    def one_of_each(self) -> SessionRows:
        """Leave of each message the row that knows most, of equal ones the last, where it was met first."""
        if len(self) < 2 or pc.count_distinct(self.ids).as_py() == len(self):
            return self
        message = self.ids.dictionary_encode().indices.to_numpy().astype(np.int64)
        ended = np.array([shape[2] is not None for shape in self.shapes])[self["shape"]]
        prompt = self["input"] + self["read"] + self["write_5m"] + self["write_1h"]
        order = np.lexsort((np.arange(len(self)), prompt, self["output"], ended, message))
        return self._taken(order[np.append(np.diff(message[order]) != 0, True)])

    def _taken(self, rows: Ints) -> SessionRows:
        new = dict(zip(rows.tolist(), range(len(rows)), strict=True))
        return replace(
            self,
            ids=self.ids.take(pa.array(rows)),
            requests=self.requests.take(pa.array(rows)),
            place=self.place[rows],
            before=self.before[rows],
            numbers=self.numbers[rows],
            costs={new[row]: cost for row, cost in self.costs.items() if row in new},
            steps={new[row]: steps for row, steps in self.steps.items() if row in new},
            unsplit={new[row]: usage for row, usage in self.unsplit.items() if row in new},
        )


@dataclass(slots=True)
class SessionCalls:
    """Everything the quick way took of one batch, piece by piece; made columns once, for each piece has few calls."""

    places: list[Place] = field(default_factory=list)
    lines: int = 0  # that told a call
    count: int = 0  # rows, of which some may be of one message
    _pieces: list[ToldPiece] = field(default_factory=list)
    _place: list[int] = field(default_factory=list)  # of each piece
    _events: list[Sequence[int]] = field(default_factory=list)
    _rows: SessionRows | None = None

    def add(self, place: Place, piece: ToldPiece, events: Sequence[int]) -> None:
        """Add what a piece of a file told. `events`: how many the batch held before it, and after each line left."""
        self.lines += piece.lines
        if not piece.ids:
            return
        if not self.places or self.places[-1].file_id != place.file_id:
            self.places.append(place)
        piece.left = []  # they are told, and need not be held any longer
        self._pieces.append(piece)
        self._place.append(len(self.places) - 1)
        self._events.append(events)
        self.count += len(piece.ids)
        self._rows = None

    def rows(self) -> SessionRows:
        """Return one row for each message."""
        if self._rows is None:
            self._rows = self._together().one_of_each()
        return self._rows

    def times(self, now_ms: int) -> list[int]:
        """Return the first and the last time told that can be one."""
        if not self.count:
            return []
        told = self.rows()["ms"]
        told = told[told <= now_ms + AHEAD_MS]
        return [int(told.min()), int(told.max())] if len(told) else []

    def _together(self) -> SessionRows:
        pieces = self._pieces
        counts = np.array([len(piece.ids) for piece in pieces], dtype=np.int64)
        whole = b"".join(piece.numbers.tobytes() for piece in pieces)
        numbers = np.frombuffer(bytearray(whole), dtype=np.int64).reshape(-1, len(NUMBERS))
        shapes: dict[Shape, int] = {}
        shape_of = [[shapes.setdefault(shape, len(shapes)) for shape in piece.shapes] for piece in pieces]
        numbers[:, _AT["shape"]] = _of_piece(shape_of, numbers[:, _AT["shape"]], counts)
        first = np.cumsum(counts) - counts
        return SessionRows(
            self.places,
            pa.array([one for piece in pieces for one in piece.ids], pa.string()),
            pa.array([one for piece in pieces for one in piece.requests], pa.string()),
            np.repeat(np.array(self._place, dtype=np.int64), counts),
            _of_piece(self._events, numbers[:, _AT["left"]], counts),
            numbers,
            list(shapes),
            {
                at + row: Decimal(cost)
                for at, piece in zip(first.tolist(), pieces, strict=True)
                for row, cost in piece.costs
            },
            {at + row: steps for at, piece in zip(first.tolist(), pieces, strict=True) for row, steps in piece.steps},
            {at + row: usage for at, piece in zip(first.tolist(), pieces, strict=True) for row, usage in piece.unsplit},
        )


def _of_piece(values: Sequence[Sequence[int]], places: Ints, counts: Ints) -> Ints:
    """Return for each row the value at its place among those of its piece."""
    lengths = np.array([len(one) for one in values], dtype=np.int64)
    told = np.array([value for one in values for value in one], dtype=np.int64)
    picked: Ints = told[np.repeat(np.cumsum(lengths) - lengths, counts) + places] if len(told) else told
    return picked
