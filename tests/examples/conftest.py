"""What bodo needs around it: AWS (moto), the simulated Claude API, and a user at the other end of the WebSocket."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import boto3
import pytest
from moto import mock_aws

from core.caching import prompt_store
from simulator.messages.server import Simulator, running_simulator
from tests.support import bodo
from tests.support.bodo import User

Ask = Callable[..., list[str]]
SWITCHES = ("ENABLE_PROMPT_CACHING", "CACHE_TTL", "USE_ANTHROPIC_API", "FALLBACK_TO_BEDROCK", "CLAUDE_MODEL")


@pytest.fixture
def claude() -> Iterator[Simulator]:
    with running_simulator() as simulator:
        yield simulator


@pytest.fixture
def user() -> Iterator[User]:
    with bodo.listening_user() as user:
        yield user


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch, claude: Simulator, user: User) -> Iterator[Any]:
    """A prompt table and the key's secret, and the variables of the template."""
    for switch in SWITCHES:
        monkeypatch.delenv(switch, raising=False)
    variables = {
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_REGION": "us-east-1",
        "PROMPT_TABLE": bodo.TABLE,
        "PROMPT_EPOCH_SECONDS": "0",
        "ANTHROPIC_BASE_URL": claude.url,
        "ANTHROPIC_BEDROCK_BASE_URL": claude.url,
        "CALLBACK_URL": user.url,
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    prompt_store.clear_prompt_cache()
    with mock_aws():
        boto3.client("secretsmanager").create_secret(Name="bodo-v1", SecretString=claude.api_key)
        dynamodb = boto3.client("dynamodb")
        bodo.put_prompts(dynamodb, "sales", "support")
        yield dynamodb
        bodo.close_handlers()
    prompt_store.clear_prompt_cache()


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str]) -> Ask:
    """Send one message and return the lines that the handler printed."""

    def _ask(
        handler: ModuleType, engine: str = "sales", text: str = "Which one?", request_id: str = "inv-1"
    ) -> list[str]:
        capsys.readouterr()
        assert handler.handler(bodo.event(engine=engine, text=text), bodo.context(request_id)) == {"statusCode": 200}
        return capsys.readouterr().out.splitlines()

    return _ask
