"""Clearing by an environment variable, in real warm Lambda processes that do not read the epoch item."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from core.errors import FixSettings, TryAgain
from core.fleet.clear_variable import Patience, VariableClear, clear_by_variable, look_at
from core.settings import ClearSettings
from tests.support import prompt_lambda
from tests.support.ministack import Ministack
from tests.support.prompt_lambda import PromptLambda

pytestmark = pytest.mark.slow
QUICK = Patience(first_pause_s=0.05, poll_s=0.05, limit_s=30)


@pytest.fixture
def service(ministack: Ministack) -> PromptLambda:
    """A service behind the alias "live", with a variable that must survive."""
    return prompt_lambda.deploy(ministack, follows_epoch=False, alias="live", SECRET_SETTING="keep-me")


def settings(service: PromptLambda, alias: str | None) -> ClearSettings:
    """Say how this service is cleared."""
    return ClearSettings(method="variable", function_name=service.name, alias=alias)


def clear(service: PromptLambda, alias: str | None, client: Any = None, now_ms: int = 1000) -> VariableClear:
    """Clear it, waiting as little as it takes."""
    return clear_by_variable(client or service.client, settings(service, alias), now_ms=now_ms, patience=QUICK)


class Meddler:
    """A client that lets someone else act between our reading and our writing."""

    def __init__(self, client: Any, before: str, act: Any, times: int = 1) -> None:
        self._client, self._before, self._act, self._left = client, before, act, times

    def __getattr__(self, name: str) -> Any:
        operation = getattr(self._client, name)
        if name != self._before:
            return operation

        def overtaken(**arguments: Any) -> Any:
            if self._left:
                self._left -= 1
                self._act()
            return operation(**arguments)

        return overtaken


class Strict:
    """A client that checks the RevisionId of PublishVersion as AWS does; ministack checks it elsewhere only."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def publish_version(self, **arguments: Any) -> Any:
        """Refuse a stale RevisionId, then publish."""
        now = self._client.get_function_configuration(FunctionName=arguments["FunctionName"])
        if now["RevisionId"] != arguments["RevisionId"]:
            raise ClientError({"Error": {"Code": "PreconditionFailedException"}}, "PublishVersion")
        return self._client.publish_version(**arguments)


def add_variable(service: PromptLambda, name: str) -> None:
    """Change the function's variables as another deployer would."""
    service.client.update_function_configuration(
        FunctionName=service.name, Environment={"Variables": {**service.variables(), name: "theirs"}}
    )


def test_latest_alone_leaves_the_alias_as_it_was(service: PromptLambda) -> None:
    """Raising the variable of $LATEST clears nothing of what the alias serves."""
    assert [service.ask(alias="live").answer for _ in range(2)] == ["MISS", "HIT"]

    done = clear(service, None)

    assert done.version == "$LATEST"
    assert service.ask(alias="live").answer == "HIT"


def test_latest_is_cleared_where_traffic_goes_there(service: PromptLambda) -> None:
    """Without an alias, the raised variable gives new environments that miss."""
    assert [service.ask().answer for _ in range(2)] == ["MISS", "HIT"]

    clear(service, None)

    assert service.ask().answer == "MISS"


def test_publishing_and_moving_the_alias_clears_every_environment(service: PromptLambda) -> None:
    """After the switch every request of the alias meets a new environment, which misses once."""
    warm = {served.environment for served in service.ask_at_once(3, alias="live")}
    assert {served.answer for served in service.ask_at_once(3, alias="live")} == {"HIT"}

    done = clear(service, "live")
    after = service.ask_at_once(3, alias="live")

    assert (done.version_before, done.version, done.attempts) == ("1", "2", 1)
    assert {(served.answer, served.version) for served in after} == {("MISS", "2")}
    assert not warm & {served.environment for served in after}
    assert service.ask(alias="live").answer == "HIT"


def test_variables_are_kept_and_not_told(service: PromptLambda) -> None:
    """Every old variable is still there, in the function and in the environment; the result only counts them."""
    before = service.variables()

    done = clear(service, "live", now_ms=1234)
    served = service.ask(alias="live", variables=["SECRET_SETTING", "PROMPT_CACHE_EPOCH"])

    assert service.variables() == {**before, "PROMPT_CACHE_EPOCH": "1234"}
    assert served.variables == {"SECRET_SETTING": "keep-me", "PROMPT_CACHE_EPOCH": "1234"}
    assert done.variables == len(before) + 1
    assert "keep-me" not in repr(done)


def test_a_second_clear_raises_the_epoch_again(service: PromptLambda) -> None:
    """An epoch never repeats, even when the clock says the same."""
    first, second = clear(service, "live"), clear(service, "live")

    assert (first.epoch, second.epoch, second.before) == (1000, 1001, "1000")
    assert second.version == "3"


def test_a_change_made_meanwhile_is_kept(service: PromptLambda) -> None:
    """Someone adds a variable after we read: 412, so read again; both changes are there in the end."""
    meddled = Meddler(service.client, "update_function_configuration", lambda: add_variable(service, "ADDED_MEANWHILE"))

    done = clear(service, "live", meddled)

    assert done.attempts == 2
    assert service.variables()["ADDED_MEANWHILE"] == "theirs"
    assert service.variables()["SECRET_SETTING"] == "keep-me"
    assert service.ask(alias="live", variables=["ADDED_MEANWHILE"]).variables == {"ADDED_MEANWHILE": "theirs"}


def test_a_change_before_publishing_is_kept(service: PromptLambda) -> None:
    """Someone changes the function between our update and our publishing: what is published was verified."""
    strict = Strict(service.client)
    meddled = Meddler(strict, "publish_version", lambda: add_variable(service, "ADDED_MEANWHILE"))

    done = clear(service, "live", meddled)

    assert done.attempts == 2
    assert service.ask(alias="live", variables=["ADDED_MEANWHILE"]).variables == {"ADDED_MEANWHILE": "theirs"}


def test_it_gives_way_to_someone_who_never_stops(service: PromptLambda) -> None:
    """Overtaken at every attempt, it stops and says so; nothing of the other's is lost."""
    counter = iter(range(10))
    meddled = Meddler(
        service.client,
        "update_function_configuration",
        lambda: add_variable(service, f"ADDED_{next(counter)}"),
        times=10,
    )

    with pytest.raises(TryAgain, match="FLT-412"):
        clear(service, "live", meddled)

    assert {f"ADDED_{n}" for n in range(4)} <= set(service.variables())


def test_an_alias_moved_meanwhile_is_left_alone(service: PromptLambda) -> None:
    """Someone deploys while we publish: their version stays live."""

    def deploy_theirs() -> None:
        add_variable(service, "THEIRS")
        version = service.client.publish_version(FunctionName=service.name)["Version"]
        service.client.update_alias(FunctionName=service.name, Name="live", FunctionVersion=version)

    with pytest.raises(TryAgain, match=r'FLT-414: Alias "live" was moved to version 3'):
        clear(service, "live", Meddler(service.client, "update_alias", deploy_theirs))

    assert service.client.get_alias(FunctionName=service.name, Name="live")["FunctionVersion"] == "3"


def test_unreleased_code_is_not_released(service: PromptLambda) -> None:
    """Code that waits in $LATEST stays there: the clear refuses, and the preview says why."""
    service.client.update_function_code(FunctionName=service.name, ZipFile=prompt_lambda.package("x = 1"))
    before = service.variables()

    with pytest.raises(FixSettings, match=r"FLT-414: .* publishing would release it"):
        clear(service, "live")

    assert service.variables() == before
    assert look_at(service.client, settings(service, "live")).other_code


def test_the_preview_counts_what_would_go_along(service: PromptLambda) -> None:
    """Settings of $LATEST that the alias does not have yet are named, variables only counted."""
    add_variable(service, "WAITING")
    service.client.update_function_configuration(FunctionName=service.name, MemorySize=256)

    state = look_at(service.client, settings(service, "live"))

    assert (state.version, state.readable, state.other_code) == ("1", True, False)
    assert state.released_too == ("MemorySize", "1 variables")


def test_a_missing_function_is_a_setting(service: PromptLambda) -> None:
    """The message names what was not found."""
    with pytest.raises(FixSettings, match=r"FLT-410: GetFunctionConfiguration of nobody found nothing there"):
        clear_by_variable(service.client, ClearSettings(method="variable", function_name="nobody"), now_ms=1)
