"""What an environment's prompt store held, as records tell it."""

from __future__ import annotations

from typing import Any

import pytest

from collector.parsers import parse_message
from collector.parsers.facts import CallRecord
from tests.support.log_lines import record


@pytest.mark.parametrize("error_type", [None, "overloaded_error"], ids=["read quickly", "read by the parser"])
@pytest.mark.parametrize(
    ("told", "known"), [(0, 0), (48_400, 48_400), (-1, None), ("48400", None), (True, None), (1.5, None)]
)
def test_a_count_is_taken_and_damage_is_unknown(told: Any, known: int | None, error_type: str | None) -> None:
    """The rest of the record stays, however it is read."""
    other = {} if error_type is None else {"error_type": error_type}
    (fact,) = parse_message(record("msg_1", prompt_store_bytes=told, **other)).facts

    assert isinstance(fact, CallRecord)
    assert (fact.call_id, fact.prompt_store_bytes) == ("msg_1", known)
