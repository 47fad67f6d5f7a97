"""Where prompts come from: one DynamoDB table, an item per engine, and the epoch item that clears every prompt store.

    {"engine": "sales", "prompt": "You are …", "version": "7"}
    {"engine": "__epoch__", "epoch": 1795000000000, "engine#sales": 1795000500000}

Raising `epoch` clears all engines in every environment, raising `engine#<name>` clears one. The attributes are flat so
that one UpdateItem suffices whether or not the item exists. boto3 is imported when the first prompt is read.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from core import aws
from core.caching.prompt_store import FetchedPrompt
from core.errors import FixSettings

EPOCH_KEY = "__epoch__"
EPOCH_ALL = "epoch"
_PERMISSION = "dynamodb:GetItem on the prompt table"


def epoch_attribute(engine: str | None) -> str:
    """Return the attribute of the epoch item that clears one engine (None: all of them)."""
    return EPOCH_ALL if engine is None else f"engine#{engine}"


def epoch_update(table: str, *, epoch_ms: int, engine: str | None = None, key: str = "engine") -> dict[str, Any]:
    """Return the UpdateItem request that clears the prompt store of every environment; it needs no other right."""
    return {
        "TableName": table,
        "Key": {key: {"S": EPOCH_KEY}},
        "UpdateExpression": "SET #epoch = :epoch",
        "ExpressionAttributeNames": {"#epoch": epoch_attribute(engine)},
        "ExpressionAttributeValues": {":epoch": {"N": str(epoch_ms)}},
        "ReturnValues": "UPDATED_OLD",
    }


def epochs_of(item: Mapping[str, Any]) -> dict[str | None, int]:
    """Read an epoch item (DynamoDB JSON) as {None: global epoch, engine: its epoch}; other attributes are ignored."""
    epochs: dict[str | None, int] = {}
    for name, value in item.items():
        if "N" not in value:
            continue
        if name == EPOCH_ALL:
            epochs[None] = int(value["N"])
        elif name.startswith("engine#"):
            epochs[name.removeprefix("engine#")] = int(value["N"])
    return epochs


@dataclass(slots=True)
class PromptTable:
    """The prompt table: `fetch` and `read_epochs` are what a PromptStore needs.

    Both read consistently: after a clear, an eventually consistent read could bring the old prompt back for good.
    """

    name: str
    key: str = "engine"
    text: str = "prompt"
    client: Any = None
    epoch_client: Any = None
    _opening: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def fetch(self, engine: str) -> FetchedPrompt:
        """Read one engine's prompt; an engine without one is a setting that a person must mend."""
        item = self._get(self._prompt_client(), engine)
        text = item.get(self.text, {}).get("S")
        if not text:
            raise FixSettings(
                f'No prompt for engine "{engine}" in table {self.name}.',
                code="SVC-404",
                mend=f'Put an item with {self.key} = "{engine}" and a text in "{self.text}".',
            )
        version = item.get("version", {})
        return FetchedPrompt(text=text, version=version.get("S") or version.get("N"))

    def read_epochs(self) -> dict[str | None, int]:
        """Read the epoch item; no item means that nothing was ever cleared."""
        return epochs_of(self._get(self._impatient_client(), EPOCH_KEY))

    def _get(self, client: Any, key: str) -> Mapping[str, Any]:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            answer = client.get_item(TableName=self.name, Key={self.key: {"S": key}}, ConsistentRead=True)
        except (ClientError, BotoCoreError) as error:
            raise aws.explain(
                error, doing=f"reading prompt table {self.name}", code="SVC-410", permission=_PERMISSION
            ) from error
        item: Mapping[str, Any] = answer.get("Item", {})
        return item

    def _prompt_client(self) -> Any:
        with self._opening:
            if self.client is None:
                self.client = aws.client("dynamodb", timeout_s=2, attempts=3)
            return self.client

    def _impatient_client(self) -> Any:
        # A request with its prompt in memory must not wait for an ailing table: one attempt, one second.
        with self._opening:
            if self.epoch_client is None:
                self.epoch_client = aws.client("dynamodb", timeout_s=1, attempts=1)
            return self.epoch_client
