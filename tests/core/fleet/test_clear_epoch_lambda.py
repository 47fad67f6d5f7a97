"""Clearing by epoch, in real warm Lambda processes."""

import time

import pytest

from core.fleet.clear_epoch import clear_by_epoch
from core.settings import ClearSettings
from tests.support import prompt_lambda
from tests.support.ministack import Ministack
from tests.support.prompt_lambda import PromptLambda

pytestmark = pytest.mark.slow


@pytest.fixture
def service(ministack: Ministack) -> PromptLambda:
    """A service that reads the epoch item before every request."""
    return prompt_lambda.deploy(ministack, follows_epoch=True)


def now_ms() -> int:
    """The moment of a clear."""
    return time.time_ns() // 1_000_000


def test_a_warm_environment_misses_once_and_hits_then(service: PromptLambda) -> None:
    """The first request reads the table, the second finds the prompt in memory."""
    assert [service.ask().answer for _ in range(3)] == ["MISS", "HIT", "HIT"]


def test_every_environment_misses_after_a_clear(service: PromptLambda) -> None:
    """One write reaches all environments; each then serves the new prompt."""
    warm = {served.environment for served in service.ask_at_once(4)}
    assert {served.answer for served in service.ask_at_once(4)} == {"HIT"}
    service.put_prompt("sales", "2")

    clear_by_epoch(service.dynamodb, ClearSettings(prompt_table=service.table), now_ms=now_ms())
    after = service.ask_at_once(4)

    assert {served.environment for served in after} == warm
    assert len(warm) == 4
    assert {(served.answer, served.prompt_version) for served in after} == {("MISS", "2")}
    assert {served.answer for served in service.ask_at_once(4)} == {"HIT"}


def test_clearing_one_engine_leaves_the_other(service: PromptLambda) -> None:
    """The engine named misses, another one still hits."""
    for engine in ("sales", "support"):
        service.ask(engine)

    clear_by_epoch(service.dynamodb, ClearSettings(prompt_table=service.table), now_ms=now_ms(), engine="sales")

    assert service.ask("support").answer == "HIT"
    assert service.ask("sales").answer == "MISS"
