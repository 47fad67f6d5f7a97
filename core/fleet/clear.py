"""A clear of the prompt store from confirmation to audit: what the page and `cachewise clear` both call."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from core.errors import CachewiseError, FixSettings
from core.fleet import audit
from core.fleet.access import open_client
from core.fleet.clear_epoch import clear_by_epoch
from core.fleet.clear_variable import FunctionState, Patience, clear_by_variable, look_at
from core.fleet.preview import Preview, clear_settings
from core.settings import ClearMethod, ClearSettings, SourceSettings
from core.store.lake import Lake
from core.store.query import Reader

ACTION = "clear"
Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Clear:
    """A clear that was done: what to follow in the logs."""

    clear_id: str
    source: str
    engine: str | None  # None: all engines
    method: ClearMethod
    at: datetime  # just before the write
    effective_at: datetime  # requests that start later meet an empty prompt store
    epoch: int
    version: str | None = None  # the version that traffic goes to now, by the variable way


def now_utc() -> datetime:
    """Return the time; a parameter everywhere else."""
    return datetime.now(UTC)


def target_of(source: str, engine: str | None) -> str:
    """Return the audit log's name of what is cleared."""
    return f"{source}/prompt-store/{engine or '*'}"


def check_confirmation(source: SourceSettings, typed: str) -> None:
    """Refuse a clear unless the source's name was typed, to the letter."""
    if typed.strip() != source.name:
        raise FixSettings(
            f"The clear was not confirmed: {typed.strip()[:40]!r} was typed.",
            code="FLT-402",
            mend=f'Nothing was changed. Type the name of the source: "{source.name}".',
            about=(typed.strip()[:40],),
        )


def function_state(source: SourceSettings) -> FunctionState:
    """Read what a clear by variable would meet (under the clear role); changes nothing."""
    clear = clear_settings(source, "variable")
    return look_at(open_client("lambda", clear), clear)


def clear_prompt_store(
    lake: Lake,
    source: SourceSettings,
    foreseen: Preview,
    *,
    actor: str,
    confirmation: str,
    client: Any = None,
    clock: Clock = now_utc,
    patience: Patience | None = None,
) -> Clear:
    """Do what the preview foretold, and write it to the audit log before and after.

    `confirmation` is the source's name as it was typed. Where the audit log cannot be written, nothing is cleared.
    """
    check_confirmation(source, confirmation)
    settings = clear_settings(source, foreseen.method)
    engine = foreseen.engine if foreseen.method == "epoch" else None  # a variable cannot name an engine
    action = audit.new_action(ACTION, target_of(source.name, engine), actor=actor)
    at = clock()
    audit.record(lake, action, "started", now=at, before=foreseen.facts())
    try:
        if client is None:
            client = open_client("dynamodb" if foreseen.method == "epoch" else "lambda", settings)
        done, told = _act(client, settings, foreseen.method, engine, at, patience)
    except BaseException as error:
        audit.record(lake, action, "failed", now=clock(), after=_failure(error))
        raise
    waits = timedelta(seconds=settings.epoch_seconds if foreseen.method == "epoch" else 0)
    cleared = Clear(
        action.action_id, source.name, engine, foreseen.method, at, clock() + waits, done, told.get("version")
    )
    audit.mark_clear(lake, source=source.name, engine=engine, now=at, action_id=action.action_id)
    audit.record(lake, action, "done", now=clock(), after={**told, **_facts(cleared)})
    return cleared


def past_clears(reader: Reader, *, source: str) -> list[Clear]:
    """Return the clears of a source that were done, the latest first, so that any process can follow them."""
    return [
        _from_facts(item.action_id, item.after)
        for item in audit.recorded_actions(reader, action=ACTION)
        if item.result == "done" and item.after.get("source") == source and "effective_at" in item.after
    ]


def _act(
    client: Any,
    settings: ClearSettings,
    method: ClearMethod,
    engine: str | None,
    at: datetime,
    patience: Patience | None,
) -> tuple[int, dict[str, Any]]:
    """Clear; return the new epoch and what the audit log may know of it."""
    now_ms = int(at.timestamp() * 1000)
    if method == "epoch":
        raised = clear_by_epoch(client, settings, now_ms=now_ms, engine=engine)
        return raised.epoch, {"epoch_before": raised.before, "prompt_table": settings.prompt_table}
    moved = clear_by_variable(client, settings, now_ms=now_ms, patience=patience)
    return moved.epoch, {
        "epoch_before": moved.before,
        "function_name": settings.function_name,
        "alias": settings.alias,
        "version": moved.version,
        "version_before": moved.version_before,
        "variables": moved.variables,
        "attempts": moved.attempts,
    }


def _failure(error: BaseException) -> dict[str, Any]:
    if isinstance(error, CachewiseError):
        return {"error_code": error.code, "error_message": error.message}
    return {"error_code": type(error).__name__}  # the text of a strange error may hold anything


def _facts(cleared: Clear) -> dict[str, Any]:
    return {
        "source": cleared.source,
        "engine": cleared.engine,
        "method": cleared.method,
        "epoch": cleared.epoch,
        "at": cleared.at.isoformat(),
        "effective_at": cleared.effective_at.isoformat(),
    }


def _from_facts(clear_id: str, facts: audit.Facts) -> Clear:
    return Clear(
        clear_id=clear_id,
        source=facts["source"],
        engine=facts["engine"],
        method=facts["method"],
        at=datetime.fromisoformat(facts["at"]),
        effective_at=datetime.fromisoformat(facts["effective_at"]),
        epoch=facts["epoch"],
        version=facts.get("version"),
    )
