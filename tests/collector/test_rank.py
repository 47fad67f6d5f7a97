"""What is told with more in sight outranks what is told with less."""

from __future__ import annotations

from collector.correlate import Correlator
from collector.drafts import Invocation
from collector.event import LogEvent, Origin
from collector.parsers import parse_message
from collector.rank import RECORD_LEDGER, TEXT_LEDGER, draft_rank, invocation_rank
from core.telemetry import prompt_store_hit_line
from tests.support.log_lines import GROUP, STREAM, T0, cost, event_id, report, rid, start

Line = tuple[int, str]
START: Line = (0, start(rid(1)))
HIT: Line = (1, prompt_store_hit_line("sales"))
CALL: Line = (2, cost())
END: Line = (9, report(rid(1)))
NEXT: Line = (50, start(rid(2)))
LATER: Line = (90, start(rid(3)))


def told(*lines: Line) -> Invocation:
    """Return the invocation that holds the call, read with these lines in sight."""
    correlator = Correlator()
    for place, (after, line) in enumerate(lines):
        name = event_id(T0 + after, place)
        event = LogEvent(Origin("1", "r", GROUP, STREAM), name, T0 + after, "logged", line, int(name))
        correlator.feed(event, parse_message(line).facts)
    found = correlator.finish(T0 + 3_600_000, final=True)[0]
    return next(one for one in found if one.calls)


def call_rank(*lines: Line) -> int:
    one = told(*lines)
    return draft_rank(one.calls[0], one, TEXT_LEDGER)


def test_a_line_s_rank_grows_with_what_is_in_sight_around_it() -> None:
    """Nobody's; of a request that began; that ended by the next; that reported; with its engine."""
    ranks = [
        call_rank(CALL),
        call_rank(HIT, CALL),
        call_rank(START, CALL),
        call_rank(START, CALL, NEXT),
        call_rank(START, CALL, END),
        call_rank(START, HIT, CALL, END),
    ]

    assert ranks == sorted(set(ranks))


def test_a_nearer_end_outranks_more_lines() -> None:
    """While the next START was out of sight, its request's lines were taken for this one's."""
    other: Line = (60, cost(given=7))
    taken_for_its_own = told(START, CALL, other, LATER)
    as_it_was = told(START, CALL, NEXT, other, LATER)

    assert taken_for_its_own.lines > as_it_was.lines
    assert invocation_rank(taken_for_its_own) < invocation_rank(as_it_was)


def test_a_copy_in_sight_outranks_everything_that_did_not_see_it() -> None:
    """Once an earlier copy is visible the later one is a suspect, and stays one."""
    one = told(START, HIT, CALL, END)
    whole = draft_rank(one.calls[0], one, TEXT_LEDGER)
    alone = told(CALL)
    alone.calls[0].redelivery = True

    assert draft_rank(alone.calls[0], alone, TEXT_LEDGER) > whole


def test_a_record_outranks_any_line() -> None:
    """Whatever is in sight of either."""
    one = told(START, HIT, CALL, END)
    alone = told(CALL)

    assert draft_rank(alone.calls[0], alone, RECORD_LEDGER) > draft_rank(one.calls[0], one, TEXT_LEDGER)
