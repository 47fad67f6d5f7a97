"""Environments with an older prompt stand beside the clear; memory and cold starts stand on the Latency page."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from core.store.lake import Lake
from dashboard.i18n import catalogue
from tests.support import warm_lake
from tests.support.rows import Row, make_call, make_invocation, table_of
from tests.support.screens import LANGUAGES, bound_to, opened, words

both_languages = pytest.mark.parametrize("lang", LANGUAGES)
OLD, NEW = "bbbbbbbbbbbbbbbb", "a1b2c3d4e5f60718"  # the second is what the rest of the fleet holds


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[Lake]:
    """A warm fleet that can be cleared, and its operator."""
    (tmp_path / "cachewise.toml").write_text(warm_lake.CONFIG)
    with bound_to("127.0.0.1"):
        yield warm_lake.fill(tmp_path / "data")


def serve(number: int, prompt: str, minutes: range, version: str) -> list[Row]:
    """Calls of one environment, by how many minutes ago."""
    now = datetime.now(UTC)
    return [
        make_call(
            source=warm_lake.SOURCE, ts=now - timedelta(minutes=ago), engine="tutor", prefix_fingerprint=prompt,
            cache_read_tokens=6_000, log_stream=warm_lake.stream(number), function_version=version,
        )
        for ago in minutes
    ]  # fmt: skip


@both_languages
def test_nobody_is_behind(lake: Lake, lang: str) -> None:
    """All serve one prompt: that is said, and nothing is offered."""
    app = opened("caches", lang)

    assert not app.exception
    assert catalogue(lang)["caches.drift.none"] in words(app)


@both_languages
def test_one_environment_holds_an_older_prompt(lake: Lake, lang: str) -> None:
    """It is listed with what it holds; its button chooses the engine in the clear, and clears nothing."""
    calls = [*serve(2, OLD, range(1, 40), "1"), *serve(4, NEW, range(1, 20), "1"), *serve(5, OLD, range(1, 40), "0")]
    lake.commit("calls", table_of("calls", calls))

    app = opened("caches", lang)
    alt = catalogue(lang)["caches.drift.title"]
    frame = next(item for item in app.dataframe if item.proto.alt == alt)

    rows = {row["environment"]: row for row in frame.value.to_dict("records")}
    assert set(rows) == {"00000002", "00000005"}
    assert (rows["00000002"]["holds"], rows["00000002"]["newest"]) == (OLD[:8], NEW[:8])
    assert rows["00000002"]["calls_behind"] >= 18
    assert catalogue(lang)["caches.drift.draining"].format(n=1) in words(app)

    app.button(key="caches_drift_0").click().run()

    assert not app.exception
    assert app.selectbox(key="caches_engine").value == "tutor"
    assert lake.read("actions").num_rows == 0


@both_languages
def test_memory_and_cold_starts(lake: Lake, lang: str) -> None:
    """A version near its limit is warned of; the share of cold starts has its numerator and denominator."""
    now = datetime.now(UTC) - timedelta(hours=2)
    rows = [
        make_invocation(
            source=warm_lake.SOURCE, ts=now, engine="tutor", function_version="9", log_stream=warm_lake.stream(n),
            memory_mb=512, max_memory_mb=490, cold=n == 0, init_ms=1_200.0 if n == 0 else None,
        )
        for n in range(4)
    ]  # fmt: skip
    lake.commit("invocations", table_of("invocations", rows))
    told = {"source": warm_lake.SOURCE, "function_name": rows[0]["function_name"], "function_version": "9"}
    lake.commit("calls", table_of("calls", [make_call(ts=now, call_id="msg_store", prompt_store_bytes=48_400, **told)]))

    app = opened("latency", lang)
    text = words(app)

    assert not app.exception
    assert catalogue(lang)["latency.memory.title"] in [item.value for item in app.subheader]
    assert [warning for warning in app.warning if "490" in warning.value and "512" in warning.value]
    assert "(1 of 16" in text if lang == "en" else "16건 중 1건" in text
    assert "latency.memory" not in text
    (frame,) = [frame.value for frame in app.dataframe if "store_max_kb" in frame.value.columns]
    assert dict(zip(frame["function_version"], frame["store_max_kb"], strict=True))["9"] == 48


@both_languages
def test_a_cold_request_that_was_quicker_is_not_slower_by_less_than_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lang: str
) -> None:
    """A cold request may be the shorter one, by chance: then it took less, and no "-1,200.0 ms longer"."""
    now = datetime.now(UTC) - timedelta(minutes=5)
    warm = [make_invocation(ts=now, duration_ms=4_000.0) for _ in range(5)]
    quick = make_invocation(ts=now, duration_ms=2_000.0, cold=True, init_ms=300.0)
    Lake(tmp_path / "tables").commit("invocations", table_of("invocations", [*warm, quick]))
    monkeypatch.setenv("CACHEWISE_STORE_PATH", str(tmp_path))

    text = words(opened("latency", lang))

    assert "took 1.70 s less than" in text if lang == "en" else "1.70초 빨랐" in text
