"""Hashes of keys: what two lists share is found whichever way they are compared."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from core.store.hashes import any_within, sorted_once

LISTS = st.lists(st.integers(0, 60) | st.integers(0, 2**64 - 1), max_size=40)


@given(few=LISTS, many=LISTS, more=st.integers(0, 3))
def test_two_lists_share_what_two_sets_share(few: list[int], many: list[int], more: int) -> None:
    """Of like lengths they are merged, of very different ones looked up: the answer is that of sets."""
    many = many + [2**63 + 7 * number for number in range(more * 60)]
    one, other = (sorted_once(np.array(told, dtype=np.uint64)) for told in (few, many))

    assert any_within(one, other) is any_within(other, one) is bool(set(few) & set(many))
