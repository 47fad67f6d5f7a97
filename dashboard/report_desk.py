"""What the Reports page asks for, says and hands out; the reports themselves are core.reports."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import streamlit as st

from core.errors import CachewiseError
from core.metrics.aggregate import COLUMNS, TIMES
from core.metrics.chargeback import RULES
from core.metrics.leading import others
from core.reports import files, said
from core.reports.request import Desk, Request
from core.reports.words import word
from dashboard import components
from dashboard.download import for_viewers
from dashboard.filters import View
from dashboard.i18n import language, t, translate

FORMATS = ("xlsx", "html", "pdf", "csv", "parquet", "focus", "focus-parquet")
"""Every format of core.reports, what people open first, first."""

TABLES, DOCUMENTS = ("csv", "parquet"), ("xlsx", "html", "pdf")
GROUPS = ("day", "hour", *COLUMNS)
LARGE = 200_000
"""Calls from which on a report is made with a progress bar before it can be downloaded."""

_MADE = "report_made"
_SHOWN_TOTALS = (
    "calls", "cost_usd", "no_cache_cost_usd", "gross_savings_usd", "write_premium_usd", "net_savings_usd",
    "input_tokens", "cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens", "output_tokens",
)  # fmt: skip
_FILTERS = {
    "engine": "engines", "model": "models", "provider": "providers", "function-version": "function_versions",
    "tenant": "tenants",
}  # fmt: skip


def choose(view: View, *, demo: bool) -> tuple[str, Request]:
    """Draw the choices and return the format and the request they make."""
    lang = language()
    first, second = st.columns(2)
    with first:
        form = st.selectbox(
            t("reports.format"),
            FORMATS,
            format_func=lambda name: translate(lang, f"reports.format.{name}"),
            key="report_format",
        )
    with second:
        zones = list(dict.fromkeys((view.zone, "UTC")))
        zone = st.selectbox(t("reports.zone"), zones, key="report_zone", disabled=form.startswith("focus"))
    chargeback = form in TABLES and _chargeback_wanted(lang)
    names = [name for name in GROUPS if not (chargeback and name in TIMES)]
    if form.startswith("focus"):
        names = ["day", "hour"]
    by = st.multiselect(
        t("reports.by"),
        names,
        default=["engine"] if chargeback else ["day"],
        format_func=lambda name: translate(lang, f"reports.by.{name}"),
        key=f"report_by_{'focus' if form.startswith('focus') else 'charged' if chargeback else 'plain'}",
    )
    rule = _rule(lang) if chargeback or form in DOCUMENTS else None
    return form, Request(
        scope=view.scope(), by=tuple(by) or (("engine",) if chargeback else ()), zone=zone, lang=lang, demo=demo,
        allocate=rule,
    )  # fmt: skip


def command_line(form: str, request: Request) -> str:
    """Return the command that writes the same report."""
    parts = ["cachewise", "report", "--format", form]
    for option, moment in (("--from", request.scope.start), ("--to", request.scope.end)):
        parts += [option, _iso(moment)] if moment else []
    for option, name in _FILTERS.items():
        for value in getattr(request.scope, name):
            parts += [f"--{option}={value}"]
    parts += ["--by", ",".join(request.by)] if request.by else ["--by", ""]
    parts += ["--allocate", request.allocate] if request.allocate else []
    parts += [] if form.startswith("focus") or request.zone == "UTC" else ["--zone", request.zone]
    parts += ["--lang", request.lang] if form in DOCUMENTS and request.lang != "en" else []
    line = shlex.join([*parts, "--out", files.file_name(form, request)])
    return f"CACHEWISE_DEMO=true {line}" if request.demo else line


def counted(rows: Sequence[Mapping[str, Any]], by: Sequence[str]) -> int:
    """Return how many rows the file will have: one that stands for all others is as many."""
    return sum(next((n for name in by if (n := others(row[name])) is not None), 1) for row in rows)


def hand_out(desk: Desk, form: str, request: Request, *, calls: int, rows: int) -> None:
    """Offer the file: at one click, or after a bar of progress where it takes long."""
    if form == "xlsx":
        from core.reports import xlsx  # what writes workbooks, which most visitors do not ask for

        xlsx.check_rows(rows)
    name, kind = files.file_name(form, request), files.FORMS[form].mime
    if calls < LARGE:
        st.download_button(
            t("reports.download", name=name), data=for_viewers(lambda: files.encode(desk, request, form)),
            file_name=name, mime=kind,
            on_click="ignore", icon=":material/download:", type="primary", key="report_download",
        )  # fmt: skip
        return
    asked = (form, request.scope, request.by, request.zone, request.lang, request.allocate)
    if st.button(t("reports.prepare"), icon=":material/build:", type="primary", key="report_prepare"):
        made = _made(desk, form, request)
        if made is None:
            return
        st.session_state[_MADE] = (asked, made)
    kept = st.session_state.get(_MADE)
    if kept and kept[0] == asked:
        st.download_button(
            t("reports.download", name=name), data=for_viewers(lambda: bytes(kept[1])), file_name=name, mime=kind,
            on_click="ignore", icon=":material/download:", key="report_download",
        )  # fmt: skip


def totals(total: dict[str, Any]) -> list[dict[str, str]]:
    """Return the totals that every format holds, with every digit."""
    return [
        {
            "metric": t(f"metric.{name}.label"),
            "value": said.money(total[name]) if name.endswith("_usd") else said.count(total[name]),
        }
        for name in _SHOWN_TOTALS
    ]


def columns(by: Sequence[str], *, chargeback: bool) -> list[components.Column]:
    """Return the columns of the preview."""
    kinds = {"day": "day", "hour": "moment"}
    heads = [components.Column(name, kinds.get(name, "text"), f"reports.by.{name}") for name in by]
    if chargeback:
        own = ("direct_cost_usd", "written_usd", "allocated_writes_usd")
        middle = [components.Column(name, "money", f"reports.col.{name}") for name in own]
        money = [components.Column(name, "money") for name in ("cost_usd", "no_cache_cost_usd", "net_savings_usd")]
        return [*heads, components.Column("calls", "count"), *middle, *money]
    return [
        *heads,
        components.Column("calls", "count"),
        components.Column("cost_usd", "money"),
        components.Column("no_cache_cost_usd", "money"),
        components.Column("net_savings_usd", "money"),
        components.Column("token_hit_rate", "ratio"),
        components.Column("price_coverage", "ratio"),
    ]


def _made(desk: Desk, form: str, request: Request) -> bytes | None:
    """Make the report under a bar of progress; a failure is shown where the file would be."""
    bar = st.progress(0.0, text=word(request.lang, "progress.totals"))
    try:
        return files.encode(
            desk, request, form,
            progress=lambda step, done, of: bar.progress(min(done / max(of, 1), 1.0), text=word(request.lang, step)),
        )  # fmt: skip
    except CachewiseError as error:
        components.problem(error, t("reports.failed"))
        return None
    finally:
        bar.empty()


def _chargeback_wanted(lang: Any) -> bool:
    kind = st.segmented_control(
        t("reports.kind"), ("metrics", "chargeback"), default="metrics", required=True, key="report_kind",
        format_func=lambda name: translate(lang, f"reports.kind.{name}"),
    )  # fmt: skip
    return kind == "chargeback"


def _rule(lang: Any) -> str:
    return st.radio(
        t("reports.rule"), RULES, key="report_rule", captions=[word(lang, f"rule.{name}") for name in RULES],
        format_func=lambda name: translate(lang, f"reports.rule.{name}"), horizontal=True, help=t("reports.rule.help"),
    )  # fmt: skip


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
