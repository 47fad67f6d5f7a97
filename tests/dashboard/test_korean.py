"""Pages in Korean over a fleet with whatever can be wrong: no sentence of ours is English, and English has them all."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.message import Message
from streamlit.testing.v1 import AppTest

from collector import checkup
from core import settings
from dashboard import data
from tests.support import ill_fleet, moto_logs
from tests.support.korean import english
from tests.support.screens import opened

_JSON = ("spec", "columns")
PAGES = ("data_health", "calls", "cost", "prices", "overview")


@pytest.fixture(scope="module")
def ill(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A fleet of sources that fail, looked at by a checkup."""
    folder = tmp_path_factory.mktemp("ill")
    with pytest.MonkeyPatch.context() as patch, ill_fleet.running(folder) as file:
        for name, value in moto_logs.CREDENTIALS.items():
            patch.setenv(name, value)
        patch.setenv("CACHEWISE_CONFIG", str(file))
        told = settings.load()
        assert checkup.remember(told, list(checkup.examine(told)))
        yield file


@pytest.fixture
def configured(ill: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The dashboard over that fleet."""
    monkeypatch.setenv("CACHEWISE_CONFIG", str(ill))
    data.reopen()


@pytest.mark.parametrize("name", PAGES)
def test_no_sentence_of_ours_is_english_on_a_korean_page(configured: None, name: str) -> None:
    """Findings, errors, reasons of skips and of prices: told in Korean, by what they were made from."""
    app = opened(name, "ko", range="all")

    assert not app.exception
    left = [found for text in everything(app) for found in english(text) if not _of_a_log(found)]
    assert left == []


def test_the_korean_checkup_says_what_the_english_one_says(configured: None) -> None:
    """Each illness is found, and its Korean sentence has the same names and figures."""
    told = data.latest_checkup()
    assert told is not None
    checks = told[1]
    codes = {check["code"] for check in checks}
    korean = [checkup.in_words(check, "ko") for check in checks]

    assert {"COL-301", "COL-402", "COL-404", "COL-429"} <= codes
    assert {check["kind"] for check in checks if check["status"] in ("fail", "warn")} >= {
        "source", "log_levels", "clock", "defaults", "freshness", "lines", "late", "coverage", "told", "endpoints",
    }  # fmt: skip
    assert [check for check in korean if english(check["message"]) or english(check["mend"])] == []
    assert all(check["message"] != other["message"] for check, other in zip(checks, korean, strict=True))


def everything(app: AppTest) -> Iterator[str]:
    """Every text that a page hands to a browser: words, help, labels, cells of tables and what charts say."""
    for element in app._tree.children.values():
        yield from _texts(element)


def _texts(node: Any) -> Iterator[str]:
    proto = getattr(node, "proto", None)
    if isinstance(proto, Message):
        yield from _strings(proto)
    if getattr(node, "type", None) == "arrow_data_frame":
        yield from (str(cell) for row in node.value.to_numpy() for cell in row)
    for child in getattr(node, "children", {}).values():
        yield from _texts(child)


def _strings(message: Message) -> Iterator[str]:
    for field, value in message.ListFields():
        for one in value if isinstance(value, Iterable) and not isinstance(value, str | bytes) else [value]:
            if isinstance(one, Message):
                yield from _strings(one)
            elif isinstance(one, str) and field.name in _JSON:
                yield from _leaves(json.loads(one))
            elif isinstance(one, str):
                yield one


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _leaves(part)


def _of_a_log(text: str) -> bool:
    """Say whether it is what the fleet's price files or logs say, which stays as it is."""
    return text in ill_fleet.FIELDS["why"]
