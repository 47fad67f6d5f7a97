"""Numbers, words and times read eight letters at a time: what Python itself makes of the same letters."""

from __future__ import annotations

import re
from decimal import Decimal
from random import Random

import numpy as np
import pytest

from collector.lane.figures import Reading, stripped
from collector.lane.lines import STAMP, Lines, moments
from collector.parsers.clock import find_iso_ms, plausible
from tests.support.log_lines import NOW, T0, iso

NOW_MS = round(NOW.timestamp() * 1000)
BEHIND = ("", " ms", "x", "/", ":", "é", ".", "\xff", "0", " 1")


def said(told: list[str]) -> Reading:
    """Return a reading that stands at the beginning of each line."""
    lines = Lines("".join(f"{one}\n" for one in told).encode())
    return Reading(lines, lines.starts)


def numbers(draw: Random, *, whole: int, behind: int, point: float) -> list[str]:
    """Return numbers of up to so many figures, some with a fraction, some too long, some none at all."""
    told = []
    for _ in range(3000):
        text = str(draw.randrange(10 ** draw.randrange(1, whole + 2)))
        if draw.random() < point:
            places = draw.randrange(behind + 2)
            text += "." + "".join(draw.choice("0123456789") for _ in range(places))
        told.append(draw.choice(("", "", "", "", "-", "x")) + text + draw.choice(BEHIND))
    return told


def test_whole_numbers_are_read() -> None:
    """One to eight figures are a number; nine, or none, are not."""
    told = numbers(Random(1), whole=8, behind=0, point=0)
    reading = said(told)

    value = reading.whole()

    known = [re.match(r"\d{1,8}(?!\d)", text) for text in told]
    assert reading.fits.tolist() == [one is not None for one in known]
    assert [v for v, one in zip(value.tolist(), known, strict=True) if one] == [int(one[0]) for one in known if one]


def test_numbers_with_a_fraction_are_read_to_the_last_bit() -> None:
    """Every number is the float that Python reads, which the rows have held before."""
    told = numbers(Random(2), whole=8, behind=6, point=0.8)
    reading = said(told)

    value = reading.number()

    known = [re.match(r"\d{1,8}(?!\d)(?:\.\d{1,6}(?!\d)|(?!\.))", text) for text in told]
    assert reading.fits.tolist() == [one is not None for one in known]
    assert [v for v, one in zip(value.tolist(), known, strict=True) if one] == [float(one[0]) for one in known if one]


def test_dollars_are_read_exactly() -> None:
    """Amounts keep every place; what has no point, or too many figures, is none."""
    told = numbers(Random(3), whole=6, behind=8, point=0.9)
    reading = said(told)

    usd = reading.dollars().to_pylist()

    known = [re.match(r"(\d{1,6}|0{0,2}\d{6})\.\d{1,8}(?!\d)", text) for text in told]
    assert reading.fits.tolist() == [one is not None for one in known]
    assert [v for v, one in zip(usd, known, strict=True) if one] == [Decimal(one[0]) for one in known if one]


def test_words_are_expected_letter_by_letter() -> None:
    """A word of any length from one letter on is passed where it stands, and nowhere else."""
    told = ["Duration: 5 MB", "Duratio: 5 MB", "Duration: 5 MB\t \r", "Duration: 5 M", "", "Duration: 5 MBx"]
    reading = said(told)

    reading.word(b"Duration: ")
    reading.whole()
    reading.few(b" MB")
    reading.end(stripped(reading.lines, np.arange(len(told))))

    assert reading.fits.tolist() == [True, False, True, False, False, False]


@pytest.mark.parametrize("seed", range(3))
def test_times_are_read_as_the_clock_reads_them(seed: int) -> None:
    """A time in the exact form, with any letter changed, is the same time, or none, for both."""
    draw = Random(seed)
    told = []
    for _ in range(2000):
        letters = bytearray(iso(T0 - draw.randrange(10**11)).encode())
        if draw.random() < 0.7:
            letters[draw.randrange(STAMP)] = draw.choice(b"0123456789-T:.Z /\x00\xb9\xff")
        told.append(bytes(letters))
    rows = np.frombuffer(b"".join(told), dtype=np.uint8).reshape(-1, STAMP)

    read = moments(rows, NOW_MS)

    exact = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
    known = [find_iso_ms(text.decode()) if exact.fullmatch(text) else None for text in told]
    assert read.tolist() == [ms if ms is not None and plausible(ms, now_ms=NOW_MS) else -1 for ms in known]
    assert 400 < sum(ms is not None for ms in known) < 1900
