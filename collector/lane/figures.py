"""Numbers and words at places of a piece, read eight letters at a time: a whole column by some twenty operations.

What is longer than that is no number here; whoever asks leaves such a line to the ordinary way.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from collector.lane.lines import ABOVE_NINE, HIGH, ZEROS, Bools, Ints, Lines
from core.store.schema import USD

Words = NDArray[np.uint64]

_ONE, _THREE, _EIGHT, _SIXTEEN, _THIRTY_TWO = (np.uint64(number) for number in (1, 3, 8, 16, 32))
_PAIRS, _FOURS = np.uint64(0x00FF00FF00FF00FF), np.uint64(0x0000FFFF0000FFFF)
_BY_TEN, _BY_HUNDRED, _BY_MYRIAD = np.uint64(2561), np.uint64(6553601), np.uint64(42949672960001)
_TENS: Ints = 10 ** np.arange(19, dtype=np.int64)
_BLANKS = np.zeros(256, dtype=np.bool_)
_BLANKS[[ord(" "), ord("\t"), ord("\r")]] = True
_MOST_BLANKS = 8
_DOLLAR_PLACES = 12


class Reading:
    """Reads on at a place in each of some lines; `fits` says of which everything was as expected so far."""

    def __init__(self, lines: Lines, at: Ints) -> None:
        self.lines, self.at = lines, at
        self.fits: Bools = np.ones(len(at), dtype=np.bool_)

    def word(self, letters: bytes) -> None:
        """Expect these letters, at least eight."""
        for place in (*range(0, len(letters) - 8, 8), len(letters) - 8):
            wanted = np.uint64(int.from_bytes(letters[place : place + 8], "little"))
            self.fits &= self.lines.words(self.at + place) == wanted
        self.at = self.at + len(letters)

    def few(self, letters: bytes) -> None:
        """Expect these letters, fewer than eight."""
        wanted = np.uint64(int.from_bytes(letters, "little"))
        self.fits &= (self.lines.words(self.at) & np.uint64((1 << 8 * len(letters)) - 1)) == wanted
        self.at = self.at + len(letters)

    def letter(self, wanted: str) -> Bools:
        """Say where this letter stands, and pass it there."""
        found: Bools = self.lines.letters[self.at] == ord(wanted)
        self.at = self.at + found
        return found

    def whole(self) -> Ints:
        """Expect a number of one to eight figures, with no figure behind it."""
        value, count = self._figures()
        self.fits &= count > 0
        self.fits &= ~self._is_figure()
        return value

    def number(self) -> NDArray[np.float64]:
        """Expect a number of one to eight figures, and up to six behind a point if there is one."""
        value = self.whole()
        pointed = self.letter(".")
        behind, places = self._fraction(pointed, most=6)
        exact: NDArray[np.float64] = (value * _TENS[places] + behind) / _TENS[places]  # both below 2**53: exact
        return exact

    def dollars(self) -> pa.Array:
        """Expect an amount of one to six figures, a point, and one to eight figures."""
        value = self.whole()
        pointed = self.letter(".")
        behind, places = self._fraction(pointed, most=8)
        self.fits &= pointed & (value < _TENS[6])
        amount = np.zeros((len(value), 2), dtype="<i8")
        amount[:, 0] = np.where(self.fits, value * _TENS[_DOLLAR_PLACES] + behind * _TENS[_DOLLAR_PLACES - places], 0)
        buffers: list[Any] = [None, pa.py_buffer(amount)]
        return pa.Array.from_buffers(USD, len(value), buffers)

    def end(self, ends: Ints) -> None:
        """Expect the end of each line, as `stripped` gives it."""
        self.fits &= self.at == ends

    def _fraction(self, pointed: Bools, *, most: int) -> tuple[Ints, Ints]:
        behind, places = self._figures()
        self.fits &= ~pointed | ((places > 0) & (places <= most) & ~self._is_figure())
        self.at = np.where(pointed, self.at, self.at - places)
        return np.where(pointed, behind, 0), np.where(pointed, places, 0)

    def _figures(self) -> tuple[Ints, Ints]:
        """Read up to eight figures; return the number and how many they were."""
        letters = self.lines.words(self.at) ^ ZEROS
        other = ((letters + ABOVE_NINE) | letters) & HIGH  # a letter above 9 spoils only what stands behind it
        count = np.bitwise_count((other & (~other + _ONE)) - _ONE) >> 3
        told = letters << ((_EIGHT - count) << _THREE)
        told = ((told * _BY_TEN) >> _EIGHT) & _PAIRS
        told = ((told * _BY_HUNDRED) >> _SIXTEEN) & _FOURS
        told = (told * _BY_MYRIAD) >> _THIRTY_TWO
        self.at = self.at + count
        return told.astype(np.int64), count.astype(np.int64)

    def _is_figure(self) -> Bools:
        figure: Bools = (self.lines.letters[self.at] - np.uint8(ord("0"))) <= 9
        return figure


def stripped(lines: Lines, which: Ints) -> Ints:
    """Return where lines end without the blanks and the newline behind them."""
    ends: Ints = lines.ends[which] - 1
    for _ in range(_MOST_BLANKS):
        blank = _BLANKS[lines.letters[ends - 1]]
        if not blank.any():
            break
        ends = ends - blank
    return ends
