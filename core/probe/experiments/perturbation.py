"""Perturbation: which changes break the cache, each against the same base, with the API's own diagnosis beside.

https://platform.claude.com/docs/en/build-with-claude/prompt-caching (what invalidates the cache) and
https://platform.claude.com/docs/en/build-with-claude/cache-diagnostics (direct API only)
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from core.probe.bench import Answer, Bench
from core.probe.model import Finding, Problem
from core.probe.prompts import TOOLS, Ask

_UNTOLD = frozenset({"pending", "unavailable", "previous_message_not_found"})


@dataclass(frozen=True, slots=True)
class _Change:
    """A changed request, whether it should still be read, and what the diagnosis should say."""

    name: str
    ask: Ask
    keeps: bool
    diagnosis: str


def run(bench: Bench) -> Finding:
    """Pass when a changed question keeps the cache, and every change of the prefix or the model breaks it."""
    diagnose = bench.target.provider == "anthropic"
    base = bench.marked(bench.new_prefix(day="2026-01-05", tools=TOOLS), diagnose=diagnose)
    write = bench.ask(base, "writing the base")
    if not write.written:
        return bench.not_cached(write)
    rows = []
    for change in _changes(bench, replace(base, previous_message_id=write.message_id)):
        answer = bench.ask(change.ask, f"changing: {change.name.replace('_', ' ')}")
        rows.append(_row(change, answer))
    evidence: dict[str, Any] = {"base_tokens": write.written, "changes": rows, "diagnosed": diagnose}
    if bench.target.other_model is None:
        evidence["not_tried"] = ["model: no other model is known to fit; set probe.other_model"]
    wrong = [row for row in rows if not row["as_expected"]]
    broke = ", ".join(row["change"].replace("_", " ") for row in rows if not row["kept"])
    kept = ", ".join(row["change"].replace("_", " ") for row in rows if row["kept"])
    summary = f"Broken by: {broke or 'nothing'}. Kept by: {kept or 'nothing'}."
    if wrong:
        did = "kept" if wrong[0]["kept"] else "broke"
        problem = Problem("PRB-416", f"The change of {wrong[0]['change'].replace('_', ' ')} {did} the cache.")
        return Finding("failed", summary, evidence, problem)
    return Finding("passed", summary, evidence)


def _changes(bench: Bench, base: Ask) -> list[_Change]:
    prefix = base.prefix
    changes = [
        _Change("nothing", base, True, "none"),
        _Change("question", replace(base, question="Say yes."), True, "messages_changed"),
        _Change("system_byte", replace(base, prefix=replace(prefix, last_word="enD")), False, "system_changed"),
        _Change("tool_order", replace(base, prefix=replace(prefix, tools=TOOLS[::-1])), False, "tools_changed"),
        _Change("date", replace(base, prefix=replace(prefix, day="2026-01-06")), False, "system_changed"),
    ]
    if bench.target.other_model is not None:
        changes.append(_Change("model", replace(base, model=bench.target.other_model), False, "model_changed"))
    return changes


def _row(change: _Change, answer: Answer) -> dict[str, Any]:
    kept = answer.read > 0
    told = (answer.diagnosis or {}).get("type")
    return {
        "change": change.name,
        "expected": "kept" if change.keeps else "broken",
        "kept": kept,
        "as_expected": kept is change.keeps,
        "read_tokens": answer.read,
        "written_tokens": answer.written,
        "diagnosis": told,
        "diagnosis_expected": change.diagnosis,
        "diagnosis_agrees": None if told is None or told in _UNTOLD else told == change.diagnosis,
        "diagnosis_missed_tokens": (answer.diagnosis or {}).get("missed_tokens"),
        "model": change.ask.model,
        "cost_usd": answer.cost_usd,
    }
