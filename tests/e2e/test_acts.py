"""What an operator does: probes the Claude cache, sees a bad key fail, clears the prompt store with confirmation."""

import csv
import io
import socket
from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import boto3
import pytest
from playwright.sync_api import Page, expect

from core.store.lake import Lake
from simulator.messages import API_KEY, Latency, Simulator, new_service, running_simulator
from tests.e2e.conftest import serving
from tests.support import warm_lake

LANGUAGES = ("ko", "en")
AWS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "eu-west-1"}
WORDS = {
    "passed": ("통과", "passed"),
    "failed": ("실패 · PRB-401", "failed · PRB-401"),
    "refused": ("비우지 못했습니다 · FLT-402", "Nothing was cleared · FLT-402"),
    "waiting": ("환경 12개 중 0개 확인 완료", "0 of 12 environments seen"),
    "proved": ("환경 12개 중 12개 확인 완료", "12 of 12 environments seen"),
}


class House(NamedTuple):
    """A dashboard over a warm fleet, with the AWS and the Claude it speaks to."""

    url: str
    lake: Lake
    claude_port: int
    dynamodb: object

    def claude(self, *accepted: str) -> AbstractContextManager[Simulator]:
        """Answer as Claude does, to these keys alone where any are given."""
        service = new_service(latency=Latency(scale=0.05), api_keys=accepted or None)
        return running_simulator(service, port=self.claude_port)

    def epochs(self) -> dict:
        """What the prompt table says of clears."""
        return self.dynamodb.get_item(TableName="prompts", Key={"engine": {"S": "__epoch__"}}).get("Item", {})


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, moto_address: str) -> Iterator[House]:
    """Serve a configured dashboard; AWS and Claude are of this machine."""
    folder = tmp_path_factory.mktemp("acts")
    (folder / "cachewise.toml").write_text(warm_lake.CONFIG)
    lake = warm_lake.fill(folder / "data")
    client = boto3.session.Session(
        aws_access_key_id="test", aws_secret_access_key="test", region_name="eu-west-1"
    ).client("dynamodb", endpoint_url=moto_address)
    warm_lake.create_prompt_table(client)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    claude = {"ANTHROPIC_BASE_URL": f"http://127.0.0.1:{port}", "ANTHROPIC_API_KEY": API_KEY}
    with serving(folder, {**AWS, **claude, "AWS_ENDPOINT_URL": moto_address}) as url:
        yield House(url, lake, port, client)
    client.delete_table(TableName="prompts")


def press(page: Page, key: str) -> None:
    """Click the button with this key."""
    page.locator(f".st-key-{key} button").first.click()


def see(page: Page, name: str, lang: str) -> None:
    """Wait until the words of a language are on the screen."""
    expect(page.get_by_text(WORDS[name][LANGUAGES.index(lang)], exact=False).first).to_be_visible()


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_probe_runs_and_a_bad_key_fails(tab: Page, house: House, lang: str) -> None:
    """The cost is shown, the run passes by itself; with a refused key the verdict is clear and nothing is spent."""
    tab.goto(f"{house.url}/probe?lang={lang}")
    with house.claude():
        press(tab, "probe_estimate")
        expect(tab.locator(".st-key-probe_run button")).to_contain_text("$0.0500")
        press(tab, "probe_run")
        expect(tab.get_by_text("3 / 3")).to_be_visible()
        see(tab, "passed", lang)

    with house.claude("sk-ant-sim-another"):
        press(tab, "probe_estimate")
        press(tab, "probe_run")
        see(tab, "failed", lang)

    expect(tab.get_by_text("1 / 3")).to_be_visible()  # the prompt store needs no key
    expect(tab.get_by_test_id("stMetricValue").filter(has_text="$0.00").first).to_be_visible()
    expect(tab.get_by_test_id("stException")).to_have_count(0)
    assert API_KEY not in tab.content()


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_clear_needs_the_name_and_is_proved(tab: Page, house: House, lang: str) -> None:
    """Refused without the name; with it done and audited, and the page follows the logs to the proof by itself."""
    before = house.epochs()
    tab.goto(f"{house.url}/caches?lang={lang}")
    press(tab, "preview")
    press(tab, "caches_go")
    see(tab, "refused", lang)
    assert house.epochs() == before

    tab.locator(".st-key-caches_typed input").fill("bodo")
    press(tab, "caches_go")
    see(tab, "waiting", lang)
    assert house.epochs() != before

    warm_lake.answer(house.lake, *range(warm_lake.WARM), at=datetime.now(UTC))
    see(tab, "proved", lang)

    with tab.expect_download() as download:
        press(tab, "csv_audit")
    entry = next(csv.DictReader(io.StringIO(Path(download.value.path()).read_text("utf-8-sig"), newline="")))
    assert (entry["target"], entry["result"]) == ("bodo/prompt-store/*", "done")
    assert entry["actor"].endswith("(dashboard)")
    expect(tab.get_by_test_id("stException")).to_have_count(0)
