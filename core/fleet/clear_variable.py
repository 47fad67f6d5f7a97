"""Clearing by an environment variable: for a service that does not read the epoch item.

A changed variable makes Lambda start new environments. The sequence never starts on a running update, refuses an
environment it cannot read (a write would drop every variable), keeps every variable that is there, and gives way to
whoever changes the function at the same time. Where traffic goes through an alias, `$LATEST` alone clears nothing: a
version is published and the alias moved. Values of variables are held in memory for the one request and nowhere else.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from core.errors import FixSettings, TryAgain
from core.fleet.access import aws_code, explained
from core.settings import ClearSettings

Sleep = Callable[[float], object]
_LATEST = "$LATEST"
_CONFLICTS = frozenset({"PreconditionFailedException", "ResourceConflictException"})  # 412 and 409
_PERMISSION = "the actions of docs/policies/clear-variable.json"
_ARGUMENTS = "Check clear.function_name, clear.alias and clear.variable; a function holds 4 KB of variables."


@dataclass(frozen=True, slots=True)
class Patience:
    """How often to try again, and how long to wait for Lambda."""

    attempts: int = 4
    first_pause_s: float = 0.3
    poll_s: float = 1.0
    limit_s: float = 300.0
    sleep: Sleep = time.sleep
    clock: Callable[[], float] = time.monotonic


@dataclass(frozen=True, slots=True)
class VariableClear:
    """What was done. Of the variables there is only their number."""

    epoch: int
    before: str | None  # the epoch before; None where the variable was new or not a number
    variables: int
    attempts: int
    version: str  # where traffic goes now
    version_before: str


@dataclass(frozen=True, slots=True)
class FunctionState:
    """What a preview may show of a function: never a variable's value."""

    version: str  # what traffic runs now
    readable: bool  # False: Lambda cannot decrypt the variables for us
    busy: bool  # an update is under way
    variables: int
    other_code: bool  # the alias runs other code than $LATEST: publishing would release it
    released_too: tuple[str, ...]  # settings of $LATEST that publishing would release with the clear
    split_with: tuple[str, ...]  # versions that a weighted alias also sends traffic to


def clear_by_variable(
    client: Any, clear: ClearSettings, *, now_ms: int, patience: Patience | None = None
) -> VariableClear:
    """Set the epoch variable; with an alias, publish a version and move the alias to it."""
    return _Clearing(client, clear, now_ms, patience or Patience()).run()


def look_at(client: Any, clear: ClearSettings) -> FunctionState:
    """Read what a clear by variable would meet, changing nothing."""
    return _Clearing(client, clear, 0, Patience()).look()


@dataclass(slots=True)
class _Clearing:
    client: Any
    clear: ClearSettings
    epoch: int
    patience: Patience
    _name: str = field(init=False)

    def __post_init__(self) -> None:
        assert self.clear.function_name is not None
        self._name = self.clear.function_name

    def run(self) -> VariableClear:
        for attempt in range(self.patience.attempts):
            if attempt:
                self.patience.sleep(self.patience.first_pause_s * 2 ** (attempt - 1))
            try:
                return self._once(attempt + 1)
            except _Overtaken:
                continue  # someone else changed the function: what we read is stale, so read again
        raise TryAgain(
            f"Function {self._name} was changed by someone else at each of {self.patience.attempts} attempts.",
            code="FLT-412",
            mend="Nothing of theirs was overwritten. Wait for their deployment and clear again.",
            about=(self._name,),
        )

    def look(self) -> FunctionState:
        latest = self._configuration()
        alias = self._alias()
        live = latest if alias is None else self._configuration(alias["FunctionVersion"])
        return FunctionState(
            version=str(live["Version"]) if alias is None else str(alias["FunctionVersion"]),
            readable=not _unreadable(latest),
            busy=_busy(latest),
            variables=len(_variables(latest)),
            other_code=latest["CodeSha256"] != live["CodeSha256"],
            released_too=_differing(latest, live, self.clear.variable),
            split_with=_split(alias),
        )

    def _once(self, attempt: int) -> VariableClear:
        read = self._settled()
        self._refuse_unreadable(read)
        alias = self._alias()
        self._refuse_unguarded(read, alias)
        if alias is not None:
            self._refuse_release(read, alias)
            alias = None if alias["FunctionVersion"] == _LATEST else alias  # nothing to publish or to move
        old = _variables(read)
        epoch = max(self.epoch, (_number(old.get(self.clear.variable)) or 0) + 1)
        merged = {**old, self.clear.variable: str(epoch)}
        self._change(
            "UpdateFunctionConfiguration",
            self.client.update_function_configuration,
            RevisionId=read["RevisionId"],
            Environment={"Variables": merged},
        )
        after = self._settled()  # its RevisionId changes once more when the update completes
        self._verify(after, old, epoch)
        if alias is not None and after["CodeSha256"] != read["CodeSha256"]:
            raise _Overtaken  # publishing now would release code that was deployed a moment ago
        before = _number(old.get(self.clear.variable))
        version = _LATEST if alias is None else self._switch(after, alias)
        return VariableClear(
            epoch=epoch,
            before=None if before is None else str(before),
            variables=len(merged),
            attempts=attempt,
            version=version,
            version_before=_LATEST if alias is None else str(alias["FunctionVersion"]),
        )

    # reading

    def _configuration(self, qualifier: str | None = None) -> Mapping[str, Any]:
        which = {} if qualifier is None else {"Qualifier": qualifier}
        answer: Mapping[str, Any] = self._call(
            "GetFunctionConfiguration", self.client.get_function_configuration, **which
        )
        return answer

    def _alias(self) -> Mapping[str, Any] | None:
        if self.clear.alias is None:
            return None
        answer: Mapping[str, Any] = self._call("GetAlias", self.client.get_alias, Name=self.clear.alias)
        return answer

    def _settled(self) -> Mapping[str, Any]:
        """Return the configuration once no update is under way; by GetFunctionConfiguration, the least right for it."""
        return self._poll(None, lambda read: not _busy(read), "an update of the function to finish")

    def _active(self, version: str) -> None:
        ready = self._poll(version, lambda read: read.get("State") != "Pending", f"version {version} to become active")
        if ready.get("State", "Active") not in ("Active", "Inactive"):
            raise FixSettings(
                f"Version {version} of {self._name} is {ready.get('State')} ({ready.get('StateReasonCode')}).",
                code="FLT-413",
                mend="The alias was not moved. Mend the function, then clear again.",
                about=(version, self._name, ready.get("State"), ready.get("StateReasonCode")),
            )

    def _poll(
        self, qualifier: str | None, done: Callable[[Mapping[str, Any]], bool], waiting_for: str
    ) -> Mapping[str, Any]:
        deadline = self.patience.clock() + self.patience.limit_s
        while True:
            read = self._configuration(qualifier)
            if done(read):
                return read
            if self.patience.clock() >= deadline:
                raise TryAgain(
                    f"Waited {self.patience.limit_s:g} s for {waiting_for} ({self._name}).",
                    code="FLT-416",
                    mend="Look at the function's state in the Lambda console, then clear again.",
                    about=(self._name, f"{self.patience.limit_s:g} s"),
                )
            self.patience.sleep(self.patience.poll_s)

    # refusing

    def _refuse_unreadable(self, read: Mapping[str, Any]) -> None:
        if _unreadable(read):
            raise FixSettings(
                f"Lambda cannot read the variables of {self._name} for us ({_environment_error(read)}): "
                "writing one would drop all others.",
                code="FLT-411",
                mend="Nothing was changed. Allow the clear role kms:Decrypt on the function's key, or clear by epoch.",
                about=(self._name, _environment_error(read)),
            )

    def _refuse_unguarded(self, *read: Mapping[str, Any] | None) -> None:
        """Refuse without a revision: nobody could tell whether someone else changed the function meanwhile."""
        if any(answer is not None and not answer.get("RevisionId") for answer in read):
            raise FixSettings(
                f"{self._name} was answered without a RevisionId: a change made meanwhile would be overwritten.",
                code="FLT-410",
                mend="Nothing was changed. Lambda always gives one; check AWS_ENDPOINT_URL, or clear by epoch.",
                about=(self._name,),
            )

    def _refuse_release(self, latest: Mapping[str, Any], alias: Mapping[str, Any]) -> None:
        """Refuse where publishing would do more than clear: release new code, or break into a weighted rollout."""
        version = alias["FunctionVersion"]
        if split := _split(alias):
            raise FixSettings(
                f'Alias "{self.clear.alias}" sends part of its traffic to version {", ".join(split)}.',
                code="FLT-414",
                mend="Finish the rollout, then clear; or clear by epoch.",
                about=(self.clear.alias, ", ".join(split)),
            )
        if version != _LATEST and self._configuration(version)["CodeSha256"] != latest["CodeSha256"]:
            raise FixSettings(
                f'Alias "{self.clear.alias}" runs version {version}, whose code is not that of $LATEST: '
                "publishing would release it.",
                code="FLT-414",
                mend="Nothing was changed. Deploy first, or clear by epoch.",
                about=(self.clear.alias, version),
            )

    # writing

    def _verify(self, after: Mapping[str, Any], old: Mapping[str, str], epoch: int) -> None:
        if after.get("LastUpdateStatus", "Successful") != "Successful":
            raise FixSettings(
                f"The update of {self._name} ended as {after.get('LastUpdateStatus')} "
                f"({after.get('LastUpdateStatusReasonCode')}).",
                code="FLT-413",
                mend="Mend what Lambda names in the function's state, then clear again.",
                about=(self._name, after.get("LastUpdateStatus"), after.get("LastUpdateStatusReasonCode")),
            )
        self._refuse_unreadable(after)
        now = _variables(after)
        if now.get(self.clear.variable) != str(epoch):
            raise _Overtaken
        if lost := set(old) - set(now):
            # Ours kept them all, so someone else took them away meanwhile; that must be seen, not undone.
            raise TryAgain(
                f"{len(lost)} of {len(old)} variables of {self._name} disappeared during the clear.",
                code="FLT-415",
                mend="Compare the function with its template; this clear sent every variable it had read.",
                about=(self._name, f"{len(lost)} / {len(old)}"),
            )

    def _switch(self, after: Mapping[str, Any], alias: Mapping[str, Any]) -> str:
        """Publish what was verified and move the alias to it."""
        published = self._change(
            "PublishVersion",
            self.client.publish_version,
            CodeSha256=after["CodeSha256"],
            RevisionId=after["RevisionId"],
        )
        version = str(published["Version"])
        self._active(version)
        try:
            self._change(
                "UpdateAlias",
                self.client.update_alias,
                Name=self.clear.alias,
                FunctionVersion=version,
                RevisionId=alias["RevisionId"],
            )
        except _Overtaken:
            self._refuse_moved(alias)
            raise  # only its description or the like was changed: do it all again
        return version

    def _refuse_moved(self, alias: Mapping[str, Any]) -> None:
        now = self._alias()
        assert now is not None
        if now["FunctionVersion"] != alias["FunctionVersion"] or _split(now):
            raise TryAgain(
                f'Alias "{self.clear.alias}" was moved to version {now["FunctionVersion"]} during the clear; '
                "it was left there.",
                code="FLT-414",
                mend="A new version starts with an empty prompt store. Clear again if it was a move back.",
                about=(self.clear.alias, now["FunctionVersion"]),
            )

    # asking AWS

    def _change(self, action: str, operation: Callable[..., Any], **arguments: Any) -> Mapping[str, Any]:
        """Call an operation that others may overtake; `_Overtaken` says that they did."""
        answer: Mapping[str, Any] = self._call(action, operation, overtaken_by=_CONFLICTS, **arguments)
        return answer

    def _call(
        self,
        action: str,
        operation: Callable[..., Any],
        *,
        overtaken_by: Collection[str] = (),
        **arguments: Any,
    ) -> Any:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return operation(FunctionName=self._name, **arguments)
        except (ClientError, BotoCoreError) as error:
            if aws_code(error) in overtaken_by:
                raise _Overtaken from None
            told = explained(
                error, doing=f"{action} of {self._name}", code="FLT-410", permission=_PERMISSION, check=_ARGUMENTS
            )
        raise told  # without its cause: what AWS says of a bad environment may quote it


class _Overtaken(Exception):
    """Someone else changed the function between our reading and our writing."""


_COMPARED = ("Runtime", "Handler", "Role", "MemorySize", "Timeout", "KMSKeyArn")


def _differing(latest: Mapping[str, Any], live: Mapping[str, Any], epoch_variable: str) -> tuple[str, ...]:
    """Name the settings in which `$LATEST` differs from what traffic runs, and count the variables."""
    settings = [name for name in _COMPARED if latest.get(name) != live.get(name)]
    if _layers(latest) != _layers(live):
        settings.append("Layers")
    ours, theirs = _variables(latest), _variables(live)
    changed = sum(ours.get(name) != theirs.get(name) for name in {*ours, *theirs} - {epoch_variable})
    return (*settings, f"{changed} variables") if changed else tuple(settings)


def _layers(read: Mapping[str, Any]) -> list[str]:
    return [layer["Arn"] for layer in read.get("Layers", [])]


def _split(alias: Mapping[str, Any] | None) -> tuple[str, ...]:
    weights = ((alias or {}).get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {}
    return tuple(sorted(version for version, weight in weights.items() if weight))


def _busy(read: Mapping[str, Any]) -> bool:
    return read.get("LastUpdateStatus") == "InProgress" or read.get("State") == "Pending"


def _variables(read: Mapping[str, Any]) -> Mapping[str, str]:
    variables: Mapping[str, str] = (read.get("Environment") or {}).get("Variables") or {}
    return variables


def _unreadable(read: Mapping[str, Any]) -> bool:
    return bool((read.get("Environment") or {}).get("Error"))


def _environment_error(read: Mapping[str, Any]) -> str:
    return str(read["Environment"]["Error"].get("ErrorCode", "no error code"))


def _number(value: str | None) -> int | None:
    return int(value) if value is not None and value.isascii() and value.isdigit() else None
