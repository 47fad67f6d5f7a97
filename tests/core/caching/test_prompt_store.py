"""The permanent prompt store of one environment."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from core.caching import prompt_store
from core.caching.prompt_store import FetchedPrompt, PromptStore
from core.errors import BadInput, FixSettings, TryAgain

HIT = "✅ Cache HIT for [sales] - DB query skipped (permanent cache)"
MISS = "❌ Cache MISS for [sales] - fetching from DB"
STORED = "💾 Permanently cached prompt for [sales]"


class World:
    """A prompt table and a clock that tests can change, and everything the store said and asked."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0
        self.text = "You are a seller."
        self.epochs: dict[str | None, int] | Exception = {}
        self.fetched: list[str] = []
        self.epoch_reads = 0
        self.said: list[str] = []

    def fetch(self, engine: str) -> FetchedPrompt:
        self.fetched.append(engine)
        return FetchedPrompt(self.text, version="7")

    def read_epochs(self) -> dict[str | None, int]:
        self.epoch_reads += 1
        if isinstance(self.epochs, Exception):
            raise self.epochs
        return self.epochs

    def store(self, fetch: Callable[[str], FetchedPrompt] | None = None) -> PromptStore:
        return PromptStore(
            fetch=fetch or self.fetch, read_epochs=self.read_epochs, say=self.said.append, clock=lambda: self.now
        )


@pytest.fixture
def world() -> World:
    return World()


def test_first_get_misses_and_second_hits_without_a_read(world: World) -> None:
    """A prompt is read once; the lines tell it in the formats the collector knows."""
    store = world.store()

    first, second = store.get("sales"), store.get("sales")

    assert first is second
    assert (first.text, first.version, first.size_bytes) == ("You are a seller.", "7", 17)
    assert world.fetched == ["sales"]
    assert world.said == [MISS, STORED, HIT]


def test_ten_concurrent_misses_make_one_read(world: World) -> None:
    """While one thread reads, the other nine wait for its result."""
    everyone_here = threading.Barrier(10)
    release = threading.Event()

    def slow_fetch(engine: str) -> FetchedPrompt:
        release.wait(5)
        return world.fetch(engine)

    store = world.store(slow_fetch)

    def ask() -> str:
        everyone_here.wait(5)
        if threading.current_thread().name.endswith("_0"):
            threading.Timer(0.1, release.set).start()
        return store.get("sales").text

    with ThreadPoolExecutor(10) as pool:
        texts = [job.result() for job in [pool.submit(ask) for _ in range(10)]]

    assert set(texts) == {"You are a seller."}
    assert world.fetched == ["sales"]
    stats = store.stats()
    assert (stats["misses"], stats["hits"]) == (1, 9)
    assert world.said.count(MISS) == 1


def test_a_failed_read_is_told_to_all_and_tried_again_next_time(world: World) -> None:
    """An error is never kept: the next request reads again."""
    answers: list[Exception | None] = [TryAgain("throttled.", code="SVC-410"), None]

    def failing_fetch(engine: str) -> FetchedPrompt:
        if (error := answers.pop(0)) is not None:
            raise error
        return world.fetch(engine)

    store = world.store(failing_fetch)
    with pytest.raises(TryAgain):
        store.get("sales")

    assert store.get("sales").text == "You are a seller."
    assert store.stats()["misses"] == 2


def test_clear_of_one_engine_leaves_the_others(world: World) -> None:
    """`clear(engine)` forgets that engine only and says how many prompts it forgot."""
    store = world.store()
    store.get("sales")
    store.get("help")

    assert store.clear("sales") == 1
    assert store.clear("sales") == 0

    store.get("help")
    store.get("sales")
    assert world.fetched == ["sales", "help", "sales"]


def test_clear_without_engine_forgets_all(world: World) -> None:
    """`clear()` forgets everything and is dated in the statistics."""
    store = world.store()
    store.get("sales")
    store.get("help")

    assert store.clear() == 2

    stats = store.stats()
    assert stats["entries"] == 0
    assert stats["last_cleared_at"] == "2027-01-15T08:00:00.000+00:00"
    assert stats["engines"]["sales"]["last_cleared_at"] == "2027-01-15T08:00:00.000+00:00"


def test_a_read_that_a_clear_overtakes_is_not_kept(world: World) -> None:
    """A prompt read before the clear must not survive it."""
    store = world.store(lambda engine: (store.clear(), world.fetch(engine))[1])

    assert store.get("sales").text == "You are a seller."

    assert store.stats()["entries"] == 0
    assert STORED not in world.said


def test_statistics_per_engine(world: World) -> None:
    """Hits, misses, bytes, age, version and content hash are kept for each engine."""
    store = world.store()
    store.get("sales")
    world.now += 60
    store.get("sales")

    stats = store.stats()

    assert (stats["hits"], stats["misses"], stats["entries"], stats["bytes"]) == (1, 1, 1, 17)
    assert stats["age_seconds"] == 60
    assert stats["engines"]["sales"] == {
        "hits": 1,
        "misses": 1,
        "entries": 1,
        "bytes": 17,
        "last_cleared_at": None,
        "age_seconds": 60.0,
        "hits_since_stored": 1,
        "fetch_ms": 0.0,
        "version": "7",
        "content_hash": "a8afe94f5c6a6e32",
    }


def test_made_up_engines_do_not_fill_the_memory(world: World) -> None:
    """An engine without a prompt leaves no entry in the statistics."""

    def nothing(engine: str) -> FetchedPrompt:
        raise FixSettings(f"No prompt for {engine}.", code="SVC-404")

    store = world.store(nothing)
    for number in range(20):
        with pytest.raises(FixSettings):
            store.get(f"made-up-{number}")

    assert store.stats()["engines"] == {}
    assert store.stats()["misses"] == 20


def test_raised_epoch_clears_everything_when_it_is_next_read(world: World) -> None:
    """The epoch item is re-read at most every 30 seconds; a new value makes older prompts a MISS."""
    store = world.store()
    store.get("sales")
    world.epochs = {None: 1}
    world.now += 29.9
    store.get("sales")
    assert world.fetched == ["sales"]

    world.now += 0.1
    store.get("sales")

    assert world.fetched == ["sales", "sales"]
    assert world.epoch_reads == 2
    assert world.said == [MISS, STORED, HIT, MISS, STORED]


def test_raised_engine_epoch_clears_that_engine_only(world: World) -> None:
    """`engine#sales` clears sales and leaves help in memory."""
    store = world.store()
    store.get("sales")
    store.get("help")
    world.epochs = {"sales": 5}
    world.now += 30

    store.get("help")
    store.get("sales")

    assert world.fetched == ["sales", "help", "sales"]


def test_failing_epoch_reads_never_break_a_request(world: World) -> None:
    """With the epoch unreadable the kept prompts go on serving, and it is said once."""
    store = world.store()
    world.epochs = TimeoutError("no route")
    for _ in range(3):
        store.get("sales")
        world.now += 30

    assert world.fetched == ["sales"]
    assert store.stats()["epoch_errors"] == 3
    assert [line for line in world.said if line.startswith("⚠️")] == [
        "⚠️ Prompt store epoch not read (TimeoutError) - keeping cached prompts"
    ]


def test_prompt_fetched_with_unknown_epoch_is_not_trusted_once_a_clear_is_seen(world: World) -> None:
    """It may be older than the clear: reading it again costs one read, keeping it could cost a wrong answer."""
    store = world.store()
    world.epochs = TimeoutError("no route")
    store.get("sales")
    world.epochs = {None: 9}
    world.now += 30

    store.get("sales")

    assert world.fetched == ["sales", "sales"]


def test_a_clock_set_back_does_not_stop_epoch_reads(world: World) -> None:
    """Wall time may jump back; then the epoch is due at once."""
    store = world.store()
    store.get("sales")
    world.now -= 3600
    world.epochs = {None: 1}

    store.get("sales")

    assert world.fetched == ["sales", "sales"]


@pytest.mark.parametrize("engine", ["", "a\nb", "a]b", "[a", " a", "__epoch__", "x" * 129])
def test_names_that_could_forge_a_log_line_are_refused(world: World, engine: str) -> None:
    """An engine name is printed into lines that are parsed."""
    with pytest.raises(BadInput) as refused:
        world.store().get(engine)

    assert refused.value.code == "SVC-403"
    assert world.said == []


def test_a_store_without_a_source_says_what_is_missing() -> None:
    """Unconfigured is a setting to mend, told each time, never a hang."""
    store = PromptStore(say=lambda line: None)
    for _ in range(2):
        with pytest.raises(FixSettings, match="configure_prompt_store"):
            store.get("sales")


def test_text_stays_out_of_representations(world: World) -> None:
    """A prompt printed by mistake does not print its text."""
    assert "seller" not in repr(world.store().get("sales"))


def test_module_level_names_share_one_store(world: World) -> None:
    """The service's names work on the one store of the environment."""
    prompt_store.configure_prompt_store(fetch=world.fetch, say=world.said.append)
    prompt_store.clear_prompt_cache()

    prompt_store.get_prompt("sales")
    assert prompt_store.get_cache_stats()["engines"]["sales"]["entries"] == 1
    assert prompt_store.clear_prompt_cache("sales") == 1
    assert prompt_store.get_cache_stats()["entries"] == 0
