"""The router: language, filters and freshness around the pages; every page is a plain script in app_pages/."""

from functools import partial

import streamlit as st

from core.errors import CachewiseError
from dashboard import address, components, data, drawers, entrance, filters, guide, saved_views, style, warm
from dashboard.i18n import LANGUAGES, browser_language, t

# The menu: its headings, and the pages under each with their icons. No docstring here: Streamlit would draw it.
SECTIONS = {
    "answers": {
        "overview": ":material/dashboard:",
        "hit_rate": ":material/target:",
        "misses": ":material/query_stats:",
        "latency": ":material/timer:",
    },
    "money": {
        "cost": ":material/payments:",
        "savings": ":material/savings:",
        "prices": ":material/sell:",
        "reconcile": ":material/balance:",
        "reports": ":material/summarize:",
    },
    "act": {
        "actions": ":material/checklist:",
        "ttl_lab": ":material/experiment:",
        "probe": ":material/biotech:",
        "caches": ":material/layers_clear:",
    },
    "data": {
        "live": ":material/stream:",
        "calls": ":material/list:",
        "notes": ":material/sticky_note_2:",
        "data_health": ":material/monitor_heart:",
    },
}
HOME = "overview"  # by itself at the front, one click from everywhere
UNFILTERED = ("actions", "notes", "probe", "caches", "reconcile")

st.set_page_config(page_title="Cachewise", page_icon="💾", layout="wide")
st.html(style.RULES)

mother_tongue = browser_language(st.context.locale)
address.arrive()
address.recall("lang", LANGUAGES, mother_tongue)
guide.arrive()
with st.sidebar:
    st.segmented_control(
        "Language · 언어",
        LANGUAGES,
        format_func=lambda code: {"ko": "한국어", "en": "English"}[code],
        required=True,
        key="lang",
        label_visibility="collapsed",
    )

pages = {
    name: st.Page(
        f"app_pages/{name}.py",
        title=t(f"page.{name}.title"),
        icon=icon,
        url_path="" if name == HOME else name.replace("_", "-"),
        default=name == HOME,
    )
    for section in SECTIONS.values()
    for name, icon in section.items()
}
who = entrance.arrive()
menu = {
    t(f"menu.{heading}"): [pages[name] for name in section if name != HOME] for heading, section in SECTIONS.items()
}
page = st.navigation(
    {"": [pages[HOME]]} | menu,  # at the top, so that the sidebar has room for the filters
    position="top" if entrance.admits(who) else "hidden",
)
name = next(key for key, value in pages.items() if value is page or value.url_path == page.url_path)

components.header(page.title, t(f"page.{name}.lead"))
if not entrance.admits(who):
    entrance.refuse(who)
    st.stop()
try:
    components.marks(data.configuration())
    with st.sidebar:
        entrance.badge(who)
        filters.draw(data.options(), idle=name in UNFILTERED)
        drawers.draw("sources", ":material/lan:", components.sources)
        scripts = {key: f"app_pages/{key}.py" for key in pages}
        drawers.draw("views", ":material/bookmarks:", partial(saved_views.draw, name, page.url_path, scripts))
        drawers.draw("glossary", ":material/menu_book:", guide.glossary)
        guide.call_again()
        components.clear_button()
    address.publish(
        {
            "lang": mother_tongue,
            "range": filters.DEFAULT_PRESET,
            "compare": filters.DEFAULT_COMPARE,
            "tenant": [],
            "tour": guide.SHOWN,
        }
    )
    components.failing_sources()
    guide.tour(name)
    warm.note_zone(filters.zone())
    page.run()
except CachewiseError as error:
    components.failed(error)
