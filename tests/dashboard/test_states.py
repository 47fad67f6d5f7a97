"""Failures as states: each made for real, each with its next step on the screen and no traceback."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from cli.collect import command
from core.store.lake import Lake
from dashboard.i18n import LANGUAGES, catalogue
from simulator.cloudwatch.answers import DEFAULT_ACCOUNT, Cloud
from simulator.cloudwatch.faults import FaultPlan, Outage
from simulator.cloudwatch.server import running_cloud
from simulator.messages.clock import SimulatedClock
from tests.support import moto_logs
from tests.support.screens import error_said, opened

GROUP = "/aws/lambda/bodo-ws"
CONFIG = """
[store]
path = "{store}"

[[sources]]
name = "bodo"
kind = "cloudwatch"
log_group = "/aws/lambda/bodo-ws"
region = "{region}"
endpoint_url = "{url}"
defaults = {{ provider = "anthropic", model = "claude-opus-4-5", cache_ttl = "1h", caching_enabled = true }}
"""


@pytest.fixture
def expired(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A source whose collector has just been told by CloudWatch that its credentials have expired."""
    for name, value in moto_logs.CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("collector.memory.spare", lambda: None)  # this process lives on
    cloud = Cloud(SimulatedClock())
    cloud.groups.make(GROUP, account=DEFAULT_ACCOUNT, region=moto_logs.REGION, now_ms=cloud.now_ms)
    cloud.faults = FaultPlan(outages=(Outage("expired_credentials", 0, 2**62),))
    store = tmp_path / "store"
    with running_cloud(cloud) as url:
        (tmp_path / "cachewise.toml").write_text(CONFIG.format(store=store, region=moto_logs.REGION, url=url))
        result = CliRunner().invoke(command, ["--once", "--json"])
    assert "COL-402" in result.output


@pytest.mark.parametrize("lang", LANGUAGES)
def test_expired_credentials_are_said_on_every_page_with_the_mend(expired: None, lang: str) -> None:
    """The page names the source and the code, and says to log in again, in the language of the viewer."""
    app = opened("overview", lang)

    (box,) = app.warning
    assert "bodo" in box.proto.title
    assert "COL-402" in box.proto.title
    assert (error_said("ko", "COL-402") if lang == "ko" else "have expired") in box.value
    assert "aws sso login" in box.value
    assert not app.exception


def test_a_locked_store_is_still_read(fleet: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a collector holds the folder and a writer holds a table, pages show their figures: readers never wait."""
    monkeypatch.setenv("CACHEWISE_STORE_PATH", str(fleet))
    lake = Lake(fleet / "tables")

    with lake.writer_lock(), lake.writing("calls"):
        app = opened("overview")

    assert len(app.metric) == 6
    assert not app.error
    assert not app.warning


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_disk_that_is_nearly_full_is_said_on_every_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lang: str
) -> None:
    """A collector that cannot write cannot store that it fails: the page looks at the disk itself."""
    monkeypatch.setattr("core.store.room.LEAST_BYTES", 1 << 62)
    monkeypatch.setenv("CACHEWISE_STORE_PATH", str(tmp_path))

    app = opened("overview", lang)

    (box,) = app.warning
    assert box.proto.title == f"{catalogue(lang)['room.title']} · STO-003"
    assert "store.path" in box.value
    assert str(tmp_path) not in box.value
    assert not app.exception
