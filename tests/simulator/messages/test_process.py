"""The simulator as a process of its own, moved by its control routes; and as a slow one."""

import subprocess
import sys
import time
from collections.abc import Iterator

import anthropic
import httpx2
import pytest

from simulator.messages import Latency, SimulatedClock, new_service, running_simulator
from tests.support.prompts import MODEL, ask, block, counts


@pytest.fixture
def process_url() -> Iterator[str]:
    """Start `python -m simulator.messages` and read where it is."""
    command = [sys.executable, "-m", "simulator.messages", "--port", "0", "--latency-scale", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip().removeprefix("ANTHROPIC_BASE_URL=")
        finally:
            process.terminate()


def test_another_process_can_move_the_clock_and_order_faults(process_url: str) -> None:
    """The routes under /_simulator do what the objects do, and say that they are simulated."""
    system = [block(2000, cached="5m")]
    with (
        anthropic.Anthropic(api_key="sk-ant-sim-x", base_url=process_url, max_retries=0) as client,
        httpx2.Client(base_url=process_url) as control,
    ):
        ask(client, system=system)
        moved = control.post("/_simulator/clock", json={"advance_seconds": 301}).json()
        again = counts(ask(client, system=system))
        ordered = control.post("/_simulator/faults", json={"kind": "overloaded", "times": 5}).json()
        with pytest.raises(anthropic.OverloadedError):
            ask(client)
        cleared = control.delete("/_simulator/faults").json()
        ask(client)
        state = control.get("/_simulator/state").json()

    assert (moved["simulated"], moved["frozen"], again) == (True, False, (5, 0, 2000, 0))
    assert (ordered["faults"][0]["kind"], cleared["faults"]) == ("overloaded", [])
    assert [call["status"] for call in state["calls"]] == [200, 200, 529, 200]
    assert [call["cause"] for call in state["calls"]] == ["first_touch", "expired", None, "off"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("clock", {"advance_seconds": -1}),
        ("clock", {"advance_seconds": "soon"}),
        ("clock", {"advance_seconds": 1e300}),
        ("faults", {"kind": "flood"}),
        ("hold", {}),
    ],
)
def test_a_wrong_control_request_is_refused(path: str, body: dict[str, object]) -> None:
    """What a control route does not understand is a 400 with the reason."""
    with running_simulator() as own, httpx2.Client(base_url=own.url) as control:
        refused = control.post(f"/_simulator/{path}", json=body)

    assert refused.status_code == 400
    assert refused.json()["error"]


def test_a_read_gets_its_first_token_sooner_than_a_write() -> None:
    """Through the SDK's stream the first byte waits for the prompt to be worked out, and not when it is read."""
    slow = Latency(base_ms=0, per_1k_processed_ms=60, per_1k_read_ms=0, per_output_token_ms=0)
    with (
        running_simulator(new_service(clock=SimulatedClock(), latency=slow)) as own,
        anthropic.Anthropic(api_key=own.api_key, base_url=own.url) as client,
    ):
        waits = [_time_to_first_event(client) for _ in range(2)]

    assert waits[0] >= 0.12
    assert [round(seen.ttft_ms or 0) for seen in own.calls] == [120, 0]


def _time_to_first_event(client: anthropic.Anthropic) -> float:
    start = time.perf_counter()
    with client.messages.stream(
        model=MODEL, max_tokens=1, system=[block(2000, cached="5m")], messages=[{"role": "user", "content": "hello"}]
    ) as stream:
        next(iter(stream))
        return time.perf_counter() - start
