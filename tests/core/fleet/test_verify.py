"""Following the logs after a clear."""

from datetime import timedelta

import pytest

from core.fleet.clear import Clear
from core.fleet.verify import Progress, follow
from core.store.lake import Lake
from core.store.query import Reader
from tests.core.fleet.conftest import NOON, line, minutes
from tests.support.rows import Row, make_invocation, make_pass, table_of

CLEAR = Clear("c1", "bodo", None, "epoch", NOON, NOON + timedelta(seconds=30), 1)


def after(lake: Lake, *lines: Row, clear: Clear = CLEAR, invocations: tuple[Row, ...] = ()) -> Progress:
    """Return the progress once these lines have come in."""
    lake.commit("prompt_store_events", table_of("prompt_store_events", lines))
    lake.commit("invocations", table_of("invocations", invocations))
    with Reader(lake, threads=1) as reader:
        return follow(reader, clear, now=minutes(10))


def proofs(progress: Progress) -> dict[str, str]:
    """The proof of each environment."""
    return {answer.log_stream: answer.proof for answer in progress.answers}


def test_nothing_is_claimed_before_the_lines_come(lake: Lake) -> None:
    """Three active environments held a prompt, none has answered."""
    progress = after(lake)

    assert proofs(progress) == {"one": "unseen", "two": "unseen", "three": "unseen"}
    assert progress.sentence() == "Cleared for requests starting after 12:00:30 UTC; 0 of 3 environments seen."
    assert not progress.complete


def test_a_miss_is_proof(lake: Lake) -> None:
    """Two of three environments missed; HITs after a MISS are the new prompt."""
    progress = after(
        lake,
        line("miss", "one", "sales", minutes(1)),
        line("hit", "one", "sales", minutes(2)),
        line("miss", "two", "support", minutes(1)),
    )

    assert proofs(progress) == {"one": "cleared", "two": "cleared", "three": "unseen"}
    assert (progress.seen, progress.expected, progress.stale) == (2, 3, 0)


def test_all_missed_is_complete(lake: Lake) -> None:
    """The page can stop following."""
    progress = after(lake, *(line("miss", stream, "sales", minutes(1)) for stream in ("one", "two", "three")))

    assert progress.complete
    assert progress.sentence() == "Cleared for requests starting after 12:00:30 UTC; 3 of 3 environments seen."


def test_a_first_miss_of_a_prompt_it_never_held_proves_nothing(lake: Lake) -> None:
    """Environment three never had "support": reading it for the first time does not show that it was cleared."""
    assert proofs(after(lake, line("miss", "three", "support", minutes(1))))["three"] == "unseen"


def test_a_hit_before_it_took_effect_is_not_yet(lake: Lake) -> None:
    """The environment may look at the epoch up to 30 seconds later."""
    assert proofs(after(lake, line("hit", "one", "sales", minutes(0.4))))["one"] == "not_yet"


def test_a_hit_of_a_request_under_way_is_not_yet(lake: Lake) -> None:
    """Logged after it took effect, but the request started before."""
    under_way = make_invocation(invocation_id="i1", log_stream="one", ts=minutes(0.3))
    hit = line("hit", "one", "sales", minutes(1), invocation_id="i1")

    progress = after(lake, hit, invocations=(under_way,))

    assert proofs(progress)["one"] == "not_yet"
    assert progress.answers[0].last_old_hit == minutes(0.3)


def test_a_hit_of_a_later_request_is_stale(lake: Lake) -> None:
    """That environment does not follow the clear, and the sentence says so."""
    progress = after(lake, line("hit", "one", "sales", minutes(1)))

    assert proofs(progress)["one"] == "stale"
    assert progress.sentence().endswith("1 still served the old prompt after that: they do not follow this clear.")


def test_another_engine_is_not_asked(lake: Lake) -> None:
    """A clear of one engine is proved by that engine alone, in the environments that held it."""
    clear = Clear("c1", "bodo", "support", "epoch", NOON, NOON + timedelta(seconds=30), 1)

    progress = after(
        lake, line("hit", "one", "sales", minutes(2)), line("miss", "two", "support", minutes(2)), clear=clear
    )

    assert proofs(progress) == {"one": "unseen", "two": "cleared"}


@pytest.mark.parametrize(("version", "new"), [("8", 1), ("7", 0)])
def test_new_environments_of_the_published_version_are_the_proof_of_the_variable_way(
    lake: Lake, version: str, new: int
) -> None:
    """Old environments are replaced; a new one on the new version that misses shows it."""
    clear = Clear("c1", "bodo", None, "variable", NOON, minutes(0.1), 1, "8")

    progress = after(lake, line("miss", "new", "sales", minutes(1), function_version=version), clear=clear)

    assert progress.new_environments == new
    assert progress.complete is (new == 1)
    assert set(proofs(progress).values()) == {"replaced"}


def test_an_old_environment_that_serves_on_is_told(lake: Lake) -> None:
    """By the variable way, too, a HIT of a later request in an old environment is stale."""
    clear = Clear("c1", "bodo", None, "variable", NOON, minutes(0.1), 1, "8")

    assert proofs(after(lake, line("hit", "one", "sales", minutes(1)), clear=clear))["one"] == "stale"


def test_it_says_how_far_the_logs_are_known(lake: Lake) -> None:
    """No line and no news are two things."""
    lake.commit("ingest_passes", table_of("ingest_passes", [make_pass(ts=minutes(2), complete_until=minutes(2))]))

    assert after(lake).complete_until == minutes(2)
