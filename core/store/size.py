"""How much room something takes, in words that are the same in every language."""

from __future__ import annotations


def in_words(count: int) -> str:
    """Return a number of bytes in the unit that reads best: 512 B, 31 kB, 4.2 MB, 1.3 GB."""
    for name, unit in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= unit:
            return f"{count / unit:,.{0 if name == 'kB' else 1}f} {name}"
    return f"{count:,d} B"
