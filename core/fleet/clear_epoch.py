"""Clearing by the epoch item of the prompt table: one UpdateItem on one key, no cold start, one engine or all.

Every environment re-reads the item at most `epoch_seconds` later, and forgets what it kept under another epoch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.caching.prompt_table import epoch_update, epochs_of
from core.errors import CachewiseError, TryAgain
from core.fleet.access import aws_code, explained
from core.settings import ClearSettings

_ATTEMPTS = 4
_PERMISSION = 'dynamodb:UpdateItem on the prompt table for the key "__epoch__"'


@dataclass(frozen=True, slots=True)
class EpochClear:
    """What was written: the new epoch, and the one before (None: it was never cleared)."""

    epoch: int
    before: int | None


def clear_by_epoch(client: Any, clear: ClearSettings, *, now_ms: int, engine: str | None = None) -> EpochClear:
    """Raise the epoch of one engine, or of all; no other item of the table is read or written."""
    epoch = now_ms
    for _ in range(_ATTEMPTS):
        try:
            return EpochClear(epoch, _raise(client, clear, engine, epoch))
        except _NotHigher as held:
            # Two clears in one millisecond, or a clock that was ahead: an epoch never repeats and never goes back.
            epoch = held.epoch + 1
    raise TryAgain(
        f"Others raised the epoch of table {clear.prompt_table} at each of {_ATTEMPTS} attempts.",
        code="FLT-405",
        mend="Their clears reached every environment too.",
        about=(clear.prompt_table,),
    )


def _raise(client: Any, clear: ClearSettings, engine: str | None, epoch_ms: int) -> int | None:
    from botocore.exceptions import BotoCoreError, ClientError

    assert clear.prompt_table is not None
    request = epoch_update(clear.prompt_table, epoch_ms=epoch_ms, engine=engine, key=clear.key_name)
    only_up = {
        "ConditionExpression": "attribute_not_exists(#epoch) OR #epoch < :epoch",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }
    try:
        answer: Mapping[str, Any] = client.update_item(**request, **only_up)
    except (ClientError, BotoCoreError) as error:
        if aws_code(error) == "ConditionalCheckFailedException":
            held = getattr(error, "response", {}).get("Item", {})
            raise _NotHigher(epochs_of(held).get(engine, epoch_ms)) from None
        raise _mended(error, clear) from error
    return epochs_of(answer.get("Attributes", {})).get(engine)


class _NotHigher(Exception):
    """The epoch that is there is as high as ours."""

    def __init__(self, epoch: int) -> None:
        super().__init__(epoch)
        self.epoch = epoch


def _mended(error: Exception, clear: ClearSettings) -> CachewiseError:
    return explained(
        error,
        doing=f"raising the epoch in table {clear.prompt_table}",
        code="FLT-405",
        permission=_PERMISSION,
        check=f'Is "{clear.key_name}" the table\'s partition key, a text, and its only key? Set clear.key_name.',
    )
