"""How much room something takes, in words."""

from core.store import size


def test_sizes() -> None:
    """Bytes are given in the unit that reads best: what is small is no 0.0 MB."""
    assert [size.in_words(n) for n in (0, 999, 1_000, 31_499, 4_240_000, 1_340_000_000)] == [
        "0 B", "999 B", "1 kB", "31 kB", "4.2 MB", "1.3 GB",
    ]  # fmt: skip
