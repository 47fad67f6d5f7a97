"""What a checkup says: the same keys in both languages, English for the command line, Korean for the page."""

import ast
import tomllib
from string import Formatter

import pytest

from collector.checkup import Check, in_words, say, skip_reason
from collector.checkup.check import of_error
from collector.checkup.said import FOLDER, catalogue
from core.errors import FixSettings
from tests.support.korean import english

CHECKUP = FOLDER.parent


def variables(text: str) -> set[str]:
    """The {names} of a text."""
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def test_both_languages_have_the_same_sentences_in_the_same_order() -> None:
    """No key is told in one language only, and none drops a figure."""
    ko, en = catalogue("ko"), catalogue("en")

    assert list(ko) == list(en)
    assert [key for key in en if variables(ko[key]) != variables(en[key])] == []


@pytest.mark.parametrize("key", catalogue("ko"))
def test_no_english_sentence_is_left_in_korean(key: str) -> None:
    """Names of settings and commands stay, sentences do not."""
    assert english(catalogue("ko")[key]) == []


def test_every_sentence_of_the_code_is_in_the_catalogue_with_its_fields() -> None:
    """What say() is called with is there, and is given what it asks for."""
    calls = [
        call
        for path in CHECKUP.glob("*.py")
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "say"
    ]
    literal = [call for call in calls if isinstance(call.args[0], ast.Constant)]
    whole = [call for call in literal if all(word.arg for word in call.keywords)]
    en = catalogue("en")

    assert len(literal) > 50
    assert [call.args[0].value for call in literal if call.args[0].value not in en] == []
    given = {call.args[0].value: {word.arg for word in call.keywords} for call in whole}
    assert {key: names for key, names in given.items() if names != variables(en[key])} == {}


def test_no_check_is_put_into_words_where_it_is_made() -> None:
    """A sentence written in the code could be told in English only."""
    made = [
        (path.name, call.lineno, part)
        for path in CHECKUP.glob("*.py")
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "Check"
        for part in call.args[3:5]
    ]

    assert len(made) > 50
    assert [where for *where, part in made if isinstance(part, ast.JoinedStr | ast.Constant)] == []


def test_a_check_that_was_kept_is_told_in_either_language() -> None:
    """English is what the command line printed, to the letter; Korean is made from the same figures."""
    models = [say("coverage.model", model="claude-next", n=1200, price_reason="unknown model claude-next")]
    check = Check("coverage", "calls", "warn", say("coverage.partial", n=1200, of=5000, models=models))

    assert check.facts()["message"] == (
        "1,200 of 5,000 calls of the last 30 days have no price: claude-next (1,200: unknown model claude-next)."
    )
    assert in_words(check.kept(), "en")["message"] == check.message
    assert in_words(check.kept(), "ko")["message"] == (
        "최근 30일의 호출 5,000건 중 1,200건의 가격을 알 수 없습니다: "
        "claude-next 1,200건(가격표에 없는 모델: claude-next)"
    )


def test_an_error_is_told_by_its_code_with_its_values() -> None:
    """The Korean of a code is followed by what the error is about."""
    error = FixSettings(
        "AWS denies reading /aws/lambda/x in eu-west-1 (AccessDenied).",
        code="COL-403",
        mend="Allow it.",
        about=("/aws/lambda/x", "eu-west-1", "AccessDenied"),
    )
    told = in_words(of_error("source", "bodo", error).kept(), "ko")

    assert told["message"] == "이 로그 그룹을 읽을 권한이 없습니다. (/aws/lambda/x · eu-west-1 · AccessDenied)"
    assert told["mend"].startswith("로그 그룹 ARN 뒤에")


def test_a_check_of_an_older_version_stays_as_it_was_written() -> None:
    """Where nobody kept what it was made from, the English sentence stands."""
    kept = {"kind": "clock", "subject": "bodo", "status": "ok", "message": "fine", "mend": "", "code": None}

    assert in_words(kept, "ko") == kept


def test_a_check_of_a_version_with_other_fields_stays_as_it_was_written() -> None:
    """A page in Korean shows what an older one kept; it does not fail."""
    kept = Check("tables", "calls", "ok", say("tables.size", version=1, rows=2, files=3, size="4 kB")).kept()
    kept["said"]["message"]["about"] = {"version": 1, "rows": 2, "files": 3, "megabytes": 0.004}

    assert in_words(kept, "ko")["message"] == "Version 1, 2 rows, 3 file(s), 4 kB."


def test_every_reason_to_skip_a_line_has_words() -> None:
    """Whatever a parser or a source says of a line can be read on a page."""
    code = "\n".join(path.read_text(encoding="utf-8") for path in CHECKUP.parent.rglob("*.py"))
    named = {
        call.args[0].value
        for call in ast.walk(ast.parse(code.replace("from __future__ import annotations", "")))
        if isinstance(call, ast.Call)
        and call.args
        and isinstance(call.args[0], ast.Constant)
        and getattr(call.func, "id", getattr(call.func, "attr", None)) in ("skipped", "skip", "_skip")
    }
    words = tomllib.loads((FOLDER / "ko.toml").read_text(encoding="utf-8"))

    assert len(named) > 8
    assert {name for name in named if f"skip.{name}" not in words} == set()
    assert skip_reason("broken_json", "ko") == "손상된 JSON"
    assert skip_reason("of_tomorrow", "ko") == "of_tomorrow"
