"""`cachewise report --schedule`: to a folder, a bucket and a webhook, once a period, and again after a failure."""

import csv
import io
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from cli import run as run_verb
from cli import scheduled
from cli.main import main
from core import settings
from core.pricing import default_book
from core.report_settings import ReportRule, destination
from core.reports import schedule
from core.reports.periods import last_complete
from core.store.lake import Lake
from tests.support import moto_s3
from tests.support.lakes import fill
from tests.support.moto_logs import CREDENTIALS
from tests.support.receiver import Receiver, receiving
from tests.support.rows import make_call, make_pass

WEEK = last_complete("weekly", "UTC", datetime.now(UTC))
NAME = f"cachewise-{WEEK.first}-{WEEK.end_day}"


@pytest.fixture(autouse=True)
def _tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("CACHEWISE_CONFIG", "CACHEWISE_DEMO", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CACHEWISE_STORE_PATH", str(tmp_path / "data"))
    now = datetime.now(UTC)
    fill(
        tmp_path / "data" / "tables",
        calls=[
            make_call(ts=WEEK.start + timedelta(hours=3), cache_read_tokens=9000, output_tokens=2000),
            make_call(ts=WEEK.before().start + timedelta(hours=3), output_tokens=4000),
            make_call(ts=WEEK.end + timedelta(minutes=1)),
        ],
        ingest_passes=[make_pass(ts=now, complete_until=now)],
    )


def run(*args: str) -> int:
    """Run the command and return its exit code."""
    with pytest.raises(SystemExit) as ended:
        main(["report", *args])
    assert isinstance(ended.value.code, int)
    return ended.value.code


def deliveries() -> list[dict[str, object]]:
    """What is marked as delivered."""
    return Lake(Path("data") / "tables").read("deliveries").to_pylist()


def test_a_folder_gets_the_files_and_the_summary_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The week and nothing else; a second run writes nothing, --again does."""
    asked = ("--schedule", "weekly", "--to", "out", "--format", "csv,parquet")
    assert run(*asked) == 0
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    text = (tmp_path / "out" / f"{NAME}.csv").read_text(encoding="utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text)))
    told = json.loads((tmp_path / "out" / f"{NAME}-summary.json").read_text())
    (tmp_path / "out" / f"{NAME}.csv").unlink()

    assert names == [f"{NAME}-summary.json", f"{NAME}.csv", f"{NAME}.parquet"]
    assert [row["calls [count]"] for row in rows] == ["1", "1"]
    cost = next(delta for delta in told["deltas"] if delta["metric"] == "cost_usd")
    assert Decimal(cost["now"]) == Decimal(rows[-1]["cost_usd [USD]"])
    assert cost["change"] < 0
    assert told["sentence"].startswith("Caching saved $")
    assert told["complete"]

    assert run(*asked) == 0
    assert "was delivered" in capsys.readouterr().out
    assert not (tmp_path / "out" / f"{NAME}.csv").exists()
    assert run(*asked, "--again") == 0
    assert (tmp_path / "out" / f"{NAME}.csv").exists()
    assert len(deliveries()) == 2


def test_a_webhook_gets_the_sentence_and_the_deltas(capsys: pytest.CaptureFixture[str]) -> None:
    """As Slack reads it, in Korean when asked; the URL is in no output and no table."""
    with receiving() as receiver:
        assert run("--schedule", "weekly", "--to", receiver.url, "--lang", "ko", "--json") == 0
    (message,) = receiver.got
    told = json.loads(capsys.readouterr().out)["reports"][0]

    assert "주간 리포트" in message["text"]
    assert "순절감" in message["text"]
    assert "직전 기간" in message["text"]
    assert message["cachewise"] == told["summary"]
    assert told["status"] == "delivered"
    assert "secret-token" not in json.dumps(told) + str(deliveries())


def test_a_bucket_gets_the_files(moto_address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Below its prefix, the summary last."""
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto_address)
    s3 = moto_s3.bucket(moto_address, "reports-of-bodo")
    assert run("--schedule", "weekly", "--to", "s3://reports-of-bodo/weekly/") == 0
    listed = s3.list_objects_v2(Bucket="reports-of-bodo")["Contents"]
    body = s3.get_object(Bucket="reports-of-bodo", Key=f"weekly/{NAME}.csv")["Body"].read()

    assert sorted(item["Key"] for item in listed) == [f"weekly/{NAME}-summary.json", f"weekly/{NAME}.csv"]
    assert body.startswith(b"\xef\xbb\xbfday,")
    assert deliveries()[0]["destination"] == "s3://reports-of-bodo/weekly/"


def test_a_bucket_that_is_not_there_is_told(
    moto_address: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With its name and what to check; nothing is marked."""
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto_address)
    assert run("--schedule", "weekly", "--to", "s3://nobodys-bucket/x") == 1
    out, err = capsys.readouterr()

    assert (out, err.count("\n")) == ("", 1)
    assert "REP-403" in err
    assert "nobodys-bucket" in err
    assert deliveries() == []


def test_what_failed_is_tried_again_next_time(capsys: pytest.CaptureFixture[str]) -> None:
    """A webhook that refuses: one clear line, exit code 1, nothing marked; the next run delivers."""
    with receiving() as receiver:
        receiver.answers = [404]
        assert run("--schedule", "weekly", "--to", receiver.url) == 1
        err = capsys.readouterr().err
        assert deliveries() == []
        assert run("--schedule", "weekly", "--to", receiver.url) == 0

    assert "ALR-404" in err
    assert "secret-token" not in err
    assert len(receiver.got) == len(deliveries()) == 1


def test_two_at_once_deliver_once() -> None:
    """Cron and `cachewise run` at the same minute: the second waits for the first, and finds it done."""
    with receiving() as receiver:
        to = destination(receiver.url)
        assert to is not None
        rule = ReportRule("team", "weekly", to)
        lake, now = Lake(Path("data") / "tables"), datetime.now(UTC)
        with ThreadPoolExecutor(2) as both:
            done = list(both.map(lambda _: schedule.run(lake, default_book(), rule, now=now), range(2)))

    assert sorted(one.status for one in done) == ["already", "delivered"]
    assert len(receiver.got) == 1


CONFIG = """
[[reports]]
name = "finance"
schedule = "weekly"
formats = ["csv"]
to = "finance"
by = ["engine"]

[[reports]]
name = "team"
schedule = "weekly"
to_env = "TEAM_WEBHOOK"
"""


@pytest.fixture
def receiver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Receiver:
    """A team's webhook, which the settings name by variable."""
    (tmp_path / "cachewise.toml").write_text(CONFIG)
    with receiving() as running:
        monkeypatch.setenv("TEAM_WEBHOOK", running.url)
        yield running


def test_configured_reports_need_no_more_than_their_schedule(
    receiver: Receiver, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each goes its way, and one that fails does not keep the other back."""
    (tmp_path / "finance").write_text("a file where the folder should be")
    assert run("--schedule", "weekly", "--json") == 1
    out, err = capsys.readouterr()
    (tmp_path / "finance").unlink()
    assert run("--schedule", "weekly") == 0

    assert [one["status"] for one in json.loads(out)["reports"]] == ["failed", "delivered"]
    assert "REP-007" in err
    assert (tmp_path / "finance" / f"{NAME}.csv").exists()
    assert len(receiver.got) == 1


def test_they_are_delivered_by_themselves_when_due(
    receiver: Receiver, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Once data is complete or waited for; a failure is said once and tried in every round until it arrives."""
    (tmp_path / "finance").write_text("in the way")
    configured = settings.load()
    clock = [WEEK.end - timedelta(seconds=1)]
    watch = scheduled.ReportWatch(configured, now=lambda: clock[0])
    watch.tick()  # the week before: due as well, as nobody has delivered it
    clock[0] = WEEK.end + timedelta(minutes=1)
    watch.tick()
    watch.tick()
    (tmp_path / "finance").unlink()
    watch.tick()
    watch.tick()

    assert len(receiver.got) == 2
    assert capsys.readouterr().err.count("REP-007") == 1
    assert sorted(row["report"] for row in deliveries()) == ["finance", "team", "team"]


def test_it_waits_for_data_but_not_for_ever(receiver: Receiver, tmp_path: Path) -> None:
    """Sources that are behind hold a report back for six hours; then it goes out and says so."""
    lake = Lake(tmp_path / "late" / "tables")
    early = WEEK.end - timedelta(hours=1)
    fill(
        lake.path,
        calls=[make_call(ts=WEEK.start)],
        ingest_passes=[make_pass(ts=early, complete_until=early)],
    )
    configured = settings.load({"CACHEWISE_STORE_PATH": str(tmp_path / "late"), "TEAM_WEBHOOK": receiver.url})
    clock = [WEEK.end + timedelta(hours=1)]
    watch = scheduled.ReportWatch(configured, now=lambda: clock[0])
    watch.tick()
    waited = len(receiver.got)
    clock[0] = WEEK.end + timedelta(hours=6)
    watch.tick()

    assert waited == 0
    assert "Data is complete only up to" in receiver.got[0]["text"]


def test_run_starts_the_watch_where_reports_are_configured(receiver: Receiver) -> None:
    """Beside the collector, but never for the demo's made-up figures."""
    configured = settings.load()
    names = [child.name for child in run_verb._children(configured, False, "127.0.0.1", 1, False)]
    demo = [child.name for child in run_verb._children(configured, True, "127.0.0.1", 1, False)]
    stop = threading.Event()
    stop.set()

    assert "reports" in names
    assert "reports" not in demo
    assert scheduled.follow(configured, stop=stop) == 0


@pytest.mark.parametrize(
    ("args", "code", "says"),
    [
        (("--schedule", "weekly"), 2, "REP-006: No weekly report is configured"),
        (("--follow",), 2, "REP-006"),
        (("--schedule", "weekly", "--to", "http://hooks.example.com/secret"), 2, "REP-007"),
        (("--schedule", "weekly", "--to", "out", "--from", "7d"), 2, "REP-006: --from"),
        (("--schedule", "weekly", "--to", "out", "--engine", "a"), 2, "REP-006: --engine"),
        (("--schedule", "weekly", "--format", "csv"), 2, "REP-006"),
        (("--schedule", "weekly", "--to", "out", "--format", "doc"), 1, "REP-001"),
        (("--schedule", "weekly", "--to", "absent/out"), 1, "REP-007"),
    ],
)
def test_faults_are_one_line(capsys: pytest.CaptureFixture[str], args: tuple[str, ...], code: int, says: str) -> None:
    """That says what is accepted, and quotes no URL."""
    assert run(*args) == code
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert says in err
    assert "secret" not in err
