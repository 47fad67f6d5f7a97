"""Whom a call is charged to, in every format that can say it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from collector.parsers import parse_message
from collector.parsers.facts import CallRecord
from tests.support.formats import lines
from tests.support.log_lines import record


def tagged(text: str) -> str | None:
    """Return the tenant of the one call that a line tells."""
    (fact,) = parse_message(text).facts
    assert isinstance(fact, CallRecord)
    return fact.tenant


def changed(name: str, **members: Any) -> str:
    """Return the first line of a fixture with other members."""
    return json.dumps({**json.loads(lines(name)[0]), **members})


@pytest.mark.parametrize(
    ("line", "tenant"),
    [
        (record("msg_1", tenant="acme"), "acme"),
        (record("msg_1"), None),
        (changed("bedrock_log", requestMetadata={"tenant": "acme"}), "acme"),
        (changed("bedrock_log", requestMetadata={"tenantId": "acme"}), "acme"),
        (changed("litellm", metadata=json.dumps({"spend_logs_metadata": {"tenant": "acme"}, "x": 1})), "acme"),
        (changed("litellm", request_tags='["engine:sales", "tenant:acme"]'), "acme"),
        (changed("litellm", metadata="{}", team_id="team-7"), "team-7"),
        (changed("litellm", metadata="{}", request_tags=["tenant:"], end_user="me@example.com"), None),
        (changed("anthropic_responses", tenant="acme"), "acme"),
    ],
)
def test_each_format_names_the_tenant_in_its_own_way(line: str, tenant: str | None) -> None:
    """The service's own record by `tenant`, Bedrock by request metadata, LiteLLM by metadata, tag or team."""
    assert tagged(line) == tenant


def test_a_span_names_its_tenant_or_its_resource_does() -> None:
    """An attribute of the span comes before one of the resource."""
    document = json.loads(lines("otel")[0])
    group = document["resourceSpans"][0]
    group["resource"]["attributes"].append({"key": "tenant.id", "value": {"stringValue": "house"}})
    assert tagged(json.dumps(document)) == "house"

    group["scopeSpans"][0]["spans"][0]["attributes"].append({"key": "tenant", "value": {"intValue": "42"}})
    assert tagged(json.dumps(document)) == "42"


@pytest.mark.parametrize("bad", ["", " ", "x" * 129, "two\nlines", "\u202eevil", "null\x00", True, 1.5, {"a": 1}, None])
def test_what_is_no_tag_leaves_the_call_untagged(bad: Any) -> None:
    """Too long, not printable, not text: the call counts all the same, under nobody's name."""
    line = json.loads(record("msg_1"))
    assert tagged(json.dumps({**line, "tenant": bad})) is None
