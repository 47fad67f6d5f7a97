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
    """Say whether two lists of hashes, each in order and each hash once, share one."""
    few, many = (wanted, stored) if len(wanted) <= len(stored) else (stored, wanted)
    if not len(few):
        return False
    if 4 * len(few) > len(many):  # merging two runs takes half the time of looking up that many
        both = np.concatenate((few, many))
        both.sort(kind="stable")
        return bool((both[1:] == both[:-1]).any())
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
    shortest, longest = int(lengths.min()), int(lengths.max())
    if longest == shortest:  # as most keys are: they lie side by side
        return _mixed(letters[offsets[0] : offsets[-1]].reshape(-1, longest))
    for length in np.flatnonzero(np.bincount(lengths)).tolist():
        rows = np.flatnonzero(lengths == length)
        hashes[rows] = _mixed(_cut(letters, offsets[rows], length))
    return hashes


def _cut(letters: NDArray[np.uint8], at: NDArray[np.int64], length: int) -> NDArray[np.uint8]:
    """Return keys of one length that begin there, a row for each."""
    if not length:
        return np.zeros((len(at), 0), dtype=np.uint8)
    count = len(letters) - length + 1
    rows = np.ndarray((count,), dtype=f"V{length}", buffer=letters, strides=(1,))  # overlapping, none is written
    return rows[at].view(np.uint8).reshape(-1, length)


def _mixed(letters: NDArray[np.uint8]) -> Hashes:
    """Return the hash of keys of one length: their words, each times an odd number of its own, added up."""
    count, length = letters.shape
    words = np.zeros((count, length // 8 + 1), dtype="<u8")
    words.view(np.uint8)[:, :length] = letters
    mixed = words @ _odd(words.shape[1]) + np.uint64(length)  # wraps around: that is what mixes
    mixed ^= mixed >> _SHIFT
    mixed *= _ODD
    mixed ^= mixed >> _SHIFT
    return np.asarray(mixed, dtype=np.uint64)


def _odd(count: int) -> Hashes:
    """Return odd numbers that have nothing to do with each other."""
    numbers = np.arange(1, count + 1, dtype=np.uint64) * _ODD
    numbers ^= numbers >> _SHIFT
    numbers *= _ODD
    return (numbers ^ (numbers >> _SHIFT)) | np.uint64(1)
