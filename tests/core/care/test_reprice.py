"""Repricing: foretold exactly, applied date by date, undone without losing what came since."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest

from core import care
from core.care import reprice as reprice_module
from core.errors import FixSettings
from core.fleet.audit import recorded_actions
from core.pricing import PriceBook, default_book, load_book
from core.pricing.ledger import PRICED, price_checks, price_columns
from core.settings import LineDefaults
from core.store.lake import Lake
from core.store.query import Reader
from core.store.schema import CALLS
from tests.support.rows import NOON, make_call, make_unpriced_call, table_of

CHEAPER = """
[[rows]]
model = "claude-opus-4-5"
scope = "anthropic"
from = 2026-11-20
input = 4.0
cache_write_5m = 5.0
cache_write_1h = 8.0
cache_read = 0.4
output = 20.0
source = "contract"

[[models]]
id = "claude-unheard-of"

[[rows]]
model = "claude-unheard-of"
scope = "anthropic"
input = 1.0
cache_write_5m = 1.25
cache_read = 0.1
output = 5.0
source = "contract"
"""
DAY = timedelta(days=1)


def priced(book: PriceBook, *rows: dict[str, object]) -> pa.Table:
    """The rows with the price columns that the book gives them, as at ingest."""
    told = table_of("calls", rows)
    after = price_columns(book, told)
    checks = price_checks(book, told, after["cost_usd"])
    for name, column in [*((name, after[name]) for name in PRICED), ("price_check", checks)]:
        told = told.set_column(CALLS.get_field_index(name), CALLS.field(name), column)
    return told


@pytest.fixture
def cheaper(tmp_path: Path) -> PriceBook:
    """The built-in book with a contract price, and a price for a model that had none."""
    file = tmp_path / "prices.toml"
    file.write_text(CHEAPER)
    return load_book([file])


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """Three days of calls, priced by the built-in book: one of an unknown model on the last day."""
    lake = Lake(tmp_path / "tables")
    rows = [make_call(ts=NOON - DAY, call_id="old"), make_call(ts=NOON, call_id="new")]
    rows.append(make_unpriced_call(ts=NOON + DAY, call_id="odd", input_tokens=1_000_000, output_tokens=0))
    lake.commit("calls", priced(default_book(), *rows))
    return lake


def costs(lake: Lake) -> dict[str, Decimal | None]:
    return {row["call_id"]: row["cost_usd"] for row in lake.read("calls").to_pylist()}


def test_the_same_book_changes_nothing(lake: Lake) -> None:
    """Pricing again what was priced by the same book finds no row to change, and applies nothing."""
    planned = care.plan(lake, default_book())

    assert (planned.calls, planned.changed, planned.days) == (3, 0, ())


def test_the_preview_tells_the_change_by_model(lake: Lake, cheaper: PriceBook) -> None:
    """Only calls on and after the row's date change; a model that had no price gets one."""
    planned = care.plan(lake, cheaper)

    opus = next(item for item in planned.models if item.model == "claude-opus-4-5")
    odd = next(item for item in planned.models if item.model == "claude-unheard-of")
    assert (opus.calls, opus.changed) == (2, 1)
    assert (opus.old_usd, opus.new_usd) == (Decimal("0.0015"), Decimal("0.00075") + Decimal("0.0006"))
    assert (odd.now_priced, odd.old_usd, odd.new_usd) == (1, Decimal(0), Decimal(1))
    assert planned.days == (NOON.date(), (NOON + DAY).date())
    assert costs(lake)["odd"] is None


def test_applying_writes_what_was_foretold(lake: Lake, cheaper: PriceBook) -> None:
    """After it the table says the new prices, a second preview is empty, and the audit log has both rows."""
    planned = care.plan(lake, cheaper)

    care.apply(lake, cheaper, planned, actor="me")

    assert costs(lake) == {"old": Decimal("0.00075"), "new": Decimal("0.0006"), "odd": Decimal(1)}
    assert care.plan(lake, cheaper).changed == 0
    with Reader(lake) as reader:
        (entry,) = recorded_actions(reader, action="reprice")
    assert (entry.result, entry.actor, entry.before["changed"], entry.after["changed"]) == ("done", "me", 2, 2)


def test_a_range_leaves_the_rest_alone(lake: Lake, cheaper: PriceBook) -> None:
    """Only calls inside the range are priced again, to the moment and not to the day."""
    planned = care.plan(lake, cheaper, NOON + timedelta(hours=1), None)
    care.apply(lake, cheaper, planned, actor="me")

    assert costs(lake) == {"old": Decimal("0.00075"), "new": Decimal("0.00075"), "odd": Decimal(1)}


def test_undo_brings_every_value_back(lake: Lake, cheaper: PriceBook) -> None:
    """Undone, the table is what it was, to the last column."""
    before = lake.read("calls").sort_by("call_id")
    care.apply(lake, cheaper, care.plan(lake, cheaper), actor="me")

    told = care.undo(lake, actor="me")

    assert (told["restored"], told["kept"]) == (2, 0)
    assert lake.read("calls").sort_by("call_id").equals(before)
    assert care.undoable(lake) == []


def test_undo_keeps_rows_that_came_since(lake: Lake, cheaper: PriceBook) -> None:
    """A call read after the repricing stays, and one told anew since keeps the price of its new telling."""
    care.apply(lake, cheaper, care.plan(lake, cheaper), actor="me")
    retold = make_call(ts=NOON, call_id="new", input_tokens=1_000, row_rank=9)
    lake.commit("calls", priced(cheaper, make_call(ts=NOON, call_id="since"), retold))

    told = care.undo(lake, actor="me")

    assert (told["restored"], told["kept"]) == (1, 1)
    assert costs(lake) == {
        "old": Decimal("0.00075"),
        "new": Decimal("0.0042"),
        "odd": None,
        "since": Decimal("0.0006"),
    }


def test_undo_survives_compaction_and_vacuum(lake: Lake, cheaper: PriceBook) -> None:
    """The values before are saved beside the tables: Delta may have forgotten the older version."""
    care.apply(lake, cheaper, care.plan(lake, cheaper), actor="me")
    lake.compact("calls")
    lake.vacuum("calls", retention_hours=0)

    care.undo(lake, actor="me")

    assert costs(lake)["new"] == Decimal("0.00075")


def test_a_later_repricing_is_undone_first(lake: Lake, cheaper: PriceBook) -> None:
    """Two repricings of the same dates come off in reverse order; naming the first is refused."""
    first = care.apply(lake, cheaper, care.plan(lake, cheaper), actor="me", now=NOON)
    care.apply(lake, default_book(), care.plan(lake, default_book()), actor="me", now=NOON + DAY)

    with pytest.raises(FixSettings, match="STO-012"):
        care.undo(lake, first.action_id, actor="me")
    care.undo(lake, actor="me")
    care.undo(lake, actor="me")

    assert costs(lake) == {"old": Decimal("0.00075"), "new": Decimal("0.00075"), "odd": None}
    with pytest.raises(FixSettings, match="STO-011"):
        care.undo(lake, actor="me")


def test_an_interrupted_repricing_can_be_finished_or_undone(
    lake: Lake, cheaper: PriceBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that dies between two dates leaves whole dates; what it did can still be taken back."""
    real, done = reprice_module.rewrite_day, []

    def dies(*args: object, **more: object) -> int:
        if done:
            raise KeyboardInterrupt
        done.append(args)
        return real(*args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(reprice_module, "rewrite_day", dies)
    with pytest.raises(KeyboardInterrupt):
        care.apply(lake, cheaper, care.plan(lake, cheaper), actor="me")
    assert (costs(lake)["new"], costs(lake)["odd"]) == (Decimal("0.0006"), None)
    assert care.plan(lake, cheaper).changed == 1

    assert care.undo(lake, actor="me")["restored"] == 1
    assert costs(lake)["new"] == Decimal("0.00075")


def test_a_repricing_that_could_not_save_stands_in_no_one_s_way(lake: Lake, cheaper: PriceBook) -> None:
    """Nothing was changed: the audit log says that it failed, and the one before it can still be taken back."""
    care.apply(lake, cheaper, care.plan(lake, cheaper, NOON + DAY), actor="me")
    planned, kept = care.plan(lake, cheaper), lake.path / ".repriced"
    kept.rename(lake.path / "aside")
    kept.write_text("no folder")
    with pytest.raises(FixSettings, match="STO-004"):
        care.apply(lake, cheaper, planned, actor="me")
    kept.unlink()
    (lake.path / "aside").rename(kept)

    with Reader(lake) as reader:
        results = {entry.result: entry.after for entry in recorded_actions(reader, action="reprice")}
    assert (set(results), results["failed"]["changed"]) == ({"done", "failed"}, 0)
    assert len(care.undoable(lake)) == 1
    assert care.undo(lake, actor="me")["restored"] == 1
    assert costs(lake)["odd"] is None


def test_what_was_saved_and_not_written_is_not_called_told_anew(
    lake: Lake, cheaper: PriceBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk was full between the two: undoing finds the rows as they were, and claims nothing of the collector."""
    real = reprice_module.rewrite_day

    def fills(*args: object, before_commit: Callable[[], None], **more: object) -> int:
        def full() -> None:
            before_commit()
            raise FixSettings("full", code="STO-003")

        return real(*args, before_commit=full, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(reprice_module, "rewrite_day", fills)
    with pytest.raises(FixSettings):
        care.apply(lake, cheaper, care.plan(lake, cheaper), actor="me")

    told = care.undo(lake, actor="me")
    assert (told["restored"], told["kept"], costs(lake)["odd"]) == (0, 0, None)


def test_a_failed_write_leaves_the_table_as_it_was(
    lake: Lake, cheaper: PriceBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error in the middle of a date is told as it is, and no version is written."""
    planned, version = care.plan(lake, cheaper), lake.version("calls")
    monkeypatch.setattr(reprice_module, "_laid_over", lambda *args: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        care.apply(lake, cheaper, planned, actor="me")

    assert lake.version("calls") == version
    assert not list(lake.path.rglob("*.part"))


def test_a_line_s_own_figure_is_checked_again(tmp_path: Path, cheaper: PriceBook) -> None:
    """A text line whose dollars agreed with the old price says so no longer after the new one."""
    lake = Lake(tmp_path / "lake")
    lake.commit("calls", priced(default_book(), make_call(ts=NOON, call_id="a", reported_cost_usd=Decimal("0.00075"))))
    assert lake.read("calls")["price_check"].to_pylist() == ["agrees"]

    care.apply(lake, cheaper, care.plan(lake, cheaper), actor="me")

    assert lake.read("calls")["price_check"].to_pylist() != ["agrees"]


def test_no_table_is_no_error(tmp_path: Path) -> None:
    """Before the first collection there is nothing to price and nothing to undo."""
    lake = Lake(tmp_path / "nothing")

    assert care.plan(lake, default_book()).calls == 0
    with pytest.raises(FixSettings, match="STO-011"):
        care.undo(lake, actor="me", now=datetime.now(UTC))


def test_defaults_set_later_reach_the_lines_read_before(tmp_path: Path) -> None:
    """A text line says neither model nor TTL: present defaults price it, a record keeps its own, and all is undone."""
    lake = Lake(tmp_path / "tables")
    line = {"told_by": "text", "cache_write_5m_tokens": None, "cache_write_1h_tokens": None, "prompt_tokens": 1_000_100,
            "caching_enabled": None, "cacheable": None, "ttl_known_by": None, "cache_ttl": None}  # fmt: skip
    nameless = {**line, "model": None, "model_id": None, "model_known_by": None}
    unsaid = make_call(ts=NOON, call_id="line") | nameless
    assumed = make_call(ts=NOON, call_id="wrong") | line | {"model": "claude-opus-4-1", "model_known_by": "defaults"}
    other = make_call(ts=NOON, call_id="else", source="other") | nameless
    lake.commit("calls", priced(default_book(), unsaid, assumed, other, make_call(ts=NOON, call_id="record")))
    before = {row["call_id"]: row for row in lake.read("calls").to_pylist()}
    given = {"bodo": LineDefaults(model="claude-opus-4-5", cache_ttl="1h", caching_enabled=True)}

    unasked = care.plan(lake, default_book())
    planned = care.plan(lake, default_book(), defaults=given)
    care.apply(lake, default_book(), planned, actor="me")
    after = {row["call_id"]: row for row in lake.read("calls").to_pylist()}
    told = care.undo(lake, actor="me")

    assert (before["line"]["price_status"], unasked.changed) == ("unpriced", 0)
    assert (planned.changed, sum(item.now_priced for item in planned.models)) == (2, 2)
    cost = Decimal("10.00075")  # 100 × $5 + a million written for 1h × $10 + 10 × $25 per million
    assert [after[name]["cost_usd"] for name in ("line", "wrong", "else", "record")] == [
        cost, cost, None, before["record"]["cost_usd"],
    ]  # fmt: skip
    assert (after["line"]["model_known_by"], after["line"]["ttl_known_by"], after["line"]["cacheable"]) == (
        "defaults", "defaults", True,
    )  # fmt: skip
    assert (after["line"]["cache_write_1h_tokens"], after["record"]) == (1_000_000, before["record"])
    assert told["restored"] == 2
    assert {row["call_id"]: row for row in lake.read("calls").to_pylist()} == before
