"""Actions: what can be done, marked as done by an operator only, then promised against realised; and undone."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core import fleet as audit
from core import promises
from core.errors import FixSettings
from core.store.lake import Lake
from core.store.query import Reader
from dashboard import acts, data
from tests.support.rows import make_call, table_of
from tests.support.screens import LANGUAGES, bound_to, opened, words

NOW = datetime.now(UTC).replace(microsecond=0)
DAY = timedelta(days=1)
KEY = ("=x <b>tutor</b>", "prefix_changed", "stable_prefix")


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """Six days of an engine whose prefix changes with every call."""
    lake = Lake(tmp_path / "tables")
    moments = [NOW - n * timedelta(minutes=40) for n in range(1, 216)]
    written = {"input_tokens": 100, "cache_read_tokens": 0, "cache_write_1h_tokens": 5000, "prefix_tokens": 5000}
    rows = [make_call(engine=KEY[0], ts=ts, prefix_fingerprint=f"f{n}", **written) for n, ts in enumerate(moments)]
    lake.commit("calls", table_of("calls", rows))
    monkeypatch.setenv("CACHEWISE_STORE_PATH", str(tmp_path))
    return lake


def figures(app: AppTest) -> dict[str, str]:
    """Every key figure by its label."""
    return {metric.label: metric.value for metric in app.metric}


def marks(lake: Lake) -> list[promises.Promise]:
    """The marks in force."""
    with Reader(lake) as reader:
        return promises.promises(reader)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_an_operator_marks_a_card_done_and_it_moves(lake: Lake, lang: str) -> None:
    """The card leaves the list with its promise kept; what it brought is not known yet; undo brings it back."""
    with bound_to("127.0.0.1"):
        app = opened("actions", lang)
        promise = app.button(key="done_" + "_".join(KEY)).click().run()

        assert not promise.exception
        (mark,) = marks(lake)
        assert mark.key == KEY
        assert f"${mark.month_usd:,.2f}" in "".join(figures(app).values()).replace("\\", "")
        assert {"Not known yet", "아직 알 수 없음"} & set(figures(app).values())
        assert not [item for item in app.button if item.key.startswith("done_")]

        app.button(key=f"undo_{mark.action_id}").click().run()

    assert marks(lake) == []
    assert app.button(key="done_" + "_".join(KEY))


def test_a_mark_of_some_days_ago_is_measured(lake: Lake) -> None:
    """With days on both sides the page shows what was realised, its formula, and a chart with its words."""
    with bound_to("127.0.0.1"):
        acts.mark_done(KEY, NOW, "UTC", NOW - 2 * DAY)
        data.forget()
        app = opened("actions")
    chart = app.get("plotly_chart")[0]

    assert not app.exception
    assert "This cause: (" in words(app)
    assert "realised" in chart.proto.alt
    assert len(json.loads(chart.proto.spec)["data"]) == 2
    assert KEY[0] not in words(app)


def test_the_first_screen_marks_too(lake: Lake) -> None:
    """A card on the first screen can be marked, and the line below it sums up."""
    with bound_to("127.0.0.1"):
        app = opened("overview")
        app.button(key="done_" + "_".join(KEY)).click().run()

    assert not app.exception
    assert "1 marked done: promised" in words(app)
    assert "Nothing to do" in words(app)


def test_a_viewer_cannot_mark(lake: Lake) -> None:
    """Where nobody may act there is no button, and the act refuses whoever calls it without one."""
    with bound_to(None):
        app = opened("actions")

        assert not [item for item in app.button if item.key.startswith("done_")]
        with pytest.raises(FixSettings, match="operator"):
            acts.mark_done(KEY, NOW, "UTC", None)
    assert marks(lake) == []


def test_only_what_is_advised_can_be_marked(lake: Lake) -> None:
    """A promise is worked out on the server: nothing can be marked that is not advised."""
    with bound_to("127.0.0.1"), pytest.raises(FixSettings) as refused:
        acts.mark_done(("other", "caching_off", "switch_on"), NOW, "UTC", None)

    assert refused.value.code == "DSH-411"
    with Reader(lake) as reader:
        assert audit.recorded_actions(reader) == []
