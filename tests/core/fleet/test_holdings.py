"""What each environment holds, as its lines tell."""

from core.fleet.holdings import environments, holding_rows
from core.store.lake import Lake
from core.store.query import Reader
from tests.core.fleet.conftest import NOON, line, minutes
from tests.support.rows import table_of


def test_environments_are_told_with_what_they_hold(reader: Reader) -> None:
    """The latest seen first; "active" is seen within the last hour; lines of an invocation count as seen too."""
    found = environments(reader, source="bodo", now=NOON)

    assert [(env.log_stream, env.last_seen, env.active, len(env.holdings)) for env in found] == [
        ("one", minutes(-5), True, 2),
        ("two", minutes(-10), True, 2),
        ("three", minutes(-50), True, 1),
        ("gone", minutes(-300), False, 1),
    ]


def test_a_holding_has_its_counts_and_age(reader: Reader) -> None:
    """Hits, misses, age since the last MISS, and how long the read took."""
    sales = environments(reader, source="bodo", now=NOON)[0].holdings[0]

    assert (sales.engine, sales.hits, sales.misses, sales.fetch_ms) == ("sales", 3, 1, 100.0)
    assert sales.age_s(NOON) == 50 * 60
    assert sales.held
    assert sales.last_clear is None


def test_a_clear_empties_until_the_next_line(lake: Lake) -> None:
    """A clear of one engine concerns only it; a MISS after it means the prompt is held again."""
    clear = line("clear", None, "sales", minutes(-8), function_name=None)  # type: ignore[arg-type]
    again = line("miss", "two", "sales", minutes(-7))
    lake.commit("prompt_store_events", table_of("prompt_store_events", [clear, again]))

    with Reader(lake, threads=1) as reader:
        found = {env.log_stream: env for env in environments(reader, source="bodo", now=NOON)}

    assert [(item.engine, item.held, item.last_clear) for item in found["one"].holdings] == [
        ("sales", False, minutes(-8)),
        ("support", True, None),
    ]
    assert [item.engine for item in found["one"].holds(None)] == ["support"]
    assert [item.engine for item in found["two"].holds("sales")] == ["sales"]
    assert found["two"].holdings[0].age_s(NOON) == 7 * 60


def test_an_environments_own_clear_concerns_it_alone(lake: Lake) -> None:
    """A clear line of one stream says nothing about the others."""
    lake.commit("prompt_store_events", table_of("prompt_store_events", [line("clear", "one", None, minutes(-1))]))  # type: ignore[arg-type]

    with Reader(lake, threads=1) as reader:
        found = {env.log_stream: env for env in environments(reader, source="bodo", now=NOON)}

    assert (found["one"].holds(None), len(found["two"].holds(None))) == ((), 2)


def test_another_source_is_another_fleet(reader: Reader) -> None:
    """Only the source asked for is told."""
    assert environments(reader, source="other", now=NOON) == []


def test_rows_are_flat(reader: Reader) -> None:
    """One row for each environment and engine."""
    rows = holding_rows(environments(reader, source="bodo", now=NOON), now=NOON)

    assert [(row["log_stream"], row["engine"], row["hits"], row["age_s"]) for row in rows] == [
        ("one", "sales", 3, 3000.0),
        ("one", "support", 0, 2400.0),
        ("two", "sales", 3, 3000.0),
        ("two", "support", 0, 2400.0),
        ("three", "sales", 0, 3000.0),
        ("gone", "sales", 0, 18000.0),
    ]
