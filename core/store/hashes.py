"""Hashes of keys: eight bytes each, so that the keys of millions of stored rows fit into memory.

Two keys may share a hash: what is found by hash is looked up by key before anything is concluded from it.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]
_ODD = np.uint64(0x9E3779B97F4A7C15)
_SHIFT = np.uint64(29)


def sorted_hashes(keys: pa.Array | pa.ChunkedArray) -> Hashes:
    """Return the hashes of all keys that are not null, in order, each once."""
    return sorted_once(hashes_of(keys))


def hashes_of(keys: pa.Array | pa.ChunkedArray) -> Hashes:
    """Return the hash of each key that is not null."""
    whole = keys.combine_chunks() if isinstance(keys, pa.ChunkedArray) else keys
    if isinstance(whole, pa.ChunkedArray):  # without any chunk there is nothing to combine
        whole = pa.array([], pa.string())
    return _hashed(whole.drop_null().cast(pa.large_string()))


def sorted_once(hashes: Hashes) -> Hashes:
    """Return hashes in order, each once."""
    ordered = np.sort(hashes)
    return ordered[np.append(True, ordered[1:] != ordered[:-1])] if len(ordered) else ordered


def any_within(wanted: Hashes, stored: Hashes) -> bool:
    """Say whether two sorted lists of hashes share one."""
    few, many = (wanted, stored) if len(wanted) <= len(stored) else (stored, wanted)
    if not len(few):
        return False
    place = np.searchsorted(many, few)
    return bool((many[np.minimum(place, len(many) - 1)] == few).any())


def _hashed(keys: pa.LargeStringArray) -> Hashes:
    hashes = np.zeros(len(keys), dtype=np.uint64)
    _, told, data = keys.buffers()
    if not len(keys) or data is None:
        return hashes
    offsets = np.frombuffer(told, dtype=np.int64)[keys.offset : keys.offset + len(keys) + 1]
    letters = np.frombuffer(data, dtype=np.uint8)
    lengths = np.diff(offsets)
    for length in np.unique(lengths).tolist():
        rows = np.flatnonzero(lengths == length)
        words = np.zeros((len(rows), length // 8 + 1), dtype="<u8")
        if length and len(rows) == len(keys):  # keys of one length lie side by side
            words.view(np.uint8)[:, :length] = letters[offsets[0] : offsets[-1]].reshape(len(rows), length)
        elif length:
            words.view(np.uint8)[:, :length] = letters[offsets[rows][:, None] + np.arange(length)]
        mixed = np.full(len(rows), length, dtype=np.uint64)
        for column in words.T:
            mixed = (mixed ^ column) * _ODD  # wraps around: that is what mixes
            mixed ^= mixed >> _SHIFT
        hashes[rows] = mixed
    return hashes
