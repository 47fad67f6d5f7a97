"""How much room the tables' disk has left."""

import shutil
from pathlib import Path

import pytest

from core.store import room


def test_enough_room_is_nothing_to_tell(tmp_path: Path) -> None:
    """Neither of a folder that is there, nor of one that will be."""
    assert shutil.disk_usage(tmp_path).free > room.LEAST_BYTES  # else this machine could not run the tests
    assert room.too_little_room(tmp_path) is None
    assert room.too_little_room(tmp_path / "not" / "there" / "yet") is None


def test_too_little_room_is_told_in_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bytes of the disk on which the folder lies, or will lie."""
    monkeypatch.setattr(room, "LEAST_BYTES", 1 << 62)
    left = room.too_little_room(tmp_path / "later")

    assert left is not None
    assert left == pytest.approx(shutil.disk_usage(tmp_path).free, rel=0.2)
