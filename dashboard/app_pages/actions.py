"""Actions: everything that can be done, dearest first; what was done, and what came of what was promised."""

import streamlit as st

from dashboard import action_cards, components, data, promise_charts
from dashboard.i18n import known, language, t

view = components.open_page(everything=True)
todo, done = data.actions(view.scope()), data.promised()
found = data.realised(done)

left, right = st.columns([3, 2], gap="medium")
with left, components.section("actions.todo", rows=todo):
    action_cards.still_to_do(todo, view)

with right, components.section("actions.done", rows=promise_charts.rows(done, found)):
    if not done:
        st.info(t("actions.done.none"), icon=":material/checklist:")
    if done:
        labels = [" · ".join(action_cards.named(promise)) for promise in done]
        drawn = promise_charts.kept(promise_charts.rows(done, found), labels, components.look(view))
        components.chart(drawn, key="promises_kept")
    for promise in done:
        action_cards.done_card(promise, found.get(promise.action_id))

entries = [
    {
        "ts": entry.ts,
        "actor": entry.actor,
        "action": known(language(), f"act.{entry.action}", entry.action),
        "target": entry.target,
        "result": known(language(), f"act.{entry.result}", entry.result),
    }
    for entry in data.recorded_actions()
]
with components.section("actions.log", rows=entries):
    if not entries:
        st.caption(t("actions.log.none"))
    else:
        components.table(
            entries,
            [
                components.Column("ts", "moment", "col.ts"),
                components.Column("actor", "text", "col.actor"),
                components.Column("action", "text", "col.action"),
                components.Column("target", "text", "col.target"),
                components.Column("result", "text", "col.result"),
            ],
            key="action_log",
            alt=t("actions.log.title"),
        )
