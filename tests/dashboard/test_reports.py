"""The Reports page: exact totals, a preview, a download, and the command that makes the same file."""

import csv
import io
import shlex
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from cli.main import main
from core.errors import FixSettings
from core.metrics import summary
from core.metrics.scope import Scope
from core.pricing import default_book
from core.reports import files, said, xlsx
from core.reports.request import Desk, Request
from core.store.lake import Lake
from core.store.query import Reader
from dashboard import report_desk
from dashboard.i18n import catalogue
from tests.support import fleet_lake
from tests.support.screens import opened, words

Open = Callable[..., AppTest]


@pytest.fixture
def show(on_fleet: Path) -> Open:
    """Open the page over the fleet, with choices made."""
    return lambda **state: opened("reports", **{"lang": "en", "range": "all", **state})


def frame(app: AppTest, column: str) -> list[dict[str, object]]:
    """The rows of the table that has a column."""
    (found,) = [item for item in app.dataframe if column in item.value.columns]
    return found.value.to_dict("records")


def test_totals_are_those_of_the_metrics_to_the_last_digit(show: Open, fleet: Path) -> None:
    """As in every format."""
    with Reader(Lake(fleet / "tables")) as reader:
        total = summary(reader, Scope())

    shown = {row["metric"]: row["value"] for row in frame(show(), "value")}

    for name in ("cost_usd", "no_cache_cost_usd", "gross_savings_usd", "write_premium_usd", "net_savings_usd"):
        assert shown[catalogue("en")[f"metric.{name}.label"]] == said.money(total[name])
    assert shown[catalogue("en")["metric.cache_read_tokens.label"]] == f"{total['cache_read_tokens']:,}"


def test_the_chargeback_is_previewed_by_its_rule(show: Open) -> None:
    """Allocated writes beside the recorded ones, one row for each engine."""
    app = show(report_format="csv", report_kind="chargeback", report_rule="even")

    rows = frame(app, "allocated_writes_usd")
    assert {row["engine"] for row in rows} >= {"tutor", "writer"}
    assert {"written_usd", "allocated_writes_usd"} <= set(rows[0])
    assert "--allocate even" in app.code[0].value


def test_who_is_not_tagged_is_charged_as_untagged(show: Open) -> None:
    """Tenants are offered to charge; calls without one are no unknown and no dash."""
    app = show(report_format="csv", report_kind="chargeback", report_by_charged=["tenant"])

    assert {row["tenant"] for row in frame(app, "allocated_writes_usd")} == {"(untagged)", fleet_lake.HOSTILE}
    assert "--by tenant" in app.code[0].value


def test_focus_says_what_it_leaves_out(show: Open) -> None:
    """Calls without a price are counted on the page."""
    assert "calls without a price are in no row" in words(show(report_format="focus"))


def test_a_long_report_is_made_under_a_bar_and_then_offered(show: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """The download appears when the file is there, and goes when another one is asked for."""
    monkeypatch.setattr(report_desk, "LARGE", 1)
    app = show(report_format="csv")
    assert not app.get("download_button")[-1].proto.label.startswith("Download cachewise")

    app.button("report_prepare").click().run()

    labels = [button.proto.label for button in app.get("download_button")]
    assert not app.exception
    assert "Download cachewise" in " ".join(labels)
    app.selectbox("report_format").set_value("parquet").run()
    assert "Download cachewise" not in " ".join(button.proto.label for button in app.get("download_button"))


def test_a_report_that_cannot_be_made_is_said_so(show: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its code, in place of the download; the rest of the page stands."""

    def refuse(rows: int) -> None:
        raise FixSettings("Too many rows.", code="REP-004", mend="Use CSV.")

    monkeypatch.setattr(xlsx, "check_rows", refuse)

    app = show(report_format="xlsx")

    assert "REP-004" in app.error[0].value
    assert len(app.metric) == 4


@pytest.mark.parametrize(
    ("form", "more"),
    [("csv", {}), ("csv", {"allocate": "even", "by": ("function_name", "engine")}), ("csv", {"by": ("tenant",)}),
     ("focus", {})],
)  # fmt: skip
def test_the_command_writes_the_same_file(
    form: str, more: dict[str, object], fleet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Byte for byte, filters and hostile names included."""
    monkeypatch.setenv("CACHEWISE_STORE_PATH", str(fleet))
    scope = Scope(start=datetime(2026, 1, 1, tzinfo=UTC), engines=("tutor", fleet_lake.HOSTILE))
    if "tenant" in more.get("by", ()):
        scope = replace(scope, engines=(), tenants=("", fleet_lake.HOSTILE))
    request = Request(scope, zone="Asia/Seoul", lang="ko", **more)  # type: ignore[arg-type]
    with Reader(Lake(fleet / "tables")) as reader:
        expected = files.encode(Desk(reader, default_book()), request, form)

    name, *args = shlex.split(report_desk.command_line(form, request))
    with pytest.raises(SystemExit) as ended:
        main(args)

    assert (name, ended.value.code) == ("cachewise", 0)
    assert Path(args[-1]).read_bytes() == expected
    assert len(list(csv.reader(io.StringIO(expected.decode("utf-8-sig"))))) > 2


def test_the_command_of_demo_data_says_so() -> None:
    """It would read other tables otherwise."""
    assert report_desk.command_line("pdf", Request(demo=True)).startswith("CACHEWISE_DEMO=true cachewise report")


def test_every_format_can_be_chosen() -> None:
    """A new format is on the page."""
    assert set(report_desk.FORMATS) == set(files.FORMATS)
