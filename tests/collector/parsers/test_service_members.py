"""What records tell of where a call was made: the environment's prompt store, and the workspace."""

from __future__ import annotations

import json
from typing import Any

import pytest

from collector.parsers import parse_message
from collector.parsers.facts import CallRecord
from tests.support.formats import lines
from tests.support.log_lines import record

either_way = pytest.mark.parametrize("error_type", [None, "overloaded_error"], ids=["read quickly", "by the parser"])


def told_by(line: str) -> CallRecord:
    """Return the one call that a line tells."""
    (fact,) = parse_message(line).facts
    assert isinstance(fact, CallRecord)
    return fact


def told(error_type: str | None, **members: Any) -> CallRecord:
    """Return what a record with these members tells."""
    return told_by(record("msg_1", **members, **({} if error_type is None else {"error_type": error_type})))


@either_way
@pytest.mark.parametrize(
    ("given", "known"), [(0, 0), (48_400, 48_400), (-1, None), ("48400", None), (True, None), (1.5, None)]
)
def test_bytes_are_taken_and_damage_is_unknown(given: Any, known: int | None, error_type: str | None) -> None:
    """The rest of the record stays, however it is read."""
    fact = told(error_type, prompt_store_bytes=given)

    assert (fact.call_id, fact.prompt_store_bytes) == ("msg_1", known)


@either_way
@pytest.mark.parametrize(("given", "known"), [("wrkspc_01", "wrkspc_01"), ("", None), (7, None), (None, None)])
def test_a_workspace_is_taken_and_damage_is_unknown(given: Any, known: str | None, error_type: str | None) -> None:
    """Also here the rest of the record stays."""
    fact = told(error_type, workspace=given)

    assert (fact.call_id, fact.workspace) == ("msg_1", known)


def test_a_span_of_the_sdk_tells_its_workspace() -> None:
    """Under the name that Anthropic's SDK gives it."""
    span = json.loads(lines("otel")[0])
    assert told_by(json.dumps(span)).workspace is None
    for group in span["resourceSpans"]:
        for scope in group["scopeSpans"]:
            for one in scope["spans"]:
                one["attributes"].append({"key": "anthropic.workspace.id", "value": {"stringValue": "wrkspc_01"}})
    assert told_by(json.dumps(span)).workspace == "wrkspc_01"
