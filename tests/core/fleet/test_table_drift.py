"""What warm environments hold beside what the prompt table holds: keys, states, and errors with their mend."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.stub import Stubber

from core.caching.fingerprint import fingerprint_key, prefix_fingerprint
from core.caching.policy import CachePolicy
from core.caching.request import StaticContext, build_request
from core.errors import CachewiseError, FixSettings, TryAgain
from core.fleet import Comparison, compare, read_table
from core.settings import ClearSettings, SourceSettings
from core.store.lake import Lake
from core.store.query import Reader
from tests.support.rows import make_call, make_store_event, table_of

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
REGION = "eu-west-1"
OLD, NEW = "You are the PLANTED-OLD tutor.", "You are the PLANTED-NEW tutor."
CONTEXT = {"location": "Seoul"}


def client(url: str) -> Any:
    """A DynamoDB client with a limit of its own."""
    opener: Any = boto3.session.Session(aws_access_key_id="test", aws_secret_access_key="test")
    limits = Config(retries={"total_max_attempts": 1}, connect_timeout=1, read_timeout=5)
    return opener.client("dynamodb", endpoint_url=url, region_name=REGION, config=limits)


@dataclass(slots=True)
class Bench:
    """A prompt table, the tables of logs, and the hands that fill both."""

    dynamodb: Any
    lake: Lake
    source: SourceSettings

    def put(self, text: str, engine: str = "tutor", version: str = "7") -> None:
        """Put a prompt into the table."""
        item = {"engine": {"S": engine}, "prompt": {"S": text}, "version": {"S": version}}
        self.dynamodb.put_item(TableName=self.source.clear.prompt_table, Item=item)

    def call(self, stream: str, text: str | None, minutes: float, *, key: bytes | None = None, **more: Any) -> None:
        """Let an environment have made a call with this prompt, so many minutes ago; None: told by a text line."""
        blocks = None if text is None else blocks_of(text, key or derived_key(), more.pop("context", {}))
        at = NOW - timedelta(minutes=minutes)
        row = make_call(log_stream=stream, ts=at, prefix_blocks=blocks, source=self.source.name, **more)
        self.lake.commit("calls", table_of("calls", [row]))

    def compared(self, **environ: str) -> Comparison:
        """Read the table and compare."""
        with Reader(self.lake, threads=1) as reader:
            present = read_table(reader, self.source, now=NOW, environ=environ, client=self.dynamodb)
            found = compare(reader, self.source, present, now=NOW)
        assert "PLANTED" not in repr((present, found))
        return found

    def states(self, **environ: str) -> dict[str, str]:
        """Read, compare and return each environment's state."""
        return {item.log_stream: item.state for item in self.compared(**environ).environments}


def derived_key() -> bytes:
    """The key that the service derives where none is set."""
    return fingerprint_key({"AWS_LAMBDA_FUNCTION_NAME": "bodo-ws", "AWS_REGION": REGION})


def blocks_of(text: str, key: bytes, context: dict[str, Any]) -> str:
    """What the collector keeps of the blocks that the client fingerprints."""
    request = build_request(text, "Hello", policy=CachePolicy(), static=StaticContext(context))
    told = prefix_fingerprint(tools=[{"name": "look"}], system=request.system, key=key)
    assert told is not None
    return " ".join(f"{block.part}:{block.fingerprint}" for block in told.blocks)


@pytest.fixture
def bench(tmp_path: Path, moto_address: str) -> Iterator[Bench]:
    """A table of its own for each test."""
    dynamodb, name = client(moto_address), f"prompts-{uuid.uuid4().hex}"
    dynamodb.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "engine", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "engine", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    clear = ClearSettings(prompt_table=name, region=REGION)
    yield Bench(dynamodb, Lake(tmp_path / "tables"), SourceSettings("bodo", "files", region=REGION, clear=clear))
    dynamodb.delete_table(TableName=name)


def test_the_environment_with_the_older_prompt_is_behind(bench: Bench) -> None:
    """Its sister's call matched the table, so the key is right and the difference is the prompt's."""
    bench.put(NEW)
    bench.call("old", OLD, 30)
    bench.call("new", OLD, 40)
    bench.call("new", NEW, 20)

    behind, current = bench.compared().environments

    assert (behind.log_stream, behind.state, behind.table_version, behind.known_by) == (
        "old", "behind", "7", "fingerprint"
    )  # fmt: skip
    assert (current.log_stream, current.state) == ("new", "current")
    assert behind.holds not in (None, behind.table_holds)
    assert current.holds == current.table_holds == behind.table_holds


def test_nothing_that_ever_matched_is_not_comparable(bench: Bench) -> None:
    """Where no call of the function matched, nobody is called behind; another engine's match settles it."""
    bench.put(NEW)
    bench.call("one", OLD, 30)
    assert bench.states() == {"one": "not_comparable"}

    bench.put("You are a coach.", engine="coach")
    bench.call("two", "You are a coach.", 20, engine="coach")

    assert bench.states() == {"one": "behind", "two": "current"}


def test_a_key_of_the_service_must_be_set_here_too(bench: Bench) -> None:
    """Another FINGERPRINT_KEY is not comparable; the same one is."""
    secret = "a-key-of-sixteen-and-more"
    bench.put(NEW)
    bench.call("one", NEW, 30, key=fingerprint_key({"FINGERPRINT_KEY": secret}))

    assert bench.states() == {"one": "not_comparable"}
    assert bench.states(FINGERPRINT_KEY=secret) == {"one": "current"}
    with pytest.raises(FixSettings, match="SVC-421"):
        bench.compared(FINGERPRINT_KEY="short")


def test_a_context_behind_the_prompt_is_configured(bench: Bench) -> None:
    """A service that adds its StaticContext matches where prompt_context says the same."""
    bench.put(NEW)
    bench.call("one", NEW, 30, context=CONTEXT)
    assert bench.states() == {"one": "not_comparable"}

    bench.source = replace(bench.source, clear=replace(bench.source.clear, prompt_context=tuple(CONTEXT.items())))

    assert bench.states() == {"one": "current"}


def test_what_tells_no_fingerprint_is_unknown(bench: Bench) -> None:
    """A text line and a function without a name are unknown, never behind; an idle environment is not listed."""
    bench.put(NEW)
    bench.call("proof", NEW, 30)
    bench.call("text", None, 20, told_by="text")
    bench.call("nameless", OLD, 10, function_name=None)
    bench.call("idle", OLD, 70)

    assert bench.states() == {"nameless": "unknown", "text": "unknown", "proof": "current"}


def test_a_clear_explains_a_difference_until_the_next_call(bench: Bench) -> None:
    """An environment that has not called since the clear took effect reads the table next; a later call counts."""
    bench.put(NEW)
    bench.call("proof", NEW, 1)
    bench.call("waiting", OLD, 30)
    bench.call("stubborn", OLD, 2)
    event = make_store_event("clear", source="bodo", ts=NOW - timedelta(minutes=5), engine=None, log_stream=None)
    bench.lake.commit("prompt_store_events", table_of("prompt_store_events", [event]))

    assert bench.states() == {"stubborn": "behind", "proof": "current", "waiting": "cleared"}


def test_a_prompt_fetched_after_the_table_was_read_is_unknown(bench: Bench) -> None:
    """It may be newer than what was read, so it is not called behind."""
    bench.put(NEW)
    bench.call("one", NEW, 30)
    with Reader(bench.lake, threads=1) as reader:
        present = read_table(reader, bench.source, now=NOW, environ={}, client=bench.dynamodb)
        bench.call("one", "Newer still.", -5)
        found = compare(reader, bench.source, present, now=NOW + timedelta(minutes=6))

    assert [item.state for item in found.environments] == ["unknown"]


def test_an_engine_without_an_item_is_told(bench: Bench) -> None:
    """It does not hide the others."""
    bench.put(NEW)
    bench.call("one", NEW, 30)
    bench.call("two", OLD, 20, engine="gone")

    assert bench.states() == {"one": "current", "two": "no_item"}


@pytest.mark.parametrize(
    ("aws_code", "kind", "mend"),
    [
        ("AccessDeniedException", FixSettings, "Allow dynamodb:GetItem on the prompt table"),
        ("ResourceNotFoundException", FixSettings, "Check name and region."),
        ("ValidationException", FixSettings, "Check prompt_table, key_name and region"),
        ("ProvisionedThroughputExceededException", TryAgain, "Try again."),
    ],
)
def test_what_dynamodb_refuses_is_told_with_its_mend(
    bench: Bench, aws_code: str, kind: type[CachewiseError], mend: str
) -> None:
    """Each refusal has the code of the comparison, the table's name and what to do."""
    bench.call("one", OLD, 30)
    with Stubber(bench.dynamodb) as stub:
        stub.add_client_error("get_item", service_error_code=aws_code, service_message="PLANTED")
        with pytest.raises(kind) as raised:
            bench.compared()

    assert raised.value.code == "FLT-406"
    assert str(bench.source.clear.prompt_table) in raised.value.message
    assert mend in str(raised.value.mend)
    assert "PLANTED" not in str(raised.value)


def test_an_unreachable_table_is_tried_again_later(bench: Bench) -> None:
    """Nothing listens there: the error says so within its time limit."""
    bench.call("one", OLD, 30)
    bench.dynamodb = client("http://127.0.0.1:9")

    with pytest.raises(TryAgain, match="FLT-406"):
        bench.compared()


def test_without_a_table_it_says_what_to_configure(bench: Bench) -> None:
    """A source that is cleared by variable, without a prompt table, has nothing to compare with."""
    bench.source = replace(bench.source, clear=ClearSettings("variable", function_name="bodo-ws"))

    with pytest.raises(FixSettings, match=r"FLT-401.*prompt_table"):
        bench.compared()
