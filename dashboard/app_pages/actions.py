"""Actions: open alerts; everything that can be done, dearest first; what was done, and what came of the promises."""

import streamlit as st

from dashboard import action_cards, alert_desk, audit, components, data, promise_charts, worse
from dashboard.i18n import t

told = data.told_alerts()
if alert_desk.any_open(told):  # first of all, and where a source brings nothing all the more
    alert_desk.section(told)

view = components.open_page(everything=True)
todo, done = data.actions(view.scope(), zone=view.zone), data.promised()
found = data.realised(done)

left, right = st.columns([3, 2], gap="medium")
with left, components.section("actions.todo", rows=todo):
    action_cards.still_to_do(todo, view)

with right, components.section("actions.done", rows=promise_charts.rows(done, found), stretch=False):
    if not done:
        st.info(t("actions.done.none"), icon=":material/checklist:")
    if done:
        labels = [" · ".join(action_cards.named(promise)) for promise in done]
        drawn = promise_charts.kept(promise_charts.rows(done, found), labels, components.look(view))
        components.chart(drawn, key="promises_kept")
    for promise in done:
        action_cards.done_card(promise, found.get(promise.action_id))

worse.section()

if not alert_desk.any_open(told):
    alert_desk.section(told)

audit.show()
