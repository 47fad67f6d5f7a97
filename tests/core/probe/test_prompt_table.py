"""The prompt store experiment with a real table through boto3."""

from __future__ import annotations

from collections.abc import Iterator

import boto3
import pytest

from core.settings import ClearSettings, Settings, SourceSettings
from tests.support.probing import Laboratory

TABLE = "probe-prompts"


@pytest.fixture
def table(lab: Laboratory, moto_address: str) -> Iterator[str]:
    """A prompt table with one engine."""
    for name, value in {
        "AWS_ENDPOINT_URL": moto_address,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "eu-west-1",
    }.items():
        lab.monkeypatch.setenv(name, value)
    client = boto3.session.Session().client("dynamodb")
    client.create_table(
        TableName=TABLE,
        KeySchema=[{"AttributeName": "engine", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "engine", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    client.put_item(TableName=TABLE, Item={"engine": {"S": "tutor"}, "prompt": {"S": "You teach."}})
    yield TABLE
    client.delete_table(TableName=TABLE)


def test_a_table_is_read_once(lab: Laboratory, table: str) -> None:
    """MISS with one GetItem, then HIT with none; the prompt's text is nowhere in the result."""
    settings = lab.settings(prompt_table=table, prompt_engine="tutor", region="eu-west-1")
    result = lab.only("prompt_store", settings=settings)

    assert result.verdict == "passed"
    assert (result.evidence["reader"], result.evidence["table"]) == ("dynamodb", table)
    assert (result.evidence["reads_after_second"], result.evidence["bytes"]) == (1, 10)
    assert result.evidence["first_ms"] > result.evidence["second_ms"]
    assert "You teach" not in str(result)


def test_the_table_of_a_source_is_used(lab: Laboratory, table: str) -> None:
    """Where [probe] names none, the table that clears use is the service's."""
    source = SourceSettings("bodo", "files", clear=ClearSettings(prompt_table=table, region="eu-west-1"))
    given = lab.settings(prompt_engine="tutor")
    settings = Settings(store_path=given.store_path, sources=(source,), probe=given.probe)

    assert lab.only("prompt_store", settings=settings).evidence["table"] == table


def test_an_engine_without_a_prompt(lab: Laboratory, table: str) -> None:
    """The service's own error is the verdict."""
    settings = lab.settings(prompt_table=table, prompt_engine="nobody", region="eu-west-1")
    result = lab.only("prompt_store", settings=settings)

    assert (result.verdict, result.problem.code) == ("failed", "SVC-404")
    assert 'engine "nobody"' in result.problem.message


def test_the_key_comes_from_secrets_manager(lab: Laboratory, table: str) -> None:
    """Without ANTHROPIC_API_KEY the secret of [probe] is read."""
    secrets = boto3.session.Session().client("secretsmanager")
    secrets.create_secret(Name="cachewise-probe", SecretString='{"api_key": "sk-ant-sim-of-a-secret"}')
    lab.monkeypatch.delenv("ANTHROPIC_API_KEY")

    assert lab.only("write_then_read", settings=lab.settings(secret_name="cachewise-probe")).verdict == "passed"
