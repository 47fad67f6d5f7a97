"""Odd text lines and gzip data."""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterator

from tests.support.odd.case import (
    PLAIN,
    Odd,
    cost,
    lines,
    odd,
    row,
)


def cases() -> Iterator[Odd]:
    """Yield what is odd, with what it should give."""
    yield odd("text plain", lines(cost()), [PLAIN])
    yield odd("text write 1h default", lines(cost(w=100)), [row(10, 30, 0, 100, 20)])
    yield odd("text CRLF", lines(cost()).replace("\n", "\r\n"), [PLAIN])
    yield odd("text BOM", b"\xef\xbb\xbf" + lines(cost()).encode(), [PLAIN])
    yield odd("text no newline", cost(), [PLAIN])
    yield odd("text two lines CR only", cost() + "\r" + cost(i=11) + "\n", [PLAIN, row(11, 30, 0, 0, 20)])
    yield odd("text progress bar CR", "50%\r100%\r" + cost() + "\n", [PLAIN])
    yield odd("text two in one line", cost() + " " + cost(i=12) + "\n", [PLAIN, row(12, 30, 0, 0, 20)])
    yield odd(
        "text thousands",
        lines("💰 API Cost: $0.1 | input: 1,234, output: 20, cache_read: 30, cache_write: 0"),
        [row(1234, 30, 0, 0, 20)],
    )
    yield odd(
        "text negative",
        lines("💰 API Cost: $0.1 | input: -1, output: 20, cache_read: 30, cache_write: 0"),
        [],
        {"bad_count": 1},
    )
    yield odd(
        "text float count",
        lines("💰 API Cost: $0.1 | input: 1.5, output: 20, cache_read: 30, cache_write: 0"),
        [],
        {"bad_count": 1},
    )
    yield odd("text cut", lines("💰 API Cost: $0.1 | input: 10, out"), [], {"broken_line": 1})
    yield odd("text NUL before", b"\0\0\0" + lines(cost()).encode(), [PLAIN])
    yield odd(
        "text NUL hole",
        lines(cost()).encode() + b"\0" * 40 + lines(cost(i=13)).encode() + lines("x" * 3000).encode(),
        [PLAIN, row(13, 30, 0, 0, 20)],
    )
    yield odd(
        "text bad utf8 same line",
        b"\xff\xfe\xfa ".replace(b"\xff\xfe", b"a\xff") + lines(cost()).encode(),
        [],
        {"undecodable": 1},
    )
    yield odd("text bad utf8 other line", b"caf\xe9 foo\n" + lines(cost()).encode(), [PLAIN])
    yield odd("text utf16", b"\xff\xfe" + lines(cost()).encode("utf-16-le"), [], {"undecodable": 1}, problem="COL-304")
    yield odd("text ansi", lines("\x1b[32m" + cost() + "\x1b[0m"), [PLAIN])
    yield odd(
        "text huge count",
        lines("💰 API Cost: $0.1 | input: 99999999999999999999, output: 20, cache_read: 30, cache_write: 0"),
        [],
        {"bad_count": 1},
    )
    yield odd("text 10MB foreign", "x" * 10_000_000 + "\n" + cost() + "\n", [PLAIN], {"too_long": 1})
    yield odd("text 10MB ours", "x" * 10_000_000 + cost() + "\n" + cost() + "\n", [PLAIN], {"too_long": 1})
    yield odd("text long ok", "y" * 1_000_000 + cost() + "\n", [PLAIN])
    yield odd("text vertical tab", "a\x0b" + cost() + "\x0cb\n", [PLAIN])
    yield odd("text nel and ls", "a\u2028" + cost() + "\u0085\n", [PLAIN])
    yield odd("empty lines", "\n\n\n" + cost() + "\n\n", [PLAIN])
    yield odd("gz one", gzip.compress(lines(cost()).encode()), [PLAIN], suffix=".gz")
    yield odd(
        "gz members",
        gzip.compress(lines(cost()).encode()) + gzip.compress(lines(cost(i=11)).encode()),
        [PLAIN, row(11, 30, 0, 0, 20)],
        suffix=".gz",
    )
    _a = (cost(i=14) + "\n").encode()
    yield odd(
        "gz member splits line", gzip.compress(_a[:20]) + gzip.compress(_a[20:]), [row(14, 30, 0, 0, 20)], suffix=".gz"
    )
    yield odd("gz no newline", gzip.compress(cost().encode()), [PLAIN], suffix=".gz")
    yield odd(
        "gz truncated",
        gzip.compress(lines(cost(), *[os.urandom(300).hex() for _ in range(400)]).encode())[:-9000],
        [PLAIN],
        {"truncated": 1},
        suffix=".gz",
        problem="COL-303",
    )
    yield odd("gz trailing zeros", gzip.compress(lines(cost()).encode()) + b"\0" * 512, [PLAIN], suffix=".gz")
    yield odd(
        "gz garbage after",
        gzip.compress(lines(cost()).encode()) + b"garbage here",
        [PLAIN],
        {"truncated": 1},
        suffix=".gz",
        problem="COL-303",
    )
    yield odd(
        "gz second truncated",
        gzip.compress(lines(cost()).encode())
        + gzip.compress(lines(cost(i=15), *[os.urandom(300).hex() for _ in range(400)]).encode())[:-9000],
        [PLAIN, row(15, 30, 0, 0, 20)],
        {"truncated": 1},
        suffix=".gz",
        problem="COL-303",
    )
    yield odd("gz twice", gzip.compress(gzip.compress(lines(cost()).encode())), [PLAIN], suffix=".gz.gz")
    yield odd("gz named log", gzip.compress(lines(cost()).encode()), [PLAIN], suffix=".log")
    yield odd(
        "gz crc bad",
        (lambda b: b[:-8] + b"\0\0\0\0" + b[-4:])(gzip.compress(lines(cost()).encode())),
        [PLAIN],
        {"truncated": 1},
        suffix=".gz",
        problem="COL-303",
    )
