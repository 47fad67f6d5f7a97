"""The fixtures of the formats that others write: one file per format, its good lines and its bad ones."""

from __future__ import annotations

from pathlib import Path

FIXTURES = Path(__file__).parents[1] / "collector" / "fixtures"
PLANTED = "PLANTED the user's own words"
"""Stands wherever a real line would hold what a user or Claude wrote."""


CALLS = {"bedrock_batch": 3, "bedrock_log": 5, "emf": 5, "otel": 5, "otel_many_spans": 3, "claude_code": 2,
         "litellm": 4, "anthropic_responses": 3, "batch_results": 2}  # fmt: skip
"""How many calls each fixture tells."""


def lines(name: str) -> list[str]:
    """Return the lines of a fixture."""
    return (FIXTURES / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()


def names() -> list[str]:
    """Return every fixture."""
    return sorted(path.stem for path in FIXTURES.glob("*.jsonl"))
