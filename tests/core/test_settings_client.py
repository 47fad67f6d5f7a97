"""The client's own switches, as people type them."""

from __future__ import annotations

import pytest

from core.client import client_settings
from core.errors import FixSettings


@pytest.mark.parametrize(("typed", "on"), [("TRUE", True), ("1", True), ("on", True), ("0", False), ("", False)])
def test_every_switch_takes_the_same_words(typed: str, on: bool) -> None:
    """FALLBACK_TO_BEDROCK is typed like the caching switches; empty keeps its own default, off."""
    assert client_settings({"FALLBACK_TO_BEDROCK": typed, "BEDROCK_MODEL": "m"}).fallback_to_bedrock is on


def test_a_switch_that_is_none_is_named() -> None:
    """The message names the variable and its value."""
    with pytest.raises(FixSettings, match="CFG-012: FALLBACK_TO_BEDROCK = 'perhaps' is not a switch"):
        client_settings({"FALLBACK_TO_BEDROCK": "perhaps"})
