"""CloudWatch: pages as AWS really gives them, the cursor, and every way AWS says no."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from collector.pipeline import Collector
from collector.sources.cloudwatch import MARGIN_MS, CloudWatchSource, _Scan
from collector.sources.pace import BURST, Pace
from core.errors import CachewiseError, FixSettings, TryAgain
from core.pricing import default_book
from core.settings import SourceSettings
from core.store.lake import Lake
from tests.support.collecting import DEFAULTS, rows
from tests.support.log_lines import GROUP, STREAM, T0, cost, event_id, invocation, record, report, rid, start
from tests.support.moto_logs import CREDENTIALS, REGION

NOW_MS = T0 + 3_600_000
ANSWER = {"id": "msg_r", "type": "message", "role": "assistant", "model": "claude-opus-4-5", "content": [],
          "stop_reason": "end_turn", "stop_sequence": None,
          "usage": {"input_tokens": 12, "output_tokens": 3, "cache_read_input_tokens": 70}}  # fmt: skip
CONVERSED = {"output": {"message": {"role": "assistant", "content": []}}, "stopReason": "end_turn",
             "usage": {"inputTokens": 12, "outputTokens": 3, "totalTokens": 15, "cacheReadInputTokens": 70},
             "metrics": {"latencyMs": 302}}  # fmt: skip


def settings(**more: Any) -> SourceSettings:
    values: dict[str, Any] = {
        "name": "it",
        "kind": "cloudwatch",
        "log_group": GROUP,
        "region": REGION,
        "since_days": 0.2,
    }
    return SourceSettings(**{**values, **more})


class Pages:
    """A FilterLogEvents that gives events by time, in pages of a few, some of them empty."""

    def __init__(self, *, size: int = 3, empty_every: int = 2) -> None:
        self.events: list[dict[str, Any]] = []
        self.asked: list[dict[str, Any]] = []
        self.size, self.empty_every = size, empty_every
        self.fault: Callable[[int], Exception | None] = lambda number: None
        self.meta = type("Meta", (), {"endpoint_url": "http://fake"})()

    def add(self, events: list[tuple[int, str]], *, put: int = 7, ingested: int | None = None) -> None:
        for place, (ms, line) in enumerate(events):
            told = {
                "logStreamName": STREAM,
                "timestamp": ms,
                "message": f"{line}\n",
                "eventId": event_id(ms, place, put),
            }
            self.events.append({**told, "ingestionTime": ingested or ms + 900})

    def filter_log_events(self, **asked: Any) -> dict[str, Any]:
        self.asked.append(asked)
        fault = self.fault(len(self.asked))
        if fault:
            raise fault
        inside = [e for e in self.events if asked["startTime"] <= e["timestamp"] <= asked["endTime"]]
        found = sorted(inside, key=lambda e: e["eventId"])
        at, number = map(int, asked.get("nextToken", "0:0").split(":"))
        size = 0 if self.empty_every and number % self.empty_every == 1 else self.size
        page: dict[str, Any] = {"events": found[at : at + size], "ResponseMetadata": {"RetryAttempts": 1}}
        if at + size < len(found):
            page["nextToken"] = f"{at + size}:{number + 1}"
        return page


def run(pages: Pages, lake: Lake, *, now_ms: int = NOW_MS, final: bool = True, **more: Any):
    source = CloudWatchSource(settings(**more), client=pages, sleep=lambda seconds: None)  # type: ignore[arg-type]
    moment = datetime.fromtimestamp(now_ms / 1000, UTC)
    return Collector(source, lake, default_book(), defaults=DEFAULTS, clock=lambda: moment).run_pass(final=final)


def test_empty_and_partial_pages_are_read_to_the_last_token(lake: Lake) -> None:
    """A page without events is not the end: only a missing token is."""
    pages = Pages()
    pages.add([line for number in range(5) for line in invocation(number)])

    result = run(pages, lake)

    assert (result.lines_read, result.new_calls, result.status) == (30, 5, "done")
    assert (result.requests, result.retries) == (len(pages.asked), len(pages.asked))


def test_the_first_pass_goes_back_since_days_in_one_window(lake: Lake) -> None:
    """One query from page to page: a query for each hour would end each with a page that is not full."""
    pages = Pages(empty_every=0, size=4)
    pages.add([line for number in range(5) for line in invocation(number)])

    result = run(pages, lake, since_days=1)

    assert {asked["startTime"] for asked in pages.asked} == {NOW_MS - 86_400_000}
    assert result.requests == len(pages.asked) == 8  # 30 events on pages of 4


def test_a_long_first_read_is_committed_on_the_way(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """It fails after some pages: what they told is stored, and the next pass reads on from there."""
    monkeypatch.setattr("collector.sources.cloudwatch.COMMIT_PAGES", 2)
    monkeypatch.setattr("collector.sources.log_pages.ATTEMPTS", 1)
    pages = Pages(empty_every=0, size=6)
    pages.fault = lambda number: ConnectionResetError() if number == 5 else None
    for number in range(5):
        pages.add(invocation(number, ms=NOW_MS - 20 * 3_600_000 + number * 3_600_000))
    broken = run(pages, lake, since_days=1)
    stored = len(rows(lake, "calls"))
    pages.asked.clear()
    pages.fault = lambda number: None
    mended = run(pages, lake, since_days=1)

    assert (broken.status, stored, mended.status) == ("failed", 4, "done")
    assert pages.asked[0]["startTime"] >= NOW_MS - 18 * 3_600_000
    assert len(rows(lake, "calls")) == len(rows(lake, "invocations")) == 5


def test_the_next_page_is_fetched_while_one_is_worked_on(lake: Lake) -> None:
    """When a batch is handed over, the page after it has been asked for already."""
    pages = Pages(empty_every=0, size=6)
    pages.add([line for number in range(3) for line in invocation(number)])
    second = threading.Event()
    pages.fault = lambda number: second.set() if number == 2 else None
    source = CloudWatchSource(settings(), client=pages, sleep=lambda seconds: None)  # type: ignore[arg-type]
    whole = source._window(_Scan(0, NOW_MS - 3_600_000, NOW_MS, None, whole=True), NOW_MS, None, NOW_MS)
    next(whole)

    assert second.wait(10)
    whole.close()
    assert [asked.get("nextToken") for asked in pages.asked] == [None, "6:1"]


def test_every_pass_reads_the_overlap_again(lake: Lake) -> None:
    """The next window begins overlap_s before the start of the last complete pass, and a margin for context."""
    pages = Pages()
    run(pages, lake, overlap_s=300)
    pages.asked.clear()

    run(pages, lake, overlap_s=300, now_ms=NOW_MS + 60_000)

    assert pages.asked[0]["startTime"] == NOW_MS - 300_000 - MARGIN_MS
    assert pages.asked[0]["endTime"] == NOW_MS + 60_000


def test_an_event_that_became_visible_late_is_read_and_counted(lake: Lake) -> None:
    """Delivered after a pass had gone by its time: the overlap catches it."""
    pages = Pages()
    run(pages, lake)
    pages.add(invocation(0, ms=NOW_MS - 100_000), ingested=NOW_MS + 30_000)

    result = run(pages, lake, now_ms=NOW_MS + 60_000)

    assert (result.new_calls, result.late_events, result.max_lateness_ms) == (1, 6, 130_000)


def test_a_window_that_cuts_a_call_in_two_does_not_double_it(lake: Lake) -> None:
    """The record falls before the window, its text line inside: the line alone must not become a second call."""
    edge = NOW_MS - 600_000
    pages = Pages(empty_every=0, size=100)
    pages.add([(edge - 5, start(rid(1))), (edge - 1, record("msg_1")), (edge + 1, cost()), (edge + 9, report(rid(1)))])
    first = run(pages, lake)
    second = run(pages, lake, now_ms=NOW_MS + 1)

    assert (first.new_calls, second.new_calls, len(rows(lake, "calls"))) == (1, 0, 1)


def test_a_failed_pass_keeps_the_cursor_and_what_it_committed(lake: Lake) -> None:
    """The error is a result with a code and a mend; the next pass starts where this one did."""
    pages = Pages(size=2)
    pages.add([line for number in range(5) for line in invocation(number)])
    run(pages, lake, now_ms=NOW_MS - 1_000_000)
    pages.asked.clear()
    pages.fault = lambda number: ConnectionError("gone")
    failed = run(pages, lake)
    start_ms = pages.asked[0]["startTime"]
    pages.asked.clear()
    pages.fault = lambda number: None
    mended = run(pages, lake, now_ms=NOW_MS + 1)

    assert (failed.status, failed.problems[0].code) == ("failed", "COL-503")
    assert pages.asked[0]["startTime"] == start_ms
    assert mended.status == "done"
    assert [row["status"] for row in rows(lake, "ingest_passes")][-2:] == ["failed", "done"]
    assert rows(lake, "ingest_passes")[-2]["error_code"] == "COL-503"


def test_a_token_that_never_ends_is_a_fault(lake: Lake) -> None:
    """The same token again and again: a bounded number of times, then an error that loses nothing."""
    pages = Pages()
    pages.filter_log_events = lambda **asked: {"events": [], "nextToken": "same"}  # type: ignore[method-assign]

    result = run(pages, lake)

    assert (result.status, result.problems[0].code) == ("failed", "COL-508")


def test_requests_keep_to_the_pace_of_their_account(lake: Lake) -> None:
    """Two requests a second, after a few at once, leave most of the account's quota to people."""
    clock_s = 0.0

    def sleep(seconds: float) -> None:
        nonlocal clock_s
        clock_s += seconds

    pages = Pages(size=1)
    pages.add([line for number in range(2) for line in invocation(number, ms=NOW_MS - 60_000 + number)])
    pace = Pace(2.0, clock=lambda: clock_s, sleep=sleep)
    source = CloudWatchSource(settings(), client=pages, pace=pace)  # type: ignore[arg-type]

    list(source.read(None, datetime.fromtimestamp(NOW_MS / 1000, UTC)))

    assert clock_s == (len(pages.asked) - BURST) / 2


class Refusing(BaseHTTPRequestHandler):
    """Answers every request with one AWS error."""

    code = ""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = json.dumps({"__type": self.code, "message": "no"}).encode()
        self.send_response(400)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def refusing(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], str]]:
    """An endpoint that refuses with a given AWS error code."""
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    servers: list[HTTPServer] = []

    def answer(code: str) -> str:
        server = HTTPServer(("127.0.0.1", 0), type("Handler", (Refusing,), {"code": code}))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield answer
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("aws_code", "kind", "code", "mend"),
    [
        ("ExpiredTokenException", FixSettings, "COL-402", "aws sso login"),
        ("AccessDeniedException", FixSettings, "COL-403", "logs:FilterLogEvents"),
        ("ResourceNotFoundException", FixSettings, "COL-404", "log_group and region"),
        ("UnrecognizedClientException", FixSettings, "COL-401", "access key"),
        ("InvalidParameterException", TryAgain, "COL-500", "Nothing is lost"),
    ],
)
def test_what_aws_refuses_is_one_line_with_its_mend(
    refusing: Callable[[str], str], lake: Lake, aws_code: str, kind: type[CachewiseError], code: str, mend: str
) -> None:
    """Real boto3 against an endpoint that refuses: who must do what, in one line, without any secret."""
    source = CloudWatchSource(settings(endpoint_url=refusing(aws_code)))

    result = Collector(source, lake, default_book()).run_pass()

    (problem,) = result.problems
    assert (type(problem), problem.code, result.status) == (kind, code, "failed")
    assert mend in problem.mend
    assert GROUP in problem.message
    assert "\n" not in str(problem) and "testing" not in str(problem)


def test_throttling_is_told_as_such(
    refusing: Callable[[str], str], lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the client's own retries, the pass ends; the next one reads on."""
    monkeypatch.setattr("collector.sources.log_pages.ATTEMPTS", 1)
    source = CloudWatchSource(settings(endpoint_url=refusing("ThrottlingException")))

    result = Collector(source, lake, default_book()).run_pass()

    assert [(type(p), p.code) for p in result.problems] == [(TryAgain, "COL-429")]


def test_without_credentials_nothing_is_asked(lake: Lake, monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    """The message says which variables or roles would do."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")

    result = Collector(CloudWatchSource(settings()), lake, default_book()).run_pass()

    assert [p.code for p in result.problems] == ["COL-401"]
    assert "AWS_PROFILE" in result.problems[0].mend


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"endpoint_url": "http://127.0.0.1:9"}, "COL-503"),
        ({"endpoint_url": "not a url"}, "COL-406"),
        ({"region": None}, "COL-405"),
    ],
)
def test_an_endpoint_that_is_not_there_is_told(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, more: dict[str, Any], code: str
) -> None:
    """Unreachable, malformed, or no region to find it in."""
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.setattr("collector.sources.log_pages.ATTEMPTS", 1)

    result = Collector(CloudWatchSource(settings(**more)), lake, default_book()).run_pass()

    assert [p.code for p in result.problems] == [code]


def test_a_failing_source_says_so_once_a_minute_while_followed(lake: Lake) -> None:
    """A broken source does not fill ingest_passes."""
    pages = Pages()
    pages.fault = lambda number: ConnectionError("gone")
    source = CloudWatchSource(settings(), client=pages, sleep=lambda seconds: None)  # type: ignore[arg-type]
    moment = datetime.fromtimestamp(NOW_MS / 1000, UTC)
    following = Collector(source, lake, default_book(), clock=lambda: moment)

    results = [following.run_pass(final=False) for _ in range(3)]

    assert [one.status for one in results] == ["failed"] * 3
    assert len(rows(lake, "ingest_passes")) == 1


def test_following_a_log_with_lines_of_the_application_is_quiet_too(lake: Lake) -> None:
    """What the overlap tells again is not new, whatever kind of line it is."""
    pages = Pages(empty_every=0, size=100)
    pages.add(invocation(0, ms=NOW_MS - 120_000))
    source = CloudWatchSource(settings(), client=pages, sleep=lambda seconds: None)  # type: ignore[arg-type]
    moment = datetime.fromtimestamp(NOW_MS / 1000, UTC)
    following = Collector(source, lake, default_book(), defaults=DEFAULTS, clock=lambda: moment)
    following.run_pass(final=False)
    written = len(rows(lake, "ingest_passes"))

    lines = [following.run_pass(final=False).lines_read for _ in range(3)]

    assert lines == [0, 0, 0]
    assert len(rows(lake, "ingest_passes")) == written


def test_a_page_told_twice_is_counted_once(lake: Lake) -> None:
    """A record and its text line, both on a page that comes again: one call, told by the record."""
    pages = Pages(empty_every=0, size=100)
    pages.add([(NOW_MS - 50, start(rid(1))), (NOW_MS - 40, record("msg_1")), (NOW_MS - 39, cost())])
    ask = pages.filter_log_events

    def twice(**asked: Any) -> dict[str, Any]:
        page = ask(**{**asked, "nextToken": "0:0"})
        return page if asked.get("nextToken") else {**page, "nextToken": "again"}

    pages.filter_log_events = twice  # type: ignore[method-assign]
    result = run(pages, lake)

    assert (result.lines_read, [row["told_by"] for row in rows(lake, "calls")]) == (3, ["record"])


def test_the_last_quiet_slice_of_a_long_first_read_is_written_down(lake: Lake) -> None:
    """Else the next process would read the whole day again."""
    run(Pages(), lake, since_days=1)

    last = lake.last_pass("it")
    assert last is not None and json.loads(last["cursor_json"])["hw"] == NOW_MS
    assert last["status"] == "done"


@pytest.mark.parametrize(
    "what", [json.loads(record("msg_1")), ANSWER, CONVERSED], ids=["record", "answer", "of Bedrock's Converse"]
)
def test_a_call_logged_over_several_lines_is_never_silently_none(lake: Lake, what: dict[str, Any]) -> None:
    """Python's print makes an event of each line: no figure is made of them, but each call is skipped, and shown."""
    pages = Pages()
    for number in range(3):
        lines = json.dumps(what, indent=2).split("\n")
        pages.add([(T0 + number * 60_000 + at, line) for at, line in enumerate(lines)])

    first, again = run(pages, lake), run(pages, lake, now_ms=NOW_MS + 60_000)

    assert (first.new_calls, first.to_json()["skipped_by_reason"]) == (0, {"unknown_form": 3})
    assert first.lines_read == 3 * len(lines) and STREAM in str(first.examples["unknown_form"]["at"])
    assert (again.lines_read, again.lines_skipped) == (0, 0)
