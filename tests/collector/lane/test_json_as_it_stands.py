"""Lines of the JSON format that are read without decoding: what any change of a letter makes of them."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

import pytest

from collector.lane import json_forms
from core.telemetry import prompt_store_hit_line
from tests.support.both_ways import assert_same
from tests.support.collecting import DEFAULTS
from tests.support.log_lines import T0, cost, iso, rid

ODD = b'"\\{}[],:0 19aZ-.\t\r\xff\xe2'


def platform(kind: str, ms: int, name: str, **more: Any) -> str:
    told = {"time": iso(ms), "type": f"platform.{kind}", "record": {"requestId": name, **more}}
    return json.dumps(told, separators=(",", ":"))


def request(draw: Random, number: int, ms: int) -> list[bytes]:
    """Return the lines of a request, letter by letter as the platform and the runtime for Python write them."""
    name, spaced = rid(number), draw.random() < 0.5
    logger = draw.choice(("root", "root", "app.main", "x", "a-very-long-name-of-a-logger-that-somebody-chose"))

    def app(message: str) -> str:
        stamp = iso(ms) if draw.random() < 0.5 else f"{iso(ms)[:19]}Z"
        said = {"timestamp": stamp, "level": "INFO", "message": message, "logger": logger, "requestId": name}
        return json.dumps(said, ensure_ascii=False, separators=(", ", ": ") if spaced else (",", ":"))

    metrics: dict[str, Any] = {
        "durationMs": draw.choice((round(draw.uniform(3, 900), 2), 30000)), "billedDurationMs": 13,
        "memorySizeMB": 512, "maxMemoryUsedMB": 123,
    }  # fmt: skip
    whole: list[dict[str, Any]] = [{"metrics": metrics}, {"status": "success"}]
    first, last = whole if draw.random() < 0.5 else whole[::-1]
    engine = draw.choice(("sales", "한국어", "a b", "sales", 'quo"ted', "back\\slash", "x, y"))
    lines = [
        platform("start", ms, name, version=draw.choice(("12", "$LATEST", 'a"b'))), app("Found credentials"),
        app(prompt_store_hit_line(engine)), app(cost(given=draw.randrange(1, 400), read=draw.choice((0, 3000)))),
        platform("runtimeDone", ms, name, status="success"), platform("report", ms, name, **first, **last),
    ]  # fmt: skip
    return [line.encode() for line in lines]


def spoiled(draw: Random, line: bytes) -> bytes:
    """Return a line with a letter changed, taken out or put in."""
    at, letter = draw.randrange(len(line)), bytes([draw.choice(ODD)])
    return draw.choice(
        (line[:at] + letter + line[at + 1 :], line[:at] + line[at + 1 :], line[:at] + letter + line[at:])
    )


@pytest.mark.parametrize("seed", range(3))
def test_a_changed_letter_tells_what_it_tells_decoded(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every fourth request has a line that is spoiled anywhere; rows and counters are those of decoded lines."""
    draw, lines, decoded = Random(seed), list[bytes](), list[int]()
    for number in range(300):
        told = request(draw, number, T0 + number * draw.choice((0, 40, 3000)))
        if draw.random() < 0.25:
            at = draw.randrange(len(told))
            told[at] = spoiled(draw, told[at])
        lines += told
    path = tmp_path / "lambda.log"
    path.write_bytes(b"\n".join(lines) + b"\n")
    look_at = json_forms._look_at

    def counting(lines: Any, which: Any) -> Any:
        decoded.append(len(which))
        return look_at(lines, which)

    monkeypatch.setattr(json_forms, "_look_at", counting)

    assert_same(path, tmp_path, DEFAULTS, monkeypatch)

    assert 50 < sum(decoded) < len(lines) // 3


@pytest.mark.parametrize("number", ["07", "1e3", "-1", "1.", ".5", "123456789", "1.1234567", "true", '"7"', "12 "])
def test_a_number_is_one_as_json_has_it(number: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What JSON does not take for a number, or what is longer than the quick way reads, is told the same."""
    draw, lines = Random(3), list[bytes]()
    for at in range(30):
        *front, last = request(draw, at, T0 + at * 1000)
        name = (b'"billedDurationMs":', b'"memorySizeMB":', b'"durationMs":')[at % 3]
        before, _, behind = last.partition(name)
        rest = behind.lstrip(b"0123456789.")
        lines += [*front, before + name + number.encode() + rest if at % 2 else last]
    path = tmp_path / "lambda.log"
    path.write_bytes(b"\n".join(lines) + b"\n")

    assert_same(path, tmp_path, DEFAULTS, monkeypatch)


def test_lines_of_both_spacings_are_read_beside_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two ways to write JSON in one piece, and no line that has to be decoded."""
    draw = Random(5)
    told = [request(draw, number, T0 + number * 1000) for number in range(200)]
    odd = (b"\\", b"a-very-long-name")
    lines = [line for lines in told if not any(word in line for word in odd for line in lines) for line in lines]
    assert {line[:14] for line in lines} >= {b'{"timestamp":"', b'{"timestamp": '}
    path = tmp_path / "lambda.log"
    path.write_bytes(b"\n".join(lines) + b"\n")

    assert_same(path, tmp_path, DEFAULTS, monkeypatch)
