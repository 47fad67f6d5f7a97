"""The simulator's usage against a second, naive reading of the documentation, over many random histories.

The naive model keeps a plain list of what was written and compares whole prefixes block by block: no trie, no
shared code with the simulator. Only the token counts are common, fixed by construction (one word, one token).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest
from anthropic.types import Usage
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simulator.messages import SimulatedClock, Simulator, new_service, running_simulator
from tests.support.prompts import block, counts, new_key

MINIMUM = 20
TURN = 3
SECONDS = {"5m": 300, "1h": 3600}
MODELS = ("claude-opus-5", "claude-sonnet-5")
GAPS_S = (0, 200, 200, 299.999, 300, 300.001, 2500, 3600, 3600.001)


@dataclass(frozen=True)
class Ask:
    """One request: how many blocks of each section, which block differs from the usual text, where it is marked."""

    model: str
    system: int
    messages: int
    changed: int | None
    marks: dict[int, str]

    def texts(self) -> list[tuple[str, int, str]]:
        """Return section, tokens and word of every block. Sizes differ so that positions cannot be mixed up."""
        blocks = [("system", 7 + at, "sys") for at in range(self.system)]
        blocks += [("user", 1 + at % 5, "msg") for at in range(self.messages)]
        if self.changed is not None and self.changed < len(blocks):
            section, tokens, _ = blocks[self.changed]
            blocks[self.changed] = (section, tokens, "else")
        return blocks

    def marked(self) -> dict[int, str]:
        """Return the marks that stand on a block."""
        return {at: ttl for at, ttl in self.marks.items() if at < self.system + self.messages}

    def body(self) -> dict[str, Any]:
        """Return the request as the SDK wants it."""
        marks = self.marked()
        made = [block(tokens, word, cached=marks.get(at)) for at, (_, tokens, word) in enumerate(self.texts())]  # type: ignore[arg-type]
        system, user = made[: self.system], made[self.system :]
        return {"model": self.model, "max_tokens": 1, "system": system, "messages": [{"role": "user", "content": user}]}


@dataclass
class Naive:
    """All prefixes ever written, in a list: (model, blocks, ttl, last use)."""

    now: float = 0.0
    written: list[dict[str, Any]] = field(default_factory=list)

    def allowed(self, ask: Ask) -> bool:
        """At most four marks, no 1h after a 5m."""
        ttls = [ttl for _, ttl in sorted(ask.marked().items())]
        return len(ttls) <= 4 and "5m,1h" not in ",".join(ttls)

    def live(self, model: str, prefix: list[Any]) -> dict[str, Any] | None:
        """Find a written prefix that is the same and not too old."""
        for entry in self.written:
            same = entry["model"] == model and entry["blocks"] == prefix
            if same and self.now - entry["used"] <= SECONDS[entry["ttl"]] + 1e-6:
                return entry
        return None

    def usage(self, ask: Ask) -> tuple[int, int, int, int]:
        """Return input, read, 5m and 1h write tokens of the request, and write down what it leaves behind."""
        blocks = ask.texts()
        sizes = [tokens for _, tokens, _ in blocks]
        sizes[ask.system] += TURN
        upto = [sum(sizes[: at + 1]) for at in range(len(sizes))]
        marks = {at: ttl for at, ttl in ask.marked().items() if upto[at] >= MINIMUM}
        found = [
            at
            for mark in marks
            for at in range(mark, max(mark - 20, -1), -1)
            if self.live(ask.model, blocks[: at + 1]) is not None
        ]
        hit = max(found, default=-1)
        read = upto[hit] if found else 0
        write = {"5m": 0, "1h": 0}
        done = read
        for mark in sorted(marks):
            if mark > hit:
                write[marks[mark]] += upto[mark] - done
                done = upto[mark]
        self._leave(ask.model, blocks, hit, marks)
        return upto[-1] - done, read, write["5m"], write["1h"]

    def _leave(self, model: str, blocks: list[Any], hit: int, marks: dict[int, str]) -> None:
        for at in range(hit + 1):  # reading a prefix uses every live entry inside it
            inside = self.live(model, blocks[: at + 1])
            if inside is not None:
                inside["used"] = self.now
        for mark, ttl in marks.items():
            if mark > hit:
                entry = {"model": model, "blocks": blocks[: mark + 1], "ttl": ttl, "used": self.now}
                self.written = [
                    old for old in self.written if (old["model"], old["blocks"]) != (model, entry["blocks"])
                ]
                self.written.append(entry)


wild = st.builds(
    Ask,
    model=st.sampled_from(MODELS),
    system=st.integers(0, 4),
    messages=st.integers(1, 30),
    changed=st.one_of(st.none(), st.integers(0, 20)),
    marks=st.dictionaries(st.integers(0, 33), st.sampled_from(["5m", "1h"]), max_size=5),
)
# three system blocks, so position 2 ends the system; from 21 on back it is the 20th position, from 22 the 21st
tame = st.builds(
    Ask,
    model=st.just(MODELS[0]),
    system=st.just(3),
    messages=st.sampled_from([1, 19, 20, 30]),
    changed=st.sampled_from([None, None, None, 12]),
    marks=st.sampled_from(
        [{2: "1h"}, {2: "5m"}, {2: "1h", 3: "5m"}, {2: "5m", 21: "5m"}, {21: "1h"}, {21: "5m"}, {22: "5m"}]
    ),
)


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[float, Ask]]:
    """Draw a few prompts and an order in which they come, again and again, with the gaps between them."""
    pool = draw(st.lists(st.one_of(tame, tame, tame, wild), min_size=1, max_size=3))
    return draw(st.lists(st.tuples(st.sampled_from(GAPS_S), st.sampled_from(pool)), min_size=2, max_size=9))


@pytest.fixture(scope="module")
def small() -> Iterator[Simulator]:
    """A simulator that caches from 20 tokens on, with a clock of its own."""
    clock = SimulatedClock(datetime(2026, 11, 20, tzinfo=UTC))
    with running_simulator(new_service(clock=clock, minimum_tokens=MINIMUM, output_tokens=1)) as running:
        yield running


@pytest.fixture(scope="module")
def door(small: Simulator) -> Iterator[httpx2.Client]:
    """Plain HTTP: the SDK's part is tested elsewhere, and this test asks hundreds of times."""
    with httpx2.Client(base_url=small.url) as client:
        yield client


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(history=histories())
def test_usage_is_what_the_naive_model_says(
    small: Simulator, door: httpx2.Client, history: list[tuple[float, Ask]]
) -> None:
    """For any history of requests both count the same four figures, and both refuse the same requests."""
    headers = {"x-api-key": new_key()}
    naive = Naive()
    for gap_s, ask in history:
        small.clock.advance(gap_s)
        naive.now += gap_s
        answer = door.post("/v1/messages", json=ask.body(), headers=headers)
        if naive.allowed(ask):
            assert counts(Usage.model_validate(answer.json()["usage"])) == naive.usage(ask)
        else:
            assert (answer.status_code, answer.json()["error"]["type"]) == (400, "invalid_request_error")
