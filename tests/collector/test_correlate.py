"""Whose line it is: the state machine of one environment."""

from __future__ import annotations

import json
from time import process_time

from collector.correlate import Correlator
from collector.drafts import Invocation
from collector.event import LogEvent, Origin, Position
from collector.parsers import parse_message
from collector.parsers.facts import CallRecord
from core.telemetry import prompt_store_hit_line, prompt_store_miss_line, prompt_stored_line
from tests.support.log_lines import GROUP, STREAM, T0, cost, dressed, event_id, record, report, rid, start

NOW_MS = T0 + 3_600_000


def fed(*lines: tuple[int, str], stream: str = STREAM) -> Correlator:
    """Return a correlator that was fed (milliseconds after T0, line)."""
    correlator = Correlator()
    for place, (after, line) in enumerate(lines):
        told = event_id(T0 + after, place)
        event = LogEvent(Origin("1", "r", GROUP, stream), told, T0 + after, "logged", line, int(told))
        correlator.feed(event, parse_message(line).facts)
    return correlator


def settled(*lines: tuple[int, str], now_ms: int = NOW_MS) -> list[Invocation]:
    return fed(*lines).finish(now_ms, final=True)[0]


def shape(one: Invocation) -> tuple[str | None, list[str], list[str | None]]:
    """Return (request id, attribution of its lines, engines of its calls)."""
    return one.request_id, [d.attribution for d in (*one.stores, *one.calls)], [call.engine for call in one.calls]


def test_bare_lines_inherit_the_request_they_stand_in() -> None:
    """START opens, REPORT closes; the call's engine is that of the prompt-store line before it."""
    (one,) = settled(
        (0, start(rid(1))),
        (1, prompt_store_hit_line("sales")),
        (2, cost()),
        (3, report(rid(1), extra="Init Duration: 90.5 ms\t")),
    )

    assert shape(one) == (rid(1), ["positional", "positional"], ["sales"])
    assert one.report is not None and one.report.init_ms == 90.5
    assert (one.version, one.started, one.closed) == ("12", True, True)


def test_a_request_id_in_the_line_wins() -> None:
    """A line that names its request belongs to it, wherever it stands."""
    first, second = settled(
        (0, start(rid(1))), (1, dressed(cost(), T0, rid(2))), (2, report(rid(1))), (3, report(rid(2)))
    )

    assert (first.request_id, shape(second)) == (rid(1), (rid(2), ["explicit"], [None])) or (
        shape(first) == (rid(2), ["explicit"], [None])
    )


def test_lines_between_two_requests_belong_to_none() -> None:
    """What a frozen environment says after its REPORT is flagged, not guessed."""
    found = settled(
        (0, start(rid(1))), (1, report(rid(1))), (2_000, cost()), (4_000, start(rid(2))), (4_010, report(rid(2)))
    )

    gap = next(one for one in found if one.request_id is None)
    assert shape(gap) == (None, ["none"], [None])
    assert gap.calls[0].invocation_id is None


def test_lines_before_a_report_whose_start_was_not_seen_are_its_own() -> None:
    """Reading began in the middle of a request: its duration says when it began."""
    (one,) = settled((500, prompt_store_hit_line("faq")), (700, cost()), (812, report(rid(1), ms=812.0)))

    assert shape(one) == (rid(1), ["positional", "positional"], ["faq"])
    assert one.start_ms == T0


def test_a_start_without_report_is_open_until_it_can_no_longer_end() -> None:
    """Sixteen minutes after its START a request is over, whatever its log says."""
    correlator = fed((0, start(rid(1))), (1, cost()))
    closed, waiting = correlator.finish(T0 + 60_000, final=False)
    assert (closed, [one.request_id for one in waiting]) == ([], [rid(1)])

    correlator = fed((0, start(rid(1))), (1, cost()))
    closed, waiting = correlator.finish(T0 + 16 * 60_000 + 1, final=False)
    assert ([one.request_id for one in closed], waiting) == ([rid(1)], [])
    assert closed[0].report is None


def test_a_new_start_ends_the_request_before_it() -> None:
    """An environment serves one request at a time: a lost REPORT does not swallow the next request's lines."""
    first, second = settled(
        (0, start(rid(1))), (1, cost()), (900, start(rid(2))), (901, cost(given=11)), (950, report(rid(2)))
    )

    assert (first.request_id, first.report, len(first.calls)) == (rid(1), None, 1)
    assert (second.request_id, len(second.calls)) == (rid(2), 1)


def test_managed_instances_interleave_so_that_only_ids_count() -> None:
    """A JSON START while another request is open: bare lines belong to nobody from then on."""

    def platform(kind: str, name: str, **more: object) -> str:
        return json.dumps({"type": f"platform.{kind}", "record": {"requestId": name, "version": "3", **more}})

    found = settled(
        (0, platform("start", rid(1))), (1, platform("start", rid(2))), (2, cost()),
        (3, dressed(cost(given=7), T0, rid(1))), (9, platform("report", rid(1), metrics={"durationMs": 9.0})),
        (9, platform("report", rid(2), metrics={"durationMs": 8.0})),
    )  # fmt: skip

    calls = {one.request_id: [(d.attribution, d.fact.input_tokens) for d in one.calls] for one in found}  # type: ignore[union-attr]
    assert calls == {rid(1): [("explicit", 7)], rid(2): [], None: [("none", 10)]}


def test_record_and_text_line_of_one_call_are_one() -> None:
    """Equal tokens in the same request: the record stays, the line's dollars go with it."""
    (one,) = settled(
        (0, start(rid(1))), (1, record("msg_1", engine=None)), (2, cost(dollars="0.004200")),
        (3, cost(given=99)), (9, report(rid(1))),
    )  # fmt: skip

    paired, alone = one.calls
    assert paired.twin is not None
    assert (str(paired.twin.reported_cost_usd), paired.fact.call_id) == ("0.004200", "msg_1")  # type: ignore[union-attr]
    assert alone.twin is None


def test_two_equal_calls_are_two() -> None:
    """Each text line is the twin of one record only."""
    (one,) = settled(
        (0, start(rid(1))), *[(n, record(f"msg_{n}")) for n in (1, 2)], (3, cost()), (4, cost()), (9, report(rid(1)))
    )

    assert [draft.twin is not None for draft in one.calls] == [True, True]


def test_outside_a_request_twins_are_near_each_other() -> None:
    """Without START and REPORT, record and line pair up within five seconds only."""
    (near,) = settled((0, record("msg_1")), (40, cost()))
    assert len(near.calls) == 1

    (far,) = settled((0, record("msg_1")), (6_000, cost()))
    assert len(far.calls) == 2


def test_fetch_time_is_from_miss_to_stored() -> None:
    """The finer time inside the lines is used where they have one."""
    (one,) = settled(
        (0, start(rid(1))), (3, dressed(prompt_store_miss_line("a"), T0 + 1, rid(1))),
        (140, dressed(prompt_stored_line("a"), T0 + 138, rid(1))), (200, prompt_store_miss_line("b")),
        (900, report(rid(1))),
    )  # fmt: skip

    assert [(d.fact.kind, d.fact.engine, d.fetch_ms) for d in one.stores] == [
        ("miss", "a", 137.0), ("stored", "a", None), ("miss", "b", None)
    ]  # fmt: skip


def test_a_late_line_finds_the_request_of_its_time() -> None:
    """An event that became visible after the REPORT falls into the request that ran then."""
    correlator = fed((0, start(rid(1))), (900, report(rid(1))), (2_000, start(rid(2))), (2_900, report(rid(2))))
    late = LogEvent(Origin("1", "r", GROUP, STREAM), event_id(T0 + 400), T0 + 400, "logged", cost(), 0)
    correlator.feed(late, parse_message(late.message).facts)

    found = correlator.finish(NOW_MS, final=True)[0]

    draft = next(draft for one in found for draft in one.calls)
    assert (draft.invocation_id, draft.attribution) == (rid(1), "positional")


def test_a_suspected_redelivery_is_flagged_and_kept() -> None:
    """Same stream, time and text under an id of another delivery; two lines of one delivery are genuine."""
    correlator = Correlator()
    for put, place in ((7, 0), (7, 1), (8, 0)):
        told = event_id(T0, place, put)
        event = LogEvent(Origin("1", "r", GROUP, STREAM), told, T0, "logged", cost(), int(told))
        correlator.feed(event, parse_message(event.message).facts)

    (gap,) = correlator.finish(NOW_MS, final=True)[0]

    assert [draft.redelivery for draft in gap.calls] == [False, False, True]


def test_the_older_timeout_line_marks_its_request() -> None:
    """It comes after the REPORT, which did not say so."""
    (one,) = settled(
        (0, start(rid(1))),
        (3_000, report(rid(1))),
        (3_001, f"2026-11-20T00:00:03.001Z {rid(1)} Task timed out after 3.00 seconds"),
    )

    assert one.timed_out


def test_open_requests_hold_their_first_event() -> None:
    """The cursor must not pass the START of what is not settled."""
    correlator = fed((0, start(rid(1))), (5, report(rid(1))), (10, start(rid(2))), (11, cost()))

    assert [event.ts_ms for event in correlator.open_events()] == [T0 + 10]


def test_a_report_delivered_after_the_next_start_of_its_millisecond() -> None:
    """The two came in different deliveries: the request is told once, with its report and its calls."""
    found = settled(
        (0, start(rid(1))), (1, cost()), (9, start(rid(2))), (9, report(rid(1))), (10, cost(given=7)),
        (20, report(rid(2))),
    )  # fmt: skip

    told = {one.request_id: (one.report is not None, len(one.calls)) for one in found}
    assert told == {rid(1): (True, 1), rid(2): (True, 1)}
    assert len(found) == 2


def platform(kind: str, name: str, **more: object) -> str:
    return json.dumps({"type": f"platform.{kind}", "record": {"requestId": name, "version": "3", **more}})


def test_a_lost_report_does_not_make_a_managed_instance() -> None:
    """In a JSON log too, the next START ends a request; bare lines after it are the next one's."""
    ended = {"durationMs": 9.0, "billedDurationMs": 10}
    first, second = settled(
        (0, platform("start", rid(1))), (1, cost()), (50, platform("start", rid(2))), (51, cost(given=7)),
        (60, platform("report", rid(2), metrics=ended)),
    )  # fmt: skip

    assert (first.report, first.end_ms, len(first.calls)) == (None, T0 + 50, 1)
    assert shape(second) == (rid(2), ["positional"], [None])


def test_a_report_without_its_start_ends_the_request_before_it() -> None:
    """Its duration says when it began: bare lines since then are its own, not those of the one still open."""
    first, second = settled((0, start(rid(1))), (1, cost()), (500, cost(given=7)), (812, report(rid(2), ms=400.0)))

    assert (first.request_id, [draft.fact.input_tokens for draft in first.calls]) == (rid(1), [10])  # type: ignore[union-attr]
    assert [(draft.fact.input_tokens, draft.invocation_id) for draft in second.calls] == [(7, rid(2))]  # type: ignore[union-attr]


def test_a_cut_window_does_not_part_a_record_from_its_line() -> None:
    """START is out of sight: the record names its request, the bare line does not, and yet they are one call."""
    found = settled((5, record("msg_1", request_id=rid(1))), (6, cost()))

    calls = [draft for one in found for draft in one.calls]
    assert [draft.twin is not None for draft in calls] == [True]
    assert [len(draft.absorbed) for draft in calls] == [1]


def with_copies(*lines: tuple[int, str, int]) -> list[Invocation]:
    """Return what is settled of (milliseconds after T0, line, delivery)."""
    correlator = Correlator()
    for place, (after, line, put) in enumerate(lines):
        told = event_id(T0 + after, place, put)
        event = LogEvent(Origin("1", "r", GROUP, STREAM), told, T0 + after, "logged", line, int(told))
        correlator.feed(event, parse_message(line).facts)
    return correlator.finish(NOW_MS, final=True)[0]


def test_a_record_told_twice_is_one_call_and_its_line_s_copy_goes_with_it() -> None:
    """Record and line delivered, and delivered again: one call, counted once."""
    both = [record("msg_1"), cost()]
    (one,) = with_copies(
        (0, start(rid(1)), 7),
        *[(5, line, 7) for line in both],
        *[(5, line, 8) for line in both],
        (9, report(rid(1)), 7),
    )

    assert (one.call_count, len(one.calls), len(one.calls[0].absorbed)) == (1, 1, 2)


def test_a_copy_belongs_where_its_line_belongs() -> None:
    """Delivered after another engine's line of the same millisecond, it still names the engine of its original."""
    (one,) = with_copies(
        (0, start(rid(1)), 7), (4, prompt_store_hit_line("a"), 7), (5, cost(), 7), (5, prompt_store_hit_line("b"), 7),
        (5, cost(), 8), (9, report(rid(1)), 7),
    )  # fmt: skip

    assert [(draft.engine, draft.redelivery) for draft in one.calls] == [("a", False), ("a", True)]
    assert one.call_count == 1


def test_a_copied_miss_does_not_take_its_original_s_fetch_time() -> None:
    """The time until the prompt was stored belongs to the miss, not to its copy."""
    (one,) = with_copies(
        (0, start(rid(1)), 7), (3, prompt_store_miss_line("a"), 7), (3, prompt_store_miss_line("a"), 8),
        (140, prompt_stored_line("a"), 7), (200, report(rid(1)), 7),
    )  # fmt: skip

    assert [(draft.redelivery, draft.fetch_ms) for draft in one.stores] == [(False, 137.0), (True, None), (False, None)]


def test_a_stream_that_is_never_quiet_is_told_as_it_goes() -> None:
    """Without START and REPORT lines nothing can claim a line after fifteen seconds."""
    correlator = fed(*[(n * 5_000, cost(given=n + 1)) for n in range(10)])

    told = [draft.fact.input_tokens for one in correlator.take_settled() for draft in one.calls]  # type: ignore[union-attr]
    held = min(event.ts_ms for event in correlator.open_events())

    assert told == [1, 2, 3, 4, 5, 6, 7]
    assert held == T0 + 35_000


def test_what_is_outside_any_request_is_joined_in_time_that_grows_with_its_number() -> None:
    """A service that is no Lambda writes all its records and cost lines into one gap; they may all be of one moment."""
    correlator, origin, count = Correlator(), Origin(log_stream="service.log"), 4_000
    told = [record(f"msg_{number}", given=number + 1) for number in range(count)]
    told += [cost(given=number + 1) for number in reversed(range(count))]
    for place, line in enumerate(told):
        event = LogEvent(origin, None, T0, "logged", line, place, Position("f", place))
        correlator.feed(event, parse_message(line).facts)

    began = process_time()
    ended, _ = correlator.finish(NOW_MS, final=True)
    took_s = process_time() - began

    calls = [call for one in ended for call in one.calls]
    assert len(calls) == count
    assert all(isinstance(call.fact, CallRecord) and call.twin is not None for call in calls)
    assert took_s < 1  # 0.02 s; where every line is compared with every record, several seconds


def test_twins_in_two_batches_of_a_crowded_gap_are_one_call() -> None:
    """A service that is no Lambda logs thousands of calls outside any request; a batch may end between two twins."""
    lines = [
        (number, line)
        for number in range(2_500)
        for line in (cost(given=number, read=0), record(f"msg_{number}", ms=T0, given=number, read=0))
    ]
    first, second = fed(*lines[:4_401]), lines[4_401:]
    told = first.take_settled()
    for place, (after, line) in enumerate(second, len(lines)):
        event = LogEvent(Origin("1", "r", GROUP, STREAM), None, T0 + after, "logged", line, place, Position("f", place))
        first.feed(event, parse_message(line).facts)
    told += first.finish(NOW_MS, final=True)[0]

    calls = [call for one in told for call in one.calls]
    assert len(calls) == 2_500
    assert all(call.twin is not None for call in calls)


def test_a_gap_whose_last_line_went_to_an_earlier_record_is_settled() -> None:
    """A cost line just inside the time to wait is joined with a record just before it: nothing is left to wait."""
    correlator = fed((0, record("msg_1", ms=T0, given=1)), (2_000, cost(given=1)), (15_500, "START of nothing"))
    correlator.newest_ms = T0 + 15_500

    (gap,) = correlator.take_settled()

    assert [call.twin is not None for call in gap.calls] == [True]
    assert list(correlator.open_events()) == []
