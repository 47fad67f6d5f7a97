"""The laboratory that the probe's tests share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.probing import Laboratory, laboratory


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Laboratory]:
    """A simulator with instant answers, and an empty data folder."""
    with laboratory(tmp_path, monkeypatch) as running:
        yield running
