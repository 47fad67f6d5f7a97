"""What a clear by variable refuses, waits for and gives way to: answers of Lambda that an emulator does not give."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from core.errors import CachewiseError, FixSettings, TryAgain
from core.fleet.clear_variable import Patience, clear_by_variable, look_at
from core.settings import ClearSettings

SECRET = "sk-never-shown"


class Lambda:
    """A function whose answers a test arranges; it records what it was asked, in order."""

    def __init__(self, **arranged: Any) -> None:
        self.asked: list[str] = []
        self.written: list[dict[str, Any]] = []
        self.config: dict[str, Any] = {
            "Version": "$LATEST",
            "RevisionId": "r1",
            "CodeSha256": "code",
            "State": "Active",
            "LastUpdateStatus": "Successful",
            "Environment": {"Variables": {"TOKEN": SECRET, "PROMPT_CACHE_EPOCH": "5"}},
        }
        self.alias: dict[str, Any] = {"FunctionVersion": "7", "RevisionId": "a1"}
        self.arranged: dict[str, list[Any]] = {name: list(answers) for name, answers in arranged.items()}

    def _answer(self, name: str, usual: Any) -> Any:
        self.asked.append(name)
        queue = self.arranged.get(name)
        answer = queue.pop(0) if queue else usual
        if isinstance(answer, Exception):
            raise answer
        return answer

    def get_function_configuration(self, **asked: Any) -> Any:
        name = "version" if "Qualifier" in asked else "configuration"
        return self._answer(name, self.config | ({"Version": asked["Qualifier"]} if "Qualifier" in asked else {}))

    def get_alias(self, **asked: Any) -> Any:
        return self._answer("alias", self.alias)

    def update_function_configuration(self, **asked: Any) -> Any:
        answer = self._answer("update", {})
        self.written.append(asked)
        self.config |= {"RevisionId": "r2", "Environment": asked["Environment"]}
        return answer

    def publish_version(self, **asked: Any) -> Any:
        self.written.append(asked)
        return self._answer("publish", {"Version": "8"})

    def update_alias(self, **asked: Any) -> Any:
        self.written.append(asked)
        return self._answer("move", {})


def refusal(code: str, message: str = "") -> ClientError:
    """An error as AWS answers it."""
    return ClientError({"Error": {"Code": code, "Message": message}}, "Operation")


def clear(client: Lambda, alias: str | None = "live", pauses: list[float] | None = None) -> Any:
    """Clear without waiting in real time."""
    seconds = iter(range(10_000))
    patience = Patience(sleep=(pauses if pauses is not None else []).append, clock=lambda: float(next(seconds)))
    settings = ClearSettings(method="variable", function_name="bodo-ws", alias=alias)
    return clear_by_variable(client, settings, now_ms=1000, patience=patience)


def test_the_sequence_is_the_safe_one() -> None:
    """Read, alias, its code, write with the revision read, read again, publish what was verified, wait, move."""
    client = Lambda()

    done = clear(client)

    assert client.asked == [
        "configuration", "alias", "version", "update", "configuration", "publish", "version", "move",
    ]  # fmt: skip
    update, publish, move = client.written
    assert update == {
        "FunctionName": "bodo-ws",
        "RevisionId": "r1",
        "Environment": {"Variables": {"TOKEN": SECRET, "PROMPT_CACHE_EPOCH": "1000"}},
    }
    assert publish == {"FunctionName": "bodo-ws", "CodeSha256": "code", "RevisionId": "r2"}
    assert move == {"FunctionName": "bodo-ws", "Name": "live", "FunctionVersion": "8", "RevisionId": "a1"}
    assert (done.version_before, done.version, done.before) == ("7", "8", "5")


def test_variables_that_cannot_be_read_are_never_written() -> None:
    """With Environment.Error a write would drop every variable: refused before anything is changed."""
    client = Lambda()
    client.config["Environment"] = {"Error": {"ErrorCode": "AccessDeniedException", "Message": SECRET}}

    with pytest.raises(FixSettings, match=r"FLT-411.*AccessDeniedException.*kms:Decrypt") as raised:
        clear(client)

    assert client.written == []
    assert SECRET not in str(raised.value)


def test_the_preview_says_that_variables_cannot_be_read() -> None:
    """The refusal is known before anyone confirms."""
    client = Lambda()
    client.config["Environment"] = {"Error": {"ErrorCode": "AccessDeniedException"}}

    assert not look_at(client, ClearSettings(function_name="bodo-ws")).readable


def test_it_never_starts_on_a_running_update() -> None:
    """While an update is InProgress it waits, then reads afresh."""
    client = Lambda()
    busy = client.config | {"LastUpdateStatus": "InProgress", "RevisionId": "r0"}
    client.arranged = {"configuration": [busy, busy]}
    pauses: list[float] = []

    clear(client, None, pauses)

    assert client.asked == ["configuration"] * 3 + ["update", "configuration"]
    assert client.written[0]["RevisionId"] == "r1"
    assert pauses == [1.0, 1.0]


def test_an_update_that_never_ends_is_given_up() -> None:
    """After the limit it says what it waited for."""
    client = Lambda()
    client.config["LastUpdateStatus"] = "InProgress"

    with pytest.raises(TryAgain, match=r"FLT-416: Waited 300 s for an update of the function to finish \(bodo-ws\)"):
        clear(client)

    assert client.written == []


@pytest.mark.parametrize("code", ["PreconditionFailedException", "ResourceConflictException"])
def test_it_backs_off_and_reads_again(code: str) -> None:
    """412 and 409: pauses of 0.3, 0.6, 1.2 seconds, a fresh reading each time."""
    client = Lambda(update=[refusal(code), refusal(code), refusal(code)])
    pauses: list[float] = []

    done = clear(client, None, pauses)

    assert pauses == [0.3, 0.6, 1.2]
    assert done.attempts == 4
    assert client.asked == ["configuration", "update"] * 4 + ["configuration"]


def test_after_four_attempts_it_gives_way() -> None:
    """A function that others keep changing is left to them."""
    client = Lambda(update=[refusal("PreconditionFailedException")] * 4)

    with pytest.raises(TryAgain, match="FLT-412"):
        clear(client)

    assert client.written == []


def test_a_failed_update_does_not_move_the_alias() -> None:
    """An update that Lambda calls Failed is reported with its reason code."""
    client = Lambda()
    failed = client.config | {"LastUpdateStatus": "Failed", "LastUpdateStatusReasonCode": "InvalidSubnet"}
    client.arranged = {"configuration": [client.config, failed]}

    with pytest.raises(FixSettings, match=r"FLT-413.*Failed \(InvalidSubnet\)"):
        clear(client)

    assert "publish" not in client.asked


def test_lost_variables_are_reported() -> None:
    """A variable that was there before and is not there after stops the clear, by number and not by value."""
    client = Lambda()
    lost = client.config | {"Environment": {"Variables": {"PROMPT_CACHE_EPOCH": "1000"}}}
    client.arranged = {"configuration": [dict(client.config), lost]}

    with pytest.raises(TryAgain, match="FLT-415: 1 of 2 variables of bodo-ws disappeared") as raised:
        clear(client)

    assert SECRET not in str(raised.value)
    assert "publish" not in client.asked


def test_code_deployed_during_the_clear_is_not_published() -> None:
    """New code between our update and our reading sends us back to the start, where it is refused."""
    client = Lambda()
    start, new_code = dict(client.config), client.config | {"CodeSha256": "new"}
    written = new_code | {"Environment": {"Variables": {"TOKEN": SECRET, "PROMPT_CACHE_EPOCH": "1000"}}}
    client.arranged = {"configuration": [start, written, written], "version": [start, start]}

    with pytest.raises(FixSettings, match="publishing would release it"):
        clear(client)

    assert "publish" not in client.asked


def test_without_a_revision_nothing_is_written() -> None:
    """Some emulators give none: then nobody could notice a concurrent change, so it refuses."""
    client = Lambda()
    del client.config["RevisionId"]

    with pytest.raises(FixSettings, match="FLT-410: bodo-ws was answered without a RevisionId"):
        clear(client)
    assert client.written == []


def test_a_weighted_alias_is_refused() -> None:
    """Moving an alias in the middle of a rollout would leave environments behind."""
    client = Lambda()
    client.alias["RoutingConfig"] = {"AdditionalVersionWeights": {"9": 0.1}}

    with pytest.raises(FixSettings, match='FLT-414: Alias "live" sends part of its traffic to version 9'):
        clear(client)

    assert client.written == []


def test_an_alias_on_latest_needs_no_version() -> None:
    """An alias that points to $LATEST is cleared by the variable alone."""
    client = Lambda()
    client.alias["FunctionVersion"] = "$LATEST"

    assert clear(client).version == "$LATEST"
    assert "publish" not in client.asked


def test_a_version_that_does_not_start_is_not_released() -> None:
    """The alias stays where it is when the new version ends as Failed."""
    client = Lambda()
    states = [client.config, client.config | {"State": "Pending"}, client.config | {"State": "Failed"}]
    client.arranged = {"version": states}

    with pytest.raises(FixSettings, match=r"FLT-413: Version 8 of bodo-ws is Failed"):
        clear(client)

    assert "move" not in client.asked


def test_an_alias_that_was_only_described_anew_is_moved_at_the_next_attempt() -> None:
    """A stale alias revision without another version is no reason to stop."""
    client = Lambda(move=[refusal("PreconditionFailedException")])

    assert clear(client).attempts == 2


@pytest.mark.parametrize(
    ("aws_code", "kind"),
    [
        ("InvalidParameterValueException", FixSettings),
        ("AccessDeniedException", FixSettings),
        ("KMSAccessDeniedException", FixSettings),
        ("ServiceException", TryAgain),
    ],
)
def test_no_message_of_aws_is_repeated(aws_code: str, kind: type[CachewiseError]) -> None:
    """Lambda may quote the variables it was given: only its code is told, and no cause is kept."""
    client = Lambda(update=[refusal(aws_code, f"environment variables {SECRET} are too long")])

    with pytest.raises(kind, match=f"FLT-410.*{aws_code}") as raised:
        clear(client)

    assert SECRET not in str(raised.value)
    assert raised.value.__cause__ is None
    assert raised.value.__context__ is None
