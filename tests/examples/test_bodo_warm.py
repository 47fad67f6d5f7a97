"""bodo in real warm Lambda processes: what a new environment, a warm one, an epoch and a variable do to its store."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from core.caching.prompt_table import epoch_update
from core.fleet import compare, read_table
from core.pricing import default_book, price_usage
from core.settings import ClearSettings, SourceSettings
from core.store.lake import Lake
from core.store.query import Reader
from core.usage import from_any
from simulator.messages.faults import Fault
from simulator.messages.server import Simulator, running_simulator
from tests.support import bodo
from tests.support.bodo import User
from tests.support.collecting import collect, rows
from tests.support.log_lines import T0, payload
from tests.support.ministack import REGION, ROLE, Ministack, function_code

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
COUNTS = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens", "output_tokens")


@dataclass(slots=True)
class Fleet:
    """The deployed function and the hands that use it."""

    function: str
    lambdas: Any
    dynamodb: Any
    user: User
    claude: Simulator

    def ask(self, qualifier: str = "$LATEST", engine: str = "sales") -> list[str]:
        """Send one message; return the lines of its invocation."""
        answer = self.lambdas.invoke(
            FunctionName=self.function,
            Qualifier=qualifier,
            LogType="Tail",
            Payload=json.dumps(bodo.event(engine=engine, text="Which one?")),
        )
        payload = answer["Payload"].read().decode()
        log = base64.b64decode(answer.get("LogResult", "")).decode()
        assert "FunctionError" not in answer, f"{payload}\n{log}"
        return log.splitlines()

    def store_line(self, qualifier: str = "$LATEST") -> str:
        """Say what the prompt store did for one message: HIT or MISS."""
        (told,) = [line.split()[2] for line in self.ask(qualifier) if " for [sales] - " in line]
        return told

    def store_lines(self, environments: int) -> list[str]:
        """Ask as many environments at once: Claude's answers are held back until all of them are busy."""
        with ThreadPoolExecutor(environments) as pool, self.claude.holding_answers():
            jobs = [pool.submit(self.store_line) for _ in range(environments)]
            self.claude.wait_for_held(environments, limit_s=90)
            self.claude.service.held = False
            return [job.result() for job in jobs]

    def put(self, engine: str, text: str, version: str) -> None:
        """Put a prompt into the table."""
        item = {"engine": {"S": engine}, "prompt": {"S": text}, "version": {"S": version}}
        self.dynamodb.put_item(TableName=bodo.TABLE, Item=item)

    def raise_epoch(self, epoch_ms: int) -> None:
        """Clear the prompt store of every environment."""
        self.dynamodb.update_item(**epoch_update(bodo.TABLE, epoch_ms=epoch_ms))


@pytest.fixture
def fleet(ministack: Ministack, request: pytest.FixtureRequest) -> Iterator[Fleet]:
    """bodo with a table, a key, a simulated Claude and a listening user; each test has its own function."""
    with running_simulator() as claude, bodo.listening_user() as user:
        dynamodb, secrets = ministack.client("dynamodb"), ministack.client("secretsmanager")
        bodo.put_prompts(dynamodb, "sales")
        secrets.create_secret(Name="bodo-v1", SecretString=claude.api_key)
        lambdas = ministack.client("lambda")
        name = f"bodo-{abs(hash(request.node.name)) % 10**8}"
        variables = {
            **ministack.environment(),
            "PROMPT_TABLE": bodo.TABLE,
            "PROMPT_EPOCH_SECONDS": "0",
            "ANTHROPIC_BASE_URL": claude.url,
            "CALLBACK_URL": user.url,
            "PYTHONUTF8": "1",
        }
        lambdas.create_function(
            FunctionName=name,
            Runtime="python3.11",
            Role=ROLE,
            Handler="handler.handler",
            Timeout=60,
            Code={"ZipFile": function_code(Path(bodo.FOLDER) / "handler.py")},
            Environment={"Variables": variables},
        )
        lambdas.get_waiter("function_active_v2").wait(FunctionName=name)
        yield Fleet(name, lambdas, dynamodb, user, claude)
        lambdas.delete_function(FunctionName=name)
        secrets.delete_secret(SecretId="bodo-v1", ForceDeleteWithoutRecovery=True)
        dynamodb.delete_table(TableName=bodo.TABLE)


def test_new_environment_misses_warm_one_hits(fleet: Fleet) -> None:
    """The prompt is read once per environment; the warm call's record counts what Claude counted."""
    first, second = fleet.ask(), fleet.ask()

    assert "❌ Cache MISS for [sales] - fetching from DB" in first
    assert "💾 Permanently cached prompt for [sales]" in first
    assert "✅ Cache HIT for [sales] - DB query skipped (permanent cache)" in second
    (record,) = [json.loads(line) for line in second if line.startswith('{"event"')]
    told = fleet.claude.calls[-1].usage
    assert told is not None
    assert {name: record["usage"][name] for name in COUNTS} == {name: told[name] for name in COUNTS}
    assert record["usage"]["cache_read_input_tokens"] > 4096
    assert fleet.user.messages[-1] == {"type": "done"}


def test_a_changed_prompt_is_behind_the_table_until_the_clear(fleet: Fleet, tmp_path: Path) -> None:
    """The warm environment keeps the old prompt and is listed; after the clear it holds what the table holds."""
    prompts = {engine: f"{engine}: {bodo.PROMPT}" for engine in ("sales", "support")}
    fleet.put("support", prompts["support"], "1")
    source = SourceSettings(
        "logs", "files", region=REGION, clear=ClearSettings(
            prompt_table=bodo.TABLE, epoch_seconds=0,
            prompt_context=(("location", "Seoul"), ("time_zone", "Asia/Seoul")),
        ),
    )  # fmt: skip
    lake = Lake(tmp_path / "tables")

    def stand(*engines: str) -> dict[str, tuple[str, str | None, bool]]:
        lines = [line for engine in engines for line in fleet.ask(engine=engine)]
        at, log = datetime.now(UTC), tmp_path / f"{time.time_ns()}.jsonl"
        events = [(int(at.timestamp() * 1000), line) for line in lines]
        log.write_text(json.dumps(payload(events, group=f"/aws/lambda/{fleet.function}")))
        collect(lake, log, now=at)
        with Reader(lake, threads=1) as reader:
            now = datetime.now(UTC)
            present = read_table(reader, source, now=now, environ={}, client=fleet.dynamodb)
            found = compare(reader, source, present, now=now).environments
        assert bodo.PROMPT[:30] not in repr((present, found))
        assert "".join(path.read_text("latin-1") for path in tmp_path.rglob("*.*") if path.is_file()).find(
            bodo.PROMPT[:30]
        ) == -1  # fmt: skip
        return {item.engine: (item.state, item.table_version, item.holds == item.table_holds) for item in found}

    assert stand("sales", "support") == {"sales": ("current", "1", True), "support": ("current", "1", True)}
    fleet.put("sales", f"New: {prompts['sales']}", "2")
    assert stand("sales", "support") == {"sales": ("behind", "2", False), "support": ("current", "1", True)}

    fleet.raise_epoch(1_795_000_000_000)

    assert stand("sales", "support") == {"sales": ("current", "2", True), "support": ("current", "1", True)}


def test_wrong_ttl_stops_the_function_at_start(fleet: Fleet) -> None:
    """CACHE_TTL=30m: the environment does not start, and its error names 5m and 1h."""
    variables = fleet.lambdas.get_function_configuration(FunctionName=fleet.function)["Environment"]["Variables"]
    fleet.lambdas.update_function_configuration(
        FunctionName=fleet.function, Environment={"Variables": {**variables, "CACHE_TTL": "30m"}}
    )
    fleet.lambdas.get_waiter("function_updated_v2").wait(FunctionName=fleet.function)

    answer = fleet.lambdas.invoke(FunctionName=fleet.function, Payload=json.dumps(bodo.event("$connect")))

    assert "FunctionError" in answer
    assert "Accepted: 5m or 1h" in answer["Payload"].read().decode()


def test_under_load_the_log_gives_what_claude_counted(fleet: Fleet, tmp_path: Path) -> None:
    """Four environments at once, refusals that the SDK tries again: to the token and to the last digit, once each."""
    fleet.claude.faults.add(Fault("overloaded", skip=5, times=2))
    fleet.claude.faults.add(Fault("rate_limit", skip=6, times=1, retry_after_s=0.1))
    with ThreadPoolExecutor(4) as pool:
        logs = list(pool.map(lambda _: fleet.ask(), range(24)))

    log = tmp_path / "log.jsonl"
    events = [[(T0 + 2_000 * number + at, line) for at, line in enumerate(lines)] for number, lines in enumerate(logs)]
    log.write_text("".join(json.dumps(payload(told, put=number)) + "\n" for number, told in enumerate(events)))
    lake = Lake(tmp_path / "tables")
    collect(lake, log)

    calls = rows(lake, "calls")
    counted = [(seen.at, seen.usage) for seen in fleet.claude.calls if seen.usage is not None]
    told = [from_any(usage) for _, usage in counted]
    assert len(calls) == len(told) == 24
    assert sum(seen.status >= 400 for seen in fleet.claude.calls) == 3
    for name in ("input_tokens", "cache_read_tokens", "cache_write_1h_tokens", "output_tokens"):
        assert sum(call[name] for call in calls) == sum(getattr(usage, name) for usage in told)
    prices = [
        price_usage(default_book(), usage, provider="anthropic", model="claude-opus-4-5", at=at).cost_usd
        for (at, _), usage in zip(counted, told, strict=True)
    ]
    assert sum(call["cost_usd"] for call in calls) == sum(price for price in prices if price is not None) > 0
