"""Text on a PDF page: Latin in Helvetica, everything else in a Hangul font, each run measured in its own.

A Hangul font in TrueType outlines that this machine has is embedded. Noto CJK cannot be (its outlines are
PostScript, which the library does not take), so without another the standard Korean font HYGothic-Medium is named,
which every common reader has or substitutes.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Literal

from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfbase.ttfonts import TTFError, TTFont
from reportlab.pdfgen.canvas import Canvas

LATIN, LATIN_BOLD = "Helvetica", "Helvetica-Bold"
FALLBACK = "HYGothic-Medium"
_EMBEDDED = "Hangul"
_FOLDERS = (
    "/usr/share/fonts", "/usr/local/share/fonts", "~/.local/share/fonts", "~/.fonts", "/Library/Fonts",
    "/System/Library/Fonts/Supplemental", "C:/Windows/Fonts",
)  # fmt: skip
_NAMES = ("NanumGothic.ttf", "NanumBarunGothic.ttf", "NotoSansKR-Regular.ttf", "Pretendard-Regular.ttf", "malgun.ttf",
          "UnDotum.ttf", "AppleGothic.ttf")  # fmt: skip

Align = Literal["left", "right"]


@cache
def hangul() -> str:
    """Register the Hangul font of this machine once and return its name."""
    for file in _found():
        try:
            pdfmetrics.registerFont(TTFont(_EMBEDDED, str(file)))
        except (TTFError, OSError):
            continue
        return _EMBEDDED
    pdfmetrics.registerFont(UnicodeCIDFont(FALLBACK))
    return FALLBACK


def draw(
    canvas: Canvas, x: float, y: float, text: str, size: float, *, bold: bool = False, align: Align = "left"
) -> None:
    """Draw one line of text; `x` is its left or its right end."""
    at = x - width(text, size, bold=bold) if align == "right" else x
    for font, run in _runs(text, bold=bold):
        canvas.setFont(font, size)
        canvas.drawString(at, y, run)
        at += pdfmetrics.stringWidth(run, font, size)


def width(text: str, size: float, *, bold: bool = False) -> float:
    """Return how wide a line is."""
    return sum(pdfmetrics.stringWidth(run, font, size) for font, run in _runs(text, bold=bold))


def size_for(text: str, size: float, room: float, *, bold: bool = False) -> float:
    """Return the size at which a figure fits its room: digits are never cut off."""
    return min(size, size * room / max(width(text, size, bold=bold), 1.0))


def fitted(text: str, size: float, room: float, *, bold: bool = False) -> str:
    """Return the text, cut with an ellipsis where it is wider than its room."""
    if width(text, size, bold=bold) <= room:
        return text
    while text and width(text + "…", size, bold=bold) > room:
        text = text[:-1]
    return text + "…"


def wrapped(text: str, size: float, room: float, *, bold: bool = False) -> list[str]:
    """Return the text in lines, broken between words."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and width(longer, size, bold=bold) <= room:
            lines[-1] = longer
        else:
            lines.append(fitted(word, size, room, bold=bold))
    return lines


def _runs(text: str, *, bold: bool) -> Iterator[tuple[str, str]]:
    for latin, part in groupby(text.replace("−", "–"), _is_latin):  # few Hangul fonts have the minus sign
        run = "".join(part)
        if latin:
            yield LATIN_BOLD if bold else LATIN, run
        else:
            yield hangul(), "".join(ch if ord(ch) < 0x10000 else "?" for ch in run)


def _is_latin(char: str) -> bool:
    try:
        char.encode("cp1252")
    except UnicodeEncodeError:
        return False
    return True


def _found() -> Iterator[Path]:
    for folder in _FOLDERS:
        root = Path(folder).expanduser()
        if root.is_dir():
            by_name = {file.name.lower(): file for file in root.rglob("*.[tT][tT][fF]")}
            yield from (by_name[name.lower()] for name in _NAMES if name.lower() in by_name)
