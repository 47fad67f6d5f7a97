"""Tables of rows: every kind of column in one form, and what is unknown as a dash."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any, Literal, NamedTuple

import streamlit as st

from core.metrics.leading import others
from dashboard import filters, kpis
from dashboard import format as fmt
from dashboard.i18n import Language, language, t

_WHOLE_TABLE = 20
_TALL_PX = 620
_SENTENCE_PX = 620
_MEASURED = 5  # rows
_NARROW_PX, _WIDE_PX, _PADDING_PX = 7.5, 13.5, 20  # of Latin and of Hangul letters in a table, and around them
_LONG_NAME = 46  # characters: a column of longer ones is kept to a medium width
Row = Mapping[str, Any]
Rows = Sequence[Row]


class Column(NamedTuple):
    """One column of a table: its key in the rows, how to show it, and its heading where it is not the metric's."""

    name: str
    kind: str
    label: str | None = None


def table(
    rows: Rows, columns: Sequence[Column], *, key: str, alt: str, pick: bool = False, tall: bool = False
) -> list[int]:
    """Draw rows as a sortable table; what is unknown is a dash. `pick`: a row can be chosen; return which are.
    `tall`: it is what the page is about, and has the room of its screen.

    Without rows a sentence stands in its place.
    """
    if not rows:
        st.caption(t("table.empty"))
        return []
    lang = language()
    shown = [{column.name: _plain(row.get(column.name), column, lang) for column in columns} for row in rows]
    event = st.dataframe(
        shown,
        on_select="rerun" if pick else "ignore",
        selection_mode="single-row",
        column_config={
            column.name: _config(column, [row[column.name] for row in shown], first=column is columns[0])
            for column in columns
        },
        column_order=[column.name for column in columns],
        hide_index=True,
        height="content" if len(shown) <= _WHOLE_TABLE else _TALL_PX if tall else "auto",
        placeholder=fmt.UNKNOWN,
        key=key,
        alt=alt,
    )
    rest = others(rows[-1].get(columns[0].name))
    if rest is not None:
        st.caption(t("table.crowd", shown=fmt.count(len(rows) - 1), n=fmt.count(rest)))
    return [row for row in event["selection"]["rows"] if row < len(rows)] if pick else []


def _plain(value: Any, column: Column, lang: Language) -> Any:
    """Tables show floats: the exact decimals stay in the CSV. A ratio is shown as percent, two places for each."""
    if column.kind in ("text", "word", "digits"):
        return fmt.member(column.name, value, lang)
    if column.kind == "ratio" and value is not None:
        return float(value) * 100
    return value if value is None or isinstance(value, (int, str, date, timedelta)) else float(value)


def _text_width(values: list[Any]) -> int | Literal["medium"] | None:
    """Return a text column's width; None where the table finds it by itself, which looks at the first rows only."""
    wide = [sum(_WIDE_PX if ord(char) > 0x2E80 else _NARROW_PX for char in str(value)) for value in values]
    longest = max(wide, default=0)
    if longest > _LONG_NAME * _NARROW_PX:
        return "medium"
    return None if longest <= max(wide[:_MEASURED], default=0) else int(longest) + _PADDING_PX


def _config(column: Column, values: list[Any], *, first: bool) -> Any:
    """Return how a column is drawn; the first, which names the row, stays in sight where the others are scrolled."""
    label = t(column.label or f"metric.{column.name}.label")
    if column.kind == "money":
        label = f"{label} ($)"
    if column.kind == "day":
        return st.column_config.DateColumn(label, format="YYYY-MM-DD")
    if column.kind == "flag":
        return st.column_config.CheckboxColumn(label)
    if column.kind in ("short", "wide"):
        return st.column_config.TextColumn(label, width="small" if column.kind == "short" else "large")
    if column.kind == "digits":  # a number with every digit is text, and stands as a number does
        return st.column_config.TextColumn(label, alignment="right")
    if column.kind == "sentence":  # read to its end, if need be by scrolling
        return st.column_config.TextColumn(label, width=_SENTENCE_PX)
    if column.kind in ("text", "word"):
        return st.column_config.TextColumn(label, width=_text_width(values), pinned=first)
    if column.kind == "moment":
        form, zone = "YYYY-MM-DD HH:mm:ss", filters.zone()
        return st.column_config.DatetimeColumn(label, format=form, timezone=zone, width=155)
    count_places = {"money": fmt.money_places, "price": fmt.price_places}.get(column.kind)
    places = count_places(values) if count_places else 0
    whole = all(value is None or float(value).is_integer() for value in values) if column.kind == "megabytes" else False
    forms = {
        "money": f"%,.{places}f",  # the sign stands before the number; the heading names the dollar
        "price": f"$%,.{places}f",
        "megabytes": "%,d MB" if whole else "%,.1f MB",
        "kilobytes": "%,d kB",
        "ratio": "%,.2f%%",
        "ms": "%,.0f ms",
        "count": "%,d",
        "tokens": "%,d",
        "times": "%,.1f×",
        "clock": "compact",  # of a timedelta: 00:42:10
    }
    tip = kpis.formula_help(column.name, language()) if column.label is None else None
    return st.column_config.NumberColumn(label, format=forms[column.kind], help=tip)
