"""Hashes of keys: what does not fit into memory lies on disk and is found as before."""

import errno
from pathlib import Path

import numpy as np
import pytest

from core.store import scratch
from core.store.kept_hashes import KeptHashes

PIECES = {f"file-{number}": np.arange(number, number + 100, dtype=np.uint64) for number in range(5)}


@pytest.fixture
def kept() -> KeptHashes:
    """Five files of 800 bytes each, of which two fit."""
    kept = KeptHashes(most=1_600)
    for file, hashes in PIECES.items():
        kept[file] = hashes
    return kept


def on_disk(kept: KeptHashes) -> list[Path]:
    """Return the files that these hashes were put away to."""
    return list(scratch.folder().glob(f"hashes-{id(kept)}-*"))


def test_all_are_found(kept: KeptHashes) -> None:
    """The newest from memory, the others from disk, and one that was never kept not at all."""
    assert len(on_disk(kept)) == 3
    for file, hashes in PIECES.items():
        assert file in kept
        assert kept[file].tolist() == hashes.tolist()
    assert "another" not in kept
    with pytest.raises(KeyError):
        kept["another"]


def test_forgotten_files_leave_nothing(kept: KeptHashes) -> None:
    """What is not near any more is gone from memory and disk, and makes room."""
    kept.keep({"file-0", "file-4"})
    assert [file for file in PIECES if file in kept] == ["file-0", "file-4"]
    assert len(on_disk(kept)) == 1
    kept["new"] = PIECES["file-1"]
    assert len(on_disk(kept)) == 1, "two fit"
    kept.keep(())
    assert not on_disk(kept)


def test_a_full_disk_keeps_them_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hashes that cannot be put away stay: nothing is lost, and nothing fails."""

    def full() -> Path:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(scratch, "folder", full)
    kept = KeptHashes(most=100)
    for file, hashes in PIECES.items():
        kept[file] = hashes
    assert all(kept[file].tolist() == hashes.tolist() for file, hashes in PIECES.items())
