"""The parts of the Probe page: whom it asks, what a run would cost, the run under way, and stopping it."""

from __future__ import annotations

from urllib.parse import urlsplit

import streamlit as st

from core import probe, settings
from core.errors import CachewiseError, FixSettings
from dashboard import acts, auth, components, data
from dashboard import format as fmt
from dashboard.components import Column
from dashboard.i18n import known, language, t, translate
from dashboard.probe_desk import ProbeRun

_PLAN, _PLAN_OF = "probe_plan", "probe_plan_of"


def target() -> None:
    """Say whom a probe asks, with which key, and how much it may spend; none of it can be typed here."""
    asked, configured = data.probe_target(), data.configuration()
    url = asked.shown_url or t(f"probe.owner.{asked.provider}")
    lines = {
        "probe.endpoint": fmt.markdown_safe(url),
        "probe.model": fmt.markdown_safe(asked.model),
        "probe.key": fmt.markdown_safe(_key(asked, configured)),
        "probe.budget": fmt.dollars_in_markdown(fmt.money(configured.probe.budget_usd)),
    }
    with components.section("probe.target"):
        st.markdown("\n".join(f"- **{t(name)}**: {value}" for name, value in lines.items()))
        if asked.is_foreign:
            host = fmt.markdown_safe(urlsplit(asked.shown_url or "").netloc)
            owner = t(f"probe.owner.{asked.provider}")
            st.warning(t("probe.foreign", host=host, owner=owner), icon=":material/alt_route:")


def _key(asked: probe.Target, configured: settings.Settings) -> str:
    """Say where the key comes from; never the key."""
    if asked.provider == "bedrock":
        return t("probe.key.aws")
    if settings.api_key() is not None:
        return t("probe.key.environment")
    if configured.probe.secret_name is not None:
        return t("probe.key.secret", name=configured.probe.secret_name)
    return t("probe.key.none")


def offer() -> None:
    """Let an operator choose experiments, see what they cost, and begin."""
    try:
        auth.require("operator")
    except CachewiseError as error:
        components.problem(error, t("probe.refused"))
        return
    names, lang = list(probe.EXPERIMENTS), language()
    chosen = st.pills(
        t("probe.choose"),
        names,
        default=list(probe.SUITES["seed"]),
        selection_mode="multi",
        format_func=lambda name: translate(lang, f"probe.exp.{name}"),
        key="probe_experiments",
    )
    wanted = tuple(name for name in names if name in chosen)
    if st.button(t("probe.estimate"), icon=":material/calculate:", help=t("probe.estimate.help"), key="probe_estimate"):
        _plan(wanted)
    if st.session_state.get(_PLAN_OF) == wanted and wanted:
        _agree(st.session_state[_PLAN])


def _plan(wanted: tuple[str, ...]) -> None:
    st.session_state.pop(_PLAN_OF, None)
    if not wanted:
        st.warning(t("probe.nothing_chosen"), icon=":material/check_box_outline_blank:")
        return
    try:
        with st.spinner(t("probe.estimating")):
            st.session_state[_PLAN] = acts.plan_probe(wanted)
        st.session_state[_PLAN_OF] = wanted
    except CachewiseError as error:
        components.problem(error, t("probe.refused"))


def _agree(plan: probe.Plan) -> None:
    """Show what the run would do and cost, and ask."""
    if plan.problem is not None:
        trouble(plan.problem, t("probe.cannot_ask"))  # nobody could be asked: no figures, rather than zeros
    else:
        _show_estimate(plan)
    _begin(plan)


def _show_estimate(plan: probe.Plan) -> None:
    """Show what the run would do and cost."""
    if plan.simulated:
        st.info(t("probe.simulated"), icon=":material/science:")
    lang = language()
    with st.grid(4, gap="small", key="probe_plan_facts"):
        how = t("probe.plan.counted" if plan.counted else "probe.plan.uncounted")
        components.fact(t("probe.plan.estimate"), fmt.money(plan.estimate_usd), how)
        components.fact(t("probe.plan.budget"), fmt.money(plan.budget_usd), t("probe.plan.budget.of"))
        components.fact(t("probe.plan.requests"), fmt.count(plan.requests), t("probe.plan.requests.of"))
        waiting = fmt.duration_ms(plan.wait_s * 1000, lang) if plan.wait_s else t("probe.plan.wait.none")
        components.fact(t("probe.plan.wait"), waiting, t("probe.plan.wait.of"))
    rows = [
        {
            "title": t(f"probe.exp.{item.name}.title"),
            "requests": item.requests,
            "estimate_usd": item.estimate_usd,
            "needed_usd": item.needed_usd,
        }
        for item in plan.experiments
    ]
    components.table(
        rows,
        [
            Column("title", "text", "probe.col.experiment"),
            Column("requests", "count", "probe.col.requests"),
            Column("estimate_usd", "money", "probe.col.estimate"),
            Column("needed_usd", "money", "probe.col.needed"),
        ],
        key="probe_plan_table",
        alt=t("probe.choose"),
    )
    if not plan.fits:
        st.warning(
            fmt.dollars_in_markdown(t("probe.too_dear", needed=fmt.money(plan.needed_usd))), icon=":material/savings:"
        )


def _begin(plan: probe.Plan) -> None:
    most = fmt.money(plan.budget_usd if plan.problem is None else 0)
    label = fmt.dollars_in_markdown(t("probe.run", about=fmt.money(plan.estimate_usd), most=most))
    if not st.button(label, icon=":material/play_arrow:", type="primary", key="probe_run"):
        return
    try:
        acts.run_probe(plan)
    except CachewiseError as error:
        components.problem(error, t("probe.refused"))
        return
    del st.session_state[_PLAN], st.session_state[_PLAN_OF]
    st.rerun()


def trouble(problem: probe.Problem, title: str) -> None:
    """Show why something was not measured as every other error is shown."""
    components.problem(FixSettings(problem.message, code=problem.code, about=problem.about), title)


def under_way(run: ProbeRun) -> None:
    """Show how far the run is, and let an operator stop it; shows what was found by itself when it has ended."""
    with components.section("probe.running"):
        st.fragment(_watch, run_every="1s")(run)


def _watch(run: ProbeRun) -> None:
    if not run.running:
        st.rerun(scope="app")
    progress = run.progress
    if progress is None:
        st.progress(0.0, text=t("probe.beginning"))
    else:
        told = t(
            "probe.progress",
            title=t(f"probe.exp.{progress.experiment}.title"),
            at=progress.position,
            of=progress.experiments,
            requests=progress.requests,
            spent=fmt.money(progress.spent_usd),
            budget=fmt.money(progress.budget_usd),
        )
        share = min(1.0, (progress.position - 0.5) / progress.experiments)
        st.progress(share, text=fmt.dollars_in_markdown(told))
    if run.stopping.is_set():
        st.caption(t("probe.stopping"))
    elif st.button(t("probe.stop"), icon=":material/stop:", key="probe_stop"):
        try:
            acts.stop_probe()
        except CachewiseError as error:
            components.problem(error, t("probe.refused"))


def ended(run: ProbeRun) -> None:
    """Say what only this process knows of a run: that it broke, or that its results could not be kept."""
    if run.error is not None:
        components.problem(run.error, t("probe.broke"))
    elif run.report is not None and run.report.keep_problem is not None:
        trouble(run.report.keep_problem, t("probe.not_kept"))
        for result in run.report.results:
            verdict = known(language(), f"probe.verdict.{result.verdict}", result.verdict)
            st.markdown(f"- {t(f'probe.exp.{result.experiment}.title')} **{verdict}**")
