"""What the tables tell of the figures themselves: lines lost or late, calls without a price, records that disagree."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from collector.checkup.check import Check
from collector.checkup.said import Said, say
from core.metrics import disagreements, summary, tellings
from core.metrics.scope import Scope
from core.settings import SourceSettings
from core.store.query import Reader

Rows = Sequence[Mapping[str, Any]]


def lines(told: Rows) -> Iterator[Check]:
    """Say what was lost before it could be counted, and what could not be read, of the last day."""
    for row in told:
        day, name = row["last_24h"], str(row["source"])
        if day["dropped_records"]:
            yield Check(
                "lines",
                name,
                "warn",
                say("lines.dropped", n=day["dropped_records"]),
                say("lines.dropped.mend"),
                "COL-305",
            )
        if day["clock_ahead"]:
            yield Check(
                "lines",
                name,
                "warn",
                say("lines.ahead", n=day["clock_ahead"]),
                say("lines.ahead.mend"),
            )
        if day["lines_skipped"]:
            examples = day["skip_examples"]
            reasons = [
                _reason(reason, count, examples.get(reason)) for reason, count in day["skipped_by_reason"].items()
            ]
            yield Check(
                "lines",
                name,
                "warn",
                say("lines.skipped", n=day["lines_skipped"], reasons=reasons),
                say("lines.unknown_form.mend" if "unknown_form" in day["skipped_by_reason"] else "lines.skipped.mend"),
            )


def _reason(reason: str, count: int, example: Mapping[str, Any] | None) -> Said:
    """Say how often there was a reason, and where one such line stands and how long it is; its text was never kept."""
    if not example or not example.get("at"):
        return say("lines.reason", skip_reason=reason, n=count)
    return say("lines.reason.at", skip_reason=reason, n=count, length=example["length"], at=example["at"])


def late(told: Rows, sources: Sequence[SourceSettings]) -> Iterator[Check]:
    """Hold the lateness seen against the overlap that each pass reads again."""
    overlaps = {source.name: source.overlap_s for source in sources if source.kind == "cloudwatch"}
    for row in told:
        name, events = str(row["source"]), row["total"]["late_events"]
        if name not in overlaps:
            continue
        if not events:
            yield Check("late", name, "ok", say("late.none"))
            continue
        longest_s, overlap_s = -(-round(row["max_lateness_ms"] or 0) // 1000), overlaps[name]
        seen = {"n": events, "longest": longest_s, "overlap": overlap_s}
        if longest_s <= overlap_s:
            yield Check("late", name, "ok", say("late.within", **seen))
        else:
            yield Check(
                "late",
                name,
                "warn",
                say("late.beyond", **seen),
                say("late.beyond.mend", enough=-(-longest_s // 60) * 60),
            )


def figures(reader: Reader, scope: Scope) -> Iterator[Check]:
    """Say of the scope's calls which have no price, and what else that tells them says otherwise."""
    total = summary(reader, scope)
    yield _coverage(total)
    if total["calls_by_defaults"]:
        names = {"n": "calls_by_defaults", "of": "calls", "model": "model_by_defaults", "ttl": "ttl_by_defaults"}
        yield Check(
            "coverage", "calls", "ok", say("coverage.by_defaults", **{key: total[name] for key, name in names.items()})
        )
    rows = tellings(reader, scope)
    yield from _told_twice(reader, scope, rows)
    yield from _own_dollars(rows)


def _coverage(total: Mapping[str, Any]) -> Check:
    calls, priced = total["calls"], total["priced_calls"]
    if not calls:
        return Check("coverage", "calls", "skipped", say("coverage.no_call"))
    if priced == calls:
        return Check("coverage", "calls", "ok", say("coverage.full", n=calls))
    models = [_unpriced(row) for row in total["unpriced_models"][:3]]
    return Check(
        "coverage",
        "calls",
        "warn",
        say("coverage.partial", n=calls - priced, of=calls, models=models),
        say("coverage.mend"),
    )


def _unpriced(row: Mapping[str, Any]) -> Said:
    about = {"n": row["calls"], "price_reason": row["reason"]}
    return (
        say("coverage.model", model=row["model"], **about) if row["model"] else say("coverage.model.unknown", **about)
    )


def _told_twice(reader: Reader, scope: Scope, rows: Rows) -> Iterator[Check]:
    """Say whether the calls that stand in two logs are the same in both."""
    twice, differing = (sum(row[name] for row in rows) for name in ("told_twice", "disagreeing"))
    if not twice:
        return
    if not differing:
        yield Check("told", "calls", "ok", say("told.alike", n=twice))
        return
    (latest,) = disagreements(reader, scope, 1)
    yield Check(
        "told",
        "calls",
        "warn",
        say("told.differ", n=differing, of=twice, call_id=latest["call_id"], difference=latest["difference"]),
        say("told.differ.mend"),
    )


def _own_dollars(rows: Rows) -> Iterator[Check]:
    """Hold the dollars that lines tell themselves against the prices given to them."""
    for row in rows:
        other, differs = row["price_check_other"], row["price_check_differs"]
        if not other + differs or row["told_by"] not in ("text", "record", "emf"):
            continue  # what a proxy spent is told by a price list of its own
        checked = other + differs + row["price_check_agrees"]
        fitting = other >= differs and (row["model_by_defaults"] or row["ttl_by_defaults"])
        yield Check(
            "told",
            str(row["source"]),
            "warn",
            say(
                "told.dollars.other" if other >= differs else "told.dollars.none",
                n=other + differs,
                of=checked,
                told_by=row["told_by"],
            ),
            say("told.dollars.defaults.mend" if fitting else "told.dollars.code.mend"),
        )
