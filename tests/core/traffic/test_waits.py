"""How long calls waited for their first token, where only others tell."""

from __future__ import annotations

from random import Random

import pytest

from core.traffic.waits import DEFAULT_MS
from tests.support.rows import Row
from tests.support.traffic import at, idle, reads, text, traffic_of, writes


def waits_of(rows: list[Row]) -> list[int]:
    calls = traffic_of(rows)
    return (calls.begin_ms - calls.start_ms).tolist()


def test_bursts_tell_the_wait() -> None:
    """The last call that wrote and the first that read enclose the moment at which the first answer began."""
    rows = []
    for n in range(6):
        burst = at(minutes=10 * n)
        rows += [(burst, "w"), (burst.replace(microsecond=600_000), "w"), (burst.replace(microsecond=900_000), "r")]

    assert waits_of([text((writes if kind == "w" else reads)(ts)) for ts, kind in rows])[0] == 750


def test_untold_waits_are_the_model_s_usual_ones() -> None:
    """The median of what records tell; a default where nobody does."""
    rows = [reads(at(hours=0), ttft_ms=300.0), reads(at(hours=1), ttft_ms=500.0), reads(at(hours=2), ttft_ms=None)]
    rows += [idle(at(hours=3), model="claude-haiku-4-5", ttft_ms=None, latency_ms=None)]

    assert waits_of(rows) == [300, 500, 400, DEFAULT_MS]


def test_durations_tell_the_wait() -> None:
    """What does not grow with the answer is the wait; a prompt that was written takes longer than one that was read."""
    rng, rows = Random(1), []
    for n in range(200):
        output, wrote = rng.randint(50, 500), n % 10 == 0
        took = (900 if wrote else 500) + 12 * output + rng.randint(-9, 9)
        call = (writes if wrote else reads)(at(minutes=n), output_tokens=output)
        rows.append(text(call) | {"latency_ms": float(took)})

    waits = waits_of(rows)

    assert waits[0] == pytest.approx(900, abs=10)
    assert waits[1] == pytest.approx(500, abs=10)


@pytest.mark.parametrize(
    ("second", "first_read", "expected"), [(600, 900, 900), (1_700, 2_000, 1_701), (700, 1_600, 1_500)]
)
def test_what_the_next_calls_found_bounds_a_guess(second: int, first_read: int, expected: int) -> None:
    """The answer had not begun when another wrote, and had when one read; within that the guess stands."""
    rows = [text(writes(at())), text(writes(at(milliseconds=second))), text(reads(at(milliseconds=first_read)))]

    assert waits_of(rows)[0] == expected


def test_a_prefix_that_changes_each_time_bounds_nothing() -> None:
    """Writes that nobody ever reads say nothing about when their answers began."""
    assert waits_of([text(writes(at(seconds=n))) for n in range(9)]) == [DEFAULT_MS] * 9


def test_a_told_wait_stands() -> None:
    """Whatever others found."""
    assert waits_of([writes(at()), writes(at(milliseconds=300)), reads(at(milliseconds=500))])[0] == 900
