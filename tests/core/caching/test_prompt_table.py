"""Prompts and epochs in DynamoDB."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from core.caching.prompt_store import PromptStore
from core.caching.prompt_table import PromptTable, epoch_update
from core.errors import FixSettings


@pytest.fixture
def dynamodb(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name, value in {
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    with mock_aws():
        client = boto3.client("dynamodb")
        client.create_table(
            TableName="prompts",
            KeySchema=[{"AttributeName": "engine", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "engine", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        item = {"engine": {"S": "sales"}, "prompt": {"S": "You are a seller."}, "version": {"N": "7"}}
        client.put_item(TableName="prompts", Item=item)
        yield client


def test_prompt_and_version_are_read(dynamodb: Any) -> None:
    """The table opens its own client when first needed."""
    fetched = PromptTable("prompts").fetch("sales")

    assert (fetched.text, fetched.version) == ("You are a seller.", "7")


def test_engine_without_prompt_says_what_to_put(dynamodb: Any) -> None:
    """A missing prompt is a setting that a person must mend."""
    with pytest.raises(FixSettings, match=r'SVC-404: No prompt for engine "help" in table prompts'):
        PromptTable("prompts", client=dynamodb).fetch("help")


def test_missing_table_is_explained(dynamodb: Any) -> None:
    """The table's name and AWS's code are in the message."""
    with pytest.raises(FixSettings, match=r"SVC-410: reading prompt table nowhere .*ResourceNotFoundException"):
        PromptTable("nowhere", client=dynamodb).fetch("sales")


def test_no_epoch_item_means_nothing_was_cleared(dynamodb: Any) -> None:
    """Absent is zero here: the epoch is a counter of clears."""
    assert PromptTable("prompts").read_epochs() == {}


def test_one_update_clears_an_engine_and_another_clears_all(dynamodb: Any) -> None:
    """The same request works whether or not the epoch item exists, and a store follows it."""
    now = [1_795_000_000.0]
    table = PromptTable("prompts", client=dynamodb, epoch_client=dynamodb)
    store = PromptStore(fetch=table.fetch, read_epochs=table.read_epochs, say=lambda line: None, clock=lambda: now[0])
    store.get("sales")

    dynamodb.update_item(**epoch_update("prompts", epoch_ms=1_795_000_001_000, engine="sales"))
    dynamodb.update_item(**epoch_update("prompts", epoch_ms=1_795_000_002_000, engine="help"))
    assert table.read_epochs() == {"sales": 1_795_000_001_000, "help": 1_795_000_002_000}
    now[0] += 30
    store.get("sales")
    dynamodb.update_item(**epoch_update("prompts", epoch_ms=1_795_000_003_000))
    now[0] += 30
    store.get("sales")

    assert store.stats()["misses"] == 3
    assert store.stats()["epoch"] == 1_795_000_003_000
