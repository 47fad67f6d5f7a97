"""The API key from Secrets Manager."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
import pytest
from moto import mock_aws

from core.caching.policy import CachePolicy
from core.caching.request import build_request
from core.client import ClaudeClient, ClientSettings, SecretApiKey
from core.client.api_key import key_of
from core.errors import FixSettings
from tests.support import claude
from tests.support.claude import Api

KEY = "sk-ant-in-a-secret"


@pytest.fixture
def secrets(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name, value in {
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("ANTHROPIC_BASE_URL", raising=False)
    with mock_aws():
        yield boto3.client("secretsmanager")


class Counting:
    """A Secrets Manager client that counts its reads."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.reads = 0

    def get_secret_value(self, **arguments: Any) -> Any:
        self.reads += 1
        return self.client.get_secret_value(**arguments)


def test_key_is_read_once_for_all_threads(secrets: Any) -> None:
    """Ten threads at once: one GetSecretValue."""
    secrets.create_secret(Name="bodo-v1", SecretString=KEY)
    counting = Counting(secrets)
    key = SecretApiKey("bodo-v1", client=counting)

    with ThreadPoolExecutor(10) as pool:
        keys = list(pool.map(lambda _: key.get(), range(10)))

    assert set(keys) == {KEY}
    assert counting.reads == 1


def test_default_client_is_opened_when_first_needed(secrets: Any) -> None:
    """Without a client of its own it opens one."""
    secrets.create_secret(Name="bodo-v1", SecretString=json.dumps({"api_key": KEY}))

    assert SecretApiKey("bodo-v1").get() == KEY


def test_missing_secret_names_the_secret(secrets: Any) -> None:
    """A wrong name is a setting to mend."""
    with pytest.raises(FixSettings, match=r"SVC-439: reading secret nowhere .*ResourceNotFoundException"):
        SecretApiKey("nowhere").get()


@pytest.mark.parametrize(
    "secret", [KEY, f" {KEY}\n", json.dumps({"api_key": KEY}), json.dumps({"ANTHROPIC_API_KEY": KEY})]
)
def test_plain_and_json_secrets(secret: str) -> None:
    """A plain string or JSON with api_key."""
    assert key_of(secret, "bodo-v1") == KEY


@pytest.mark.parametrize("secret", [None, "", "  ", "{}", '{"password": "hunter2"}', '{"api_key": '])
def test_secret_without_key_is_refused_without_quoting_it(secret: str | None) -> None:
    """The message names the secret, never its content."""
    with pytest.raises(FixSettings) as refused:
        key_of(secret, "bodo-v1")

    assert "bodo-v1" in str(refused.value)
    assert "hunter2" not in str(refused.value)


def test_refused_key_is_read_again_after_a_minute(secrets: Any) -> None:
    """A rotated key is picked up without a new environment; a wrong one does not hammer Secrets Manager."""
    secrets.create_secret(Name="bodo-v1", SecretString=KEY)
    counting, now = Counting(secrets), [1000.0]
    key = SecretApiKey("bodo-v1", client=counting, clock=lambda: now[0])
    api = Api(claude.failed(401, "authentication_error"))
    client = ClaudeClient(ClientSettings(), api_key=key, http_client=api.http_client(), say=lambda line: None)
    request = build_request("x", "y", policy=CachePolicy(caching_enabled=False))

    for seconds in (0, 30, 31):
        now[0] += seconds
        with pytest.raises(FixSettings, match="SVC-431"):
            client.create(request)
    secrets.put_secret_value(SecretId="bodo-v1", SecretString="sk-ant-new")
    api.answers = [claude.whole()]
    client.create(request)

    assert counting.reads == 2
    assert api.requests[-1].headers["authorization"] == "Bearer sk-ant-new"
