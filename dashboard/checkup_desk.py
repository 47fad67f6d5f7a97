"""The checkup on the Data health page: what was found the last time, and the button that looks again."""

from __future__ import annotations

from datetime import UTC, datetime

import streamlit as st

from dashboard import acts, auth, components, data, health
from dashboard import format as fmt
from dashboard.components import Column
from dashboard.i18n import language, t


def show(zone: str) -> None:
    """Draw the section; only an operator may look again, as it asks the sources."""
    lang, now = language(), datetime.now(UTC)
    told = data.latest_checkup()
    checks = health.check_rows(told[1], lang) if told else []
    with components.section("health.checkup", rows=checks):
        operator = auth.role() == "operator"
        if st.button(
            t("health.checkup.run"),
            icon=":material/stethoscope:",
            disabled=not operator,
            help=t("health.checkup.help"),
            key="checkup",
        ):
            with st.spinner(t("health.checkup.running")):
                acts.run_checkup()
            st.rerun()
        if not told:
            st.caption(t("health.checkup.never"))
        else:
            st.caption(t("health.checkup.at", at=fmt.moment(told[0], zone), ago=fmt.relative(told[0], now, lang)))
            for row in checks:
                if row["mend"]:  # a table's cell would cut these sentences off
                    what = " · ".join(fmt.markdown_safe(row[name]) for name in ("result", "check", "subject"))
                    st.markdown(f"**{what}**  \n{fmt.markdown_safe(row['message'])} {fmt.markdown_safe(row['mend'])}")
            components.table(
                checks,
                [
                    Column("result", "short", "col.result"),
                    Column("check", "text", "col.check"),
                    Column("subject", "text", "col.subject"),
                    Column("message", "sentence", "col.message"),
                    Column("mend", "sentence", "col.mend"),
                    Column("code", "short", "col.code"),
                ],
                key="health_checkup",
                alt=t("health.checkup.title"),
            )
