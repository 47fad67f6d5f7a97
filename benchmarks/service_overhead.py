"""What the caching code adds to the service: milliseconds per call, import time and memory of the Lambda part.

Baseline of the calls: the bare anthropic SDK, same process, same canned answer, no network. The overhead is the
median of the differences of calls made in turn. Import and memory are measured in fresh processes with compiled
bytecode, as in a deployed function, against an interpreter that imports nothing. All times are CPU time: nothing here
waits, and a busy machine must not change the result.

Run: `python benchmarks/service_overhead.py [CALLS]`. Prints medians with versions, cores and sizes.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import anthropic  # noqa: E402
import httpx2  # noqa: E402

from core.caching.policy import CachePolicy  # noqa: E402
from core.caching.prompt_store import FetchedPrompt, PromptStore  # noqa: E402
from core.caching.request import DynamicContext, StaticContext, build_request  # noqa: E402
from core.client import ClaudeClient, ClientSettings  # noqa: E402
from tests.support import claude  # noqa: E402

PROMPT = "You sell bicycles in Seoul and know every one of them by name. " * 320  # 20 kB
PIECES = 50
PROCESSES = 11
MODULES = "import core.client, core.caching.prompt_store, core.caching.prompt_table, core.caching.request"
# what Lambda's own runtime client has loaded before the handler's module:
# https://github.com/aws/aws-lambda-python-runtime-interface-client
RUNTIME = "import concurrent.futures, datetime, http.client, importlib, json, logging, re, traceback, urllib.parse"
SPENT = """
import sys, time
{before}
started = time.process_time()
{code}
took = (time.process_time() - started) * 1000
kilobytes = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmRSS"))
import json
print(json.dumps([took, int(kilobytes) / 1024, "anthropic" in sys.modules]))
"""


def main() -> None:
    """Measure and print."""
    calls = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    print(f"python {platform.python_version()}, anthropic {anthropic.__version__}, {os.cpu_count()} cores")
    print(f"{calls} calls each way, prompt {len(PROMPT) / 1000:.0f} kB, {PIECES} text pieces per stream\n")
    answer = {"": claude.whole, "stream": lambda: claude.streamed(claude.stream_events(pieces=["word "] * PIECES))}
    for kind, respond in answer.items():
        bare, added = compare(respond, calls, stream=bool(kind))
        print(f"{kind or 'whole':8} bare SDK {bare:.3f} ms   core.client adds {added:.3f} ms")
    print(f"store    a HIT of the prompt store takes {store_hit(calls * 10) * 1000:.1f} µs\n")
    _, bare_mb = process("pass")
    ours_ms, ours_mb = process(MODULES)
    lambda_ms, _ = process(MODULES, before=RUNTIME)
    sdk_ms, sdk_mb = process("import anthropic")
    print(f"import   Lambda part of core in a Lambda-like process {lambda_ms:.0f} ms")
    print(f"import   Lambda part of core in an empty interpreter {ours_ms:.0f} ms, +{ours_mb - bare_mb:.1f} MB")
    print(f"import   anthropic SDK, for comparison {sdk_ms:.0f} ms, +{sdk_mb - bare_mb:.1f} MB")


def compare(respond: Callable[[], httpx2.Response], calls: int, *, stream: bool) -> tuple[float, float]:
    """Return the median milliseconds of a call through the bare SDK, and what a call through our client adds."""
    http = httpx2.Client(transport=httpx2.MockTransport(lambda request: respond()))
    sdk = anthropic.Anthropic(api_key="sk-ant-none", http_client=http)
    written: list[str] = []
    client = ClaudeClient(
        ClientSettings(fingerprint_key=b"k" * 32), api_key="sk-ant-none", http_client=http, say=written.append
    )
    policy = CachePolicy()
    bare, ours = [], []
    for number in range(calls + 20):
        request = build_request(PROMPT, "Which one?", policy=policy)
        body = {"model": "claude-opus-4-5", **request.body()}
        bare.append(timed(lambda body=body: _bare(sdk, body, stream)))
        ours.append(timed(lambda number=number: _ours(client, policy, number, stream)))
    assert len(written) == 2 * (calls + 20)
    added = [mine - theirs for theirs, mine in zip(bare[20:], ours[20:], strict=True)]
    return statistics.median(bare[20:]), statistics.median(added)


def _bare(sdk: anthropic.Anthropic, body: dict, stream: bool) -> None:
    if not stream:
        sdk.messages.create(**body)
        return
    for _ in sdk.messages.create(**body, stream=True):
        pass


def _ours(client: ClaudeClient, policy: CachePolicy, number: int, stream: bool) -> None:
    request = build_request(
        PROMPT,
        "Which one?",
        policy=policy,
        engine="sales",
        static=StaticContext({"location": "Seoul", "time_zone": "Asia/Seoul"}),
        dynamic=DynamicContext({"session_id": str(number)}),
    )
    if not stream:
        client.create(request)
        return
    with client.stream(request) as events:
        for _ in events:
            pass


def store_hit(calls: int) -> float:
    """Return the median milliseconds of a HIT of the prompt store, its line included."""
    store = PromptStore(fetch=lambda engine: FetchedPrompt(PROMPT), say=lambda line: None)
    store.get("sales")
    return statistics.median(timed(lambda: store.get("sales")) for _ in range(calls))


def timed(work: Callable[[], object]) -> float:
    """Return how long `work` took, in milliseconds."""
    started = time.thread_time()
    work()
    return (time.thread_time() - started) * 1000


def process(code: str, *, before: str = "") -> tuple[float, float]:
    """Return the median milliseconds and megabytes that `code` takes in a fresh process with compiled bytecode."""
    with tempfile.TemporaryDirectory() as compiled:
        env = {**os.environ, "PYTHONPYCACHEPREFIX": compiled}
        env.pop("PYTHONDONTWRITEBYTECODE", None)
        told = []
        for _ in range(PROCESSES + 1):  # the first one compiles
            done = subprocess.run(
                [sys.executable, "-c", SPENT.format(code=code, before=before)],
                env=env,
                cwd=ROOT,
                capture_output=True,
                check=True,
            )
            ms, mb, sdk = json.loads(done.stdout)
            assert code == "import anthropic" or not sdk
            told.append((ms, mb))
    return statistics.median(ms for ms, _ in told[1:]), statistics.median(mb for _, mb in told[1:])


if __name__ == "__main__":
    main()
