"""Engines whose log lines tell another model or TTL than their source's defaults, by their own dollar figure."""

from __future__ import annotations

import streamlit as st

from dashboard import components, data, miss_words
from dashboard import format as fmt
from dashboard.i18n import language, t


def told_otherwise(rows: components.Rows) -> tuple[list[str], int]:
    """Return the engines of a breakdown that have such calls, as Markdown, and how many calls there are."""
    found = [row for row in rows if row.get("price_check_other")]
    return [miss_words.engine(row["engine"], language()) for row in found], sum(
        row["price_check_other"] for row in found
    )


def warn(view_scope: data.Scope, key: str) -> None:
    """Say which engines these are and what to do, if there are any; `key` is the sentence."""
    engines, calls = told_otherwise(data.breakdown(view_scope, "engine"))
    if engines:
        st.warning(t(key, engines=", ".join(engines), n=fmt.count(calls)), icon=":material/rule:")
