"""What collector tests share: an empty lake."""

from __future__ import annotations

import pytest

from core.store.lake import Lake


@pytest.fixture
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return Lake(tmp_path_factory.mktemp("tables"))
