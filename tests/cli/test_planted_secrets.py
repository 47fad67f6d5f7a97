"""Secrets planted in environment, settings and logs; then everything is run and all it put out is searched."""

import json
import logging
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cli.main import main
from core.reports.files import FORMATS
from dashboard import data, prometheus
from simulator.messages import INSTANT, new_service, running_simulator
from tests.support.doors import HERE, door
from tests.support.log_lines import dressed, invocation, record, rid
from tests.support.reading import sent_by, texts_under
from tests.support.screens import PAGES, as_served, bound_to, opened

MARK = "PLANTED"
NOW_MS = int(datetime.now(UTC).timestamp() * 1000)
ENVIRONMENT = {
    "ANTHROPIC_API_KEY": f"sk-ant-api03-{MARK}",
    "ANTHROPIC_ADMIN_KEY": f"sk-ant-admin01-{MARK}",
    "AWS_ACCESS_KEY_ID": f"AKIA{MARK}",
    "AWS_SECRET_ACCESS_KEY": f"aws+{MARK}/secret",
    "AWS_SESSION_TOKEN": f"token-{MARK}",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "CACHEWISE_METRICS_TOKEN": f"metrics-{MARK}",
    "HOOK_URL": f"http://127.0.0.1:9/services/{MARK}-by-variable",
    "DATABASE_URL": f"postgres://app:{MARK}@db/app",
}
SETTINGS = f"""
[[sources]]
name = "bodo"
kind = "files"
paths = ["logs/*.log"]
defaults = {{ provider = "anthropic", model = "claude-opus-4-5", cache_ttl = "1h", caching_enabled = true }}
[sources.clear]
prompt_table = "prompts"
[[sources]]
name = "far"
kind = "cloudwatch"
log_group = "/aws/lambda/none"
region = "eu-west-1"
[targets.ops]
kind = "webhook"
url = "http://127.0.0.1:9/services/{MARK}-in-settings"
[targets.more]
kind = "webhook"
url_env = "HOOK_URL"
[[alerts]]
name = "dear"
metric = "cost"
above = 0.000001
least_calls = 1
targets = ["ops", "more"]
"""


def log_text() -> str:
    """A log of this hour with prompts, keys and answers in every place a careless service puts them."""
    told = record("msg_failed", ms=NOW_MS - 400_000, usage=None, status="error", error_type="authentication_error")
    careless = json.loads(told[told.index("{") :]) | {
        "prompt": f"You are a secret agent {MARK}", "messages": [{"role": "user", "content": f"my card is {MARK}"}],
        "error": {"type": "authentication_error", "message": f"invalid x-api-key sk-ant-{MARK}"},
        "error_message": f"key {MARK}", "headers": {"x-api-key": f"sk-ant-{MARK}"},
    }  # fmt: skip
    lines = [line for number in range(3) for _, line in invocation(number, ms=NOW_MS - 600_000 + number * 2_000)]
    lines += [
        record("msg_good", ms=NOW_MS - 500_000),
        json.dumps(careless),
        json.dumps(careless | {"usage": f"broken {MARK}"}),
        json.dumps({"message": f"calling Claude with sk-ant-api03-{MARK}", "level": "INFO"}),
        dressed(f"💰 API Cost: ${MARK} | input: {MARK}", NOW_MS - 300_000, rid(1)),
        dressed(f"❌ Cache MISS for [{MARK}", NOW_MS - 300_000, rid(1)),
        f"REPORT RequestId: {MARK}",
        f"Traceback (most recent call last): anthropic.AuthenticationError: sk-ant-api03-{MARK}",
        '{"event":"llm_usage","usage":' + f'"{MARK}',
        f"\x00\x1b[31m{MARK}\udcff".encode("utf-8", "surrogateescape").decode("utf-8", "replace"),
    ]
    return "".join(f"{line}\n" for line in lines)


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moto_address: str) -> Iterator[Path]:
    """A working folder with planted settings and logs; AWS and Claude are of this machine, and Claude knows no key."""
    (tmp_path / "cachewise.toml").write_text(SETTINGS)
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "bodo.log").write_text(log_text())
    monkeypatch.chdir(tmp_path)
    for name in ("CACHEWISE_CONFIG", "CACHEWISE_DEMO", "CACHEWISE_STORE_PATH"):
        monkeypatch.delenv(name, raising=False)
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto_address.replace("http://", f"http://me:{MARK}@"))
    monkeypatch.setattr(prometheus, "exposition", prometheus.Exposition())
    data.reopen()
    with running_simulator(new_service(latency=INSTANT, api_keys=("sk-ant-sim-another",))) as claude:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", claude.url)
        yield tmp_path
    data.reopen()


def run(*arguments: str) -> int:
    """Run a command in this process."""
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    return int(ended.value.code or 0)


def leaks(name: str, text: str) -> list[str]:
    """Where a planted text stands, with what is around it."""
    places = re.finditer(MARK, text, re.IGNORECASE)
    return [f"{name}: …{text[max(0, place.start() - 120) : place.end() + 20]}…" for place in places]


@pytest.mark.slow
def test_no_secret_leaves(
    house: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Tables, output, log, reports in every format, pages, metrics and errors hold none of the planted texts."""
    caplog.set_level(logging.DEBUG, logger="cachewise")
    for name in ("core", "collector", "dashboard", "cli", "streamlit"):
        caplog.set_level(logging.DEBUG, logger=name)
    wrong, lines = house / "wrong.toml", house / "lines.jsonl"
    codes = {
        "collect": run("collect", "--once", "--json", "--source", "bodo"),
        "collect far": run("collect", "--once", "--source", "far"),
        "doctor": run("doctor"),
        "doctor json": run("doctor", "--json"),
        "probe": run("probe", "--yes", "--json"),
        "alerts": run("alerts"),
        "alerts test": run("alerts", "--test", "dear"),
        "misses": run("misses", "--json"),
        "metrics": run("metrics", "--by", "engine", "--json"),
        "reconcile": run("reconcile", "--json"),
        **{f"report {form}": run("report", "--format", form, "--out", f"out.{form}") for form in FORMATS},
    }
    lines.write_text(f'{{"id":"1","prompt":"{MARK}"}}\nsk-ant-{MARK}\n')
    codes["price"] = run("price", str(lines))
    for text in (f'[targets.ops]\nkind = "webhook"\nurl = "ftp://{MARK}"', f'[store]\npath = "x\n# {MARK}'):
        wrong.write_text(text)
        monkeypatch.setenv("CACHEWISE_CONFIG", str(wrong))
        codes[text] = run("metrics")
    monkeypatch.delenv("CACHEWISE_CONFIG")
    with as_served(), bound_to("127.0.0.1"):
        pages = {name: sent_by(opened(name)) for name in PAGES}
    client = door(HERE)
    answers = {path: client.get(path).text for path in ("/metrics", "/readyz", "/healthz")}

    assert codes["collect"] == codes["metrics"] == codes["report csv"] == 0
    assert codes["collect far"] == codes["probe"] == codes["price"] == 1
    inputs = frozenset({house / "logs", house / "cachewise.toml", wrong, lines})
    out, err = capfd.readouterr()
    put_out = [
        *texts_under(house, without=inputs),
        *pages.items(),
        *answers.items(),
        ("standard output", out),
        ("standard error", err),
        ("log", caplog.text),
    ]
    assert [found for name, text in put_out for found in leaks(name, text)] == []
    names = {name for name, _ in put_out}
    assert {f"out.{form}" for form in FORMATS} <= names
    assert sum(name.endswith(".parquet") for name in names) > 4
    assert "sales" in pages["overview"]
    assert "PRB-401" in out
    if datetime.fromtimestamp((NOW_MS - 600_000) / 1000, UTC).date() == datetime.now(UTC).date():
        assert 'engine="sales"' in answers["/metrics"]  # just after midnight the first calls are yesterday's
