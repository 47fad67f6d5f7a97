"""A small Lambda on the service's own prompt store, deployed to ministack: what a clear must reach."""

from __future__ import annotations

import io
import itertools
import json
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tests.support.ministack import Ministack

ROOT = Path(__file__).parents[2]
_LAMBDA_PART = ("__init__.py", "errors.py", "aws.py", "telemetry.py", "caching/*.py")
_HANDLER = """
import os, time
from core.caching import prompt_store
from core.caching.prompt_table import PromptTable

SAID = []
TABLE = PromptTable(os.environ["PROMPT_TABLE"])
FOLLOWS = os.environ["FOLLOWS_EPOCH"] == "true"
prompt_store.configure_prompt_store(
    fetch=TABLE.fetch, read_epochs=TABLE.read_epochs if FOLLOWS else None, epoch_seconds=0, say=SAID.append)
BORN = time.time_ns()

def handler(event, context):
    time.sleep(event.get("sleep_s", 0))
    SAID.clear()
    prompt = prompt_store.get_prompt(event["engine"])
    print("\\n".join(SAID))
    return {"said": SAID[0], "environment": f"{os.getpid()}-{BORN}", "version": context.function_version,
            "variables": {name: os.environ.get(name) for name in event.get("variables", [])},
            "prompt_version": prompt.version}
"""
_numbers = itertools.count(1)
Answer = Literal["HIT", "MISS"]


@dataclass(frozen=True, slots=True)
class Served:
    """One answer: from which environment and version, and what its prompt store said."""

    answer: Answer
    environment: str
    version: str
    prompt_version: str | None
    variables: dict[str, str | None]


@dataclass(frozen=True, slots=True)
class PromptLambda:
    """A deployed function with its prompt table."""

    name: str
    table: str
    client: Any
    dynamodb: Any

    def ask(self, engine: str = "sales", *, alias: str | None = None, **event: Any) -> Served:
        """Invoke it and say whether the prompt store had the prompt."""
        which = {} if alias is None else {"Qualifier": alias}
        event = {"engine": engine, **event}
        done = self.client.invoke(FunctionName=self.name, Payload=json.dumps(event), **which)
        told = json.loads(done["Payload"].read())
        assert "FunctionError" not in done, told
        answer: Answer = "HIT" if "Cache HIT" in told["said"] else "MISS"
        return Served(answer, told["environment"], told["version"], told["prompt_version"], told["variables"])

    def ask_at_once(self, times: int, engine: str = "sales", *, alias: str | None = None) -> list[Served]:
        """Invoke it so that every request needs an environment of its own."""
        with ThreadPoolExecutor(times) as pool:
            return list(pool.map(lambda _: self.ask(engine, alias=alias, sleep_s=0.4), range(times)))

    def put_prompt(self, engine: str, version: str) -> None:
        """Write an engine's prompt into the table."""
        item = {"engine": engine, "prompt": f"You are {engine} {version}.", "version": version}
        self.dynamodb.put_item(TableName=self.table, Item={name: {"S": value} for name, value in item.items()})

    def variables(self) -> dict[str, str]:
        """Return the function's variables, as Lambda keeps them."""
        read = self.client.get_function_configuration(FunctionName=self.name)
        found: dict[str, str] = read["Environment"]["Variables"]
        return found


def deploy(ministack: Ministack, *, follows_epoch: bool, alias: str | None = None, **variables: str) -> PromptLambda:
    """Create a table with two engines and the function on it; with an alias on version 1 if one is named."""
    number = next(_numbers)
    made = PromptLambda(f"bodo-{number}", f"prompts-{number}", ministack.client("lambda"), ministack.client("dynamodb"))
    made.dynamodb.create_table(
        TableName=made.table,
        KeySchema=[{"AttributeName": "engine", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "engine", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    for engine in ("sales", "support"):
        made.put_prompt(engine, "1")
    switches = {"PROMPT_TABLE": made.table, "FOLLOWS_EPOCH": str(follows_epoch).lower()}
    made.client.create_function(
        FunctionName=made.name,
        Runtime="python3.11",
        Role="arn:aws:iam::000000000000:role/lambda",
        Handler="handler.handler",
        Code={"ZipFile": package()},
        Timeout=30,
        Publish=True,
        Environment={"Variables": {**ministack.environment(), **switches, **variables}},
    )
    if alias is not None:
        made.client.create_alias(FunctionName=made.name, Name=alias, FunctionVersion="1")
    return made


def package(handler: str = _HANDLER) -> bytes:
    """Zip the handler with the part of core that runs inside Lambda."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("handler.py", handler)
        for pattern in _LAMBDA_PART:
            for path in sorted((ROOT / "core").glob(pattern)):
                archive.write(path, str(path.relative_to(ROOT)))
    return packed.getvalue()
