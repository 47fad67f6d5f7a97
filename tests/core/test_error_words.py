"""What errors say in Korean: every code that a page can show, and no other."""

import ast
import re
from pathlib import Path

import pytest

from core.error_words import in_korean
from core.errors import FixSettings
from tests.support.korean import english

ROOT = Path(__file__).parents[2]
CODE = re.compile(r"^\| ([A-Z]{3}-\d{3}) \|", re.M)
DOCUMENTED = CODE.findall((ROOT / "docs" / "errors.md").read_text(encoding="utf-8"))
NEVER_ON_A_PAGE = {
    "of the command line alone": "ALR-002 CFG-020 COL-201 COL-202 COL-203 MET-006 PRC-010 PRC-011 PRC-012 REC-009 "
    "REP-003 REP-006 RUN-001 RUN-002 RUN-003 RUN-004 DEM-001 DEM-002 DEM-003 DEM-004",
    "of alerts, which are told to their targets and the log": "ALR-403 ALR-404 ALR-405 ALR-495 ALR-500 ALR-503",
    "of a line, which is counted by its reason": "USG-001 USG-002 USG-003 USG-004 USG-005",
    "of the service that is watched": "CAC-001 CAC-002 CAC-003 CAC-004 SVC-401 SVC-402 SVC-403 SVC-404 SVC-410 SVC-420 "
    "SVC-421 SVC-422 SVC-423 SVC-424 SVC-425 SVC-426",
}


def test_every_code_has_korean_words_or_a_reason_to_have_none() -> None:
    """A new code is told in Korean, unless no page can show it."""
    without = {code for code in DOCUMENTED if in_korean(code) is None}

    assert without == {code for codes in NEVER_ON_A_PAGE.values() for code in codes.split()}
    assert len(DOCUMENTED) > 150


def test_no_words_are_kept_for_a_code_that_is_gone() -> None:
    """The catalogue knows the documented codes only, each with what happened and what to do."""
    lines = (ROOT / "core" / "errors_ko.toml").read_text(encoding="utf-8").splitlines()
    keys = [line.split('"')[1] for line in lines if line.startswith('"')]
    codes = [key for key in keys if not key.endswith(".mend")]

    assert set(codes) <= set(DOCUMENTED)
    assert keys == [name for code in codes for name in (code, f"{code}.mend")]


@pytest.mark.parametrize("code", [code for code in DOCUMENTED if in_korean(code)])
def test_the_words_are_korean_sentences(code: str) -> None:
    """Both end as sentences do, and what is not Korean in them stands in the letters of code or is a name."""
    words = in_korean(code)

    assert words is not None
    for text in words:
        assert re.search(r"[다요](?:\(docs/[^)]*\))?\.$", text), text
        assert english(text) == [], text


def test_an_error_keeps_the_values_that_it_is_about() -> None:
    """They are text, and what is not known is left out."""
    error = FixSettings(
        "AWS denies reading /aws/lambda/x (Denied).", code="COL-403", about=("/aws/lambda/x", None, 403)
    )

    assert error.about == ("/aws/lambda/x", "403")


def test_what_a_source_meets_names_its_values() -> None:
    """Errors of reading are kept with each pass: whatever their messages name, they hand over as well."""
    lacking = [
        f"{path.name}:{call.lineno}"
        for path in (ROOT / "collector" / "sources").rglob("*.py")
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call) and {"code", "mend"} <= {word.arg for word in call.keywords}
        if isinstance(call.args[0], ast.JoinedStr) and "about" not in {word.arg for word in call.keywords}
    ]

    assert lacking == []
