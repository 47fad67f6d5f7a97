"""Clearing by the epoch item, against a DynamoDB of this machine."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from core.caching.prompt_store import PromptStore
from core.caching.prompt_table import PromptTable
from core.errors import FixSettings
from core.fleet.access import open_client
from core.fleet.clear_epoch import EpochClear, clear_by_epoch
from core.settings import ClearSettings

SETTINGS = ClearSettings(prompt_table="prompts", region="eu-west-1")


@pytest.fixture
def dynamodb(moto_address: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A client, with a prompt table of two engines; the environment leads every other client there too."""
    for name, value in {
        "AWS_ENDPOINT_URL": moto_address,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "eu-west-1",
    }.items():
        monkeypatch.setenv(name, value)
    client = boto3.session.Session().client("dynamodb")
    client.create_table(
        TableName="prompts",
        KeySchema=[{"AttributeName": "engine", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "engine", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    for engine in ("sales", "support"):
        client.put_item(TableName="prompts", Item={"engine": {"S": engine}, "prompt": {"S": f"You are {engine}."}})
    yield client
    client.delete_table(TableName="prompts")


def test_the_epoch_is_what_the_service_reads(dynamodb: Any) -> None:
    """All engines and one engine are separate attributes of one item, and the service's own reader finds both."""
    clear_by_epoch(dynamodb, SETTINGS, now_ms=1000)
    clear_by_epoch(dynamodb, SETTINGS, now_ms=2000, engine="sales")

    assert PromptTable("prompts").read_epochs() == {None: 1000, "sales": 2000}


def test_it_clears_the_prompt_store(dynamodb: Any) -> None:
    """A store that follows the table forgets at its next request."""
    table, said = PromptTable("prompts"), list[str]()
    store = PromptStore(fetch=table.fetch, read_epochs=table.read_epochs, epoch_seconds=0, say=said.append)
    for _ in range(2):
        store.get("sales")

    clear_by_epoch(dynamodb, SETTINGS, now_ms=1000)
    store.get("sales")

    assert [line.split()[2] for line in said if "Cache" in line] == ["MISS", "HIT", "MISS"]


def test_the_epoch_before_is_told(dynamodb: Any) -> None:
    """The first clear has none before it, the second has the first."""
    assert clear_by_epoch(dynamodb, SETTINGS, now_ms=1000) == EpochClear(1000, None)
    assert clear_by_epoch(dynamodb, SETTINGS, now_ms=2000) == EpochClear(2000, 1000)


@pytest.mark.parametrize("now_ms", [1000, 900])
def test_an_epoch_never_repeats_or_goes_back(dynamodb: Any, now_ms: int) -> None:
    """A second clear in one millisecond, or from a slow clock, still changes the epoch upwards."""
    clear_by_epoch(dynamodb, SETTINGS, now_ms=1000)

    assert clear_by_epoch(dynamodb, SETTINGS, now_ms=now_ms) == EpochClear(1001, 1000)
    assert PromptTable("prompts").read_epochs() == {None: 1001}


def test_no_other_item_is_touched(dynamodb: Any) -> None:
    """The prompts are what they were."""
    before = {item["engine"]["S"]: item for item in dynamodb.scan(TableName="prompts")["Items"]}

    clear_by_epoch(dynamodb, SETTINGS, now_ms=1000, engine="sales")

    after = {item["engine"]["S"]: item for item in dynamodb.scan(TableName="prompts")["Items"]}
    assert after.pop("__epoch__") == {"engine": {"S": "__epoch__"}, "engine#sales": {"N": "1000"}}
    assert after == before


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (ClearSettings(prompt_table="nobody"), "FLT-405: raising the epoch in table nobody found nothing there"),
        (ClearSettings(prompt_table="prompts", key_name="name"), "FLT-405: AWS refused the arguments"),
    ],
    ids=["no such table", "another key"],
)
def test_a_wrong_setting_is_told(dynamodb: Any, settings: ClearSettings, told: str) -> None:
    """The error names the table and what to check."""
    with pytest.raises(FixSettings) as raised:
        clear_by_epoch(dynamodb, settings, now_ms=1000)

    assert str(raised.value).startswith(told)


@pytest.mark.parametrize("role", [None, "arn:aws:iam::123456789012:role/cachewise-clear"])
def test_the_role_is_assumed_for_the_action(dynamodb: Any, role: str | None) -> None:
    """With a role the client has lent credentials, without one the caller's own; both work."""
    client = open_client("dynamodb", ClearSettings(prompt_table="prompts", role_arn=role, region="eu-west-1"))

    lent = client._request_signer._credentials.token is not None
    assert lent is (role is not None)
    assert client.list_tables()["TableNames"] == ["prompts"]


def test_a_missing_region_is_a_setting(dynamodb: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any region the error says so in one line."""
    monkeypatch.delenv("AWS_DEFAULT_REGION")

    with pytest.raises(FixSettings, match=r"FLT-403: opening dynamodb has no AWS credentials or region"):
        open_client("dynamodb", ClearSettings(prompt_table="prompts"))
