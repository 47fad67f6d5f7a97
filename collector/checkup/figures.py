"""What the tables tell of the figures themselves: lines lost or late, calls without a price, records that disagree."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from collector.checkup.check import Check
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
                f"Lambda dropped {day['dropped_records']:,} log records in the last 24 hours (platform.logsDropped).",
                "Lower the function's log volume: these calls cannot be counted.",
                "COL-305",
            )
        if day["clock_ahead"]:
            yield Check(
                "lines",
                name,
                "warn",
                f"{day['clock_ahead']:,} calls of the last 24 hours were dated over 5 minutes ahead of the line that "
                "tells them, and have its time instead.",
                "Set the clock of the machine that makes the calls (NTP), or the times its records tell.",
            )
        if day["lines_skipped"]:
            examples = day["skip_examples"]
            reasons = ", ".join(
                f"{reason} {count:,}{_example(examples.get(reason))}"
                for reason, count in day["skipped_by_reason"].items()
            )
            yield Check(
                "lines",
                name,
                "warn",
                f"{day['lines_skipped']:,} lines of the last 24 hours were not understood: {reasons}.",
                "Look at the lines named; docs/collector.md says what each reason means.",
            )


def _example(example: Mapping[str, Any] | None) -> str:
    """Say where one such line stands and how long it is; its text was never kept."""
    return f" (one of {example['length']:,} characters at {example['at']})" if example and example.get("at") else ""


def late(told: Rows, sources: Sequence[SourceSettings]) -> Iterator[Check]:
    """Hold the lateness seen against the overlap that each pass reads again."""
    overlaps = {source.name: source.overlap_s for source in sources if source.kind == "cloudwatch"}
    for row in told:
        name, events = str(row["source"]), row["total"]["late_events"]
        if name not in overlaps:
            continue
        if not events:
            yield Check("late", name, "ok", "No event became visible after a pass had read its time.")
            continue
        longest_s, overlap_s = -(-round(row["max_lateness_ms"] or 0) // 1000), overlaps[name]
        text = f"{events:,} events became visible late, by up to {longest_s:,} s; overlap_s is {overlap_s:,}."
        if longest_s <= overlap_s:
            yield Check("late", name, "ok", text)
        else:
            yield Check(
                "late",
                name,
                "warn",
                f"{text} Such events are counted when the past is read again, up to an hour later or a day.",
                f"Set overlap_s of the source to {-(-longest_s // 60) * 60} if figures should not change that late.",
            )


def figures(reader: Reader, scope: Scope) -> Iterator[Check]:
    """Say of the scope's calls which have no price, and what else that tells them says otherwise."""
    yield _coverage(summary(reader, scope))
    rows = tellings(reader, scope)
    yield from _told_twice(reader, scope, rows)
    yield from _own_dollars(rows)


def _coverage(total: Mapping[str, Any]) -> Check:
    calls, priced = total["calls"], total["priced_calls"]
    if not calls:
        return Check("coverage", "calls", "skipped", "There is no call in the last 30 days.")
    if priced == calls:
        return Check("coverage", "calls", "ok", f"All {calls:,} calls of the last 30 days have a price.")
    models = ", ".join(
        f"{row['model'] or '(unknown)'} ({row['calls']:,}: {row['reason']})" for row in total["unpriced_models"][:3]
    )
    return Check(
        "coverage",
        "calls",
        "warn",
        f"{calls - priced:,} of {calls:,} calls of the last 30 days have no price: {models}.",
        "Add rows to a price file, then run cachewise reprice; or set the source's defaults, then run "
        "cachewise reprice --defaults.",
    )


def _told_twice(reader: Reader, scope: Scope, rows: Rows) -> Iterator[Check]:
    """Say whether the calls that stand in two logs are the same in both."""
    twice, differing = (sum(row[name] for row in rows) for name in ("told_twice", "disagreeing"))
    if not twice:
        return
    if not differing:
        yield Check("told", "calls", "ok", f"All {twice:,} calls told in two places are told alike.")
        return
    (latest,) = disagreements(reader, scope, 1)
    yield Check(
        "told",
        "calls",
        "warn",
        f"{differing:,} of {twice:,} calls told in two places are told differently, such as "
        f"{latest['call_id']}: {latest['difference']}.",
        "Figures follow the format named first. Compare both logs of that call, and mend the one that is wrong.",
    )


def _own_dollars(rows: Rows) -> Iterator[Check]:
    """Hold the dollars that lines tell themselves against the prices given to them."""
    for row in rows:
        other, differs = row["price_check_other"], row["price_check_differs"]
        if not other + differs or row["told_by"] not in ("text", "record", "emf"):
            continue  # what a proxy spent is told by a price list of its own
        checked = other + differs + row["price_check_agrees"]
        fitting = other >= differs and (row["model_by_defaults"] or row["ttl_by_defaults"])
        fits = "they fit another model or TTL" if other >= differs else "no current model and TTL gives them"
        yield Check(
            "told",
            str(row["source"]),
            "warn",
            f"The dollars of {other + differs:,} of {checked:,} lines ({row['told_by']}) are not those of the price "
            f"book: {fits}.",
            "Set defaults.model and defaults.cache_ttl of the source to what the service runs, then run "
            "cachewise reprice --defaults."
            if fitting
            else "Compare the prices in the service's own code with the Prices page; what a contract says belongs in a "
            "price file.",
        )
