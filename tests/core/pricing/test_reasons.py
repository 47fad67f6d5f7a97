"""The lines that say why a call has no price: written in one place, read back, and told in Korean."""

import json
import re
import tomllib
from pathlib import Path
from string import Formatter

import pytest

from core.pricing import reasons

PRICING = Path(reasons.__file__).parent


def fields(text: str) -> set[str]:
    """The {names} of a text."""
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def test_korean_has_the_same_reasons_in_the_same_order() -> None:
    """No reason is told in one language only, and none loses a name on the way."""
    korean = tomllib.loads((PRICING / "reasons_ko.toml").read_text(encoding="utf-8"))

    assert list(korean) == list(reasons.REASONS)
    assert {key for key, text in korean.items() if fields(text) != fields(reasons.REASONS[key])} == set()


@pytest.mark.parametrize("key", reasons.REASONS)
def test_every_reason_is_read_back_as_it_was_written(key: str) -> None:
    """A line of a table gives the key and the fields that made it, and no English is left of it in Korean."""
    told = {name: f"claude-{name}" for name in fields(reasons.REASONS[key])}
    line = reasons.reason(key, **told)

    assert reasons.read(line) == [(key, told)]
    assert re.search(r"[가-힣]", reasons.in_korean(line))


def test_doubts_of_one_call_are_read_one_by_one() -> None:
    """Several doubts stand in one line."""
    line = reasons.joined([reasons.reason("bedrock_batch"), reasons.reason("incomplete")])

    assert line is not None
    assert reasons.read(line) == [("bedrock_batch", {}), ("incomplete", {})]
    assert reasons.in_korean(line) == (
        "Bedrock 배치: 절반 가격 적용, 모든 모델에 대해 확인되지는 않음; 중간에 끊긴 스트림: 출력은 하한"
    )


def test_a_name_may_hold_what_joins_reasons() -> None:
    """A model is whatever a log says."""
    assert reasons.in_korean("unknown model gpt; 4") == "가격표에 없는 모델: gpt; 4"


def test_a_line_of_somebody_else_stays_as_it_is() -> None:
    """What is not ours is not guessed at."""
    assert reasons.read("free of charge") is None
    assert reasons.in_korean("free of charge") == "free of charge"


def test_the_book_gives_no_reason_that_has_no_korean() -> None:
    """What the price data themselves say of a model is told in Korean too."""
    models = json.loads((PRICING / "data" / "models.json").read_text(encoding="utf-8"))["models"]
    said = [
        reasons.reason("not_priced", model=model["id"], why=model["unpriced"])
        for model in models
        if "unpriced" in model
    ]

    assert said
    assert [line for line in said if reasons.read(line)[0][0] == "not_priced"] == []
