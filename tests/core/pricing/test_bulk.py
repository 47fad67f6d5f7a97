"""The columnar path equals the scalar one to the last digit."""

from dataclasses import fields
from datetime import UTC, datetime
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.pricing import PriceBook, PricedCall, default_book, load_book, price_usage
from core.pricing.bulk import COLUMNS, NO_COUNTS, NO_MODEL, NO_TIME, price_table
from core.store.schema import CALLS
from core.usage import Usage
from core.usage.iterations import steps_text
from tests.support.pricing import ANSWERED, CATEGORIES, COUNTS, MODELS, STOPS, TIMES, WILD_TOKENS, usages

AMOUNTS = [item.name for item in fields(PricedCall) if item.name.endswith("_usd")]
USAGE_COLUMNS = (
    *COUNTS,
    "web_search_requests",
    "service_tier",
    "speed",
    "inference_geo",
    "complete",
    "ttl_split_known",
)
CALL = st.tuples(st.sampled_from(MODELS), usages(WILD_TOKENS), TIMES, STOPS, CATEGORIES, ANSWERED)
WORDS = ("provider", "model", "service_tier", "speed", "inference_geo", "stop_reason", "stop_category")


def table(calls: list[tuple]) -> pa.Table:
    rows = [
        {
            "provider": model[0],
            "model": model[1],
            "ts": at,
            "stop_reason": stop,
            "stop_category": category,
            "has_output": answered,
            "billed_steps": steps_text(usage.iterations),
            **{name: getattr(usage, name) for name in USAGE_COLUMNS},
        }
        for model, usage, at, stop, category, answered in calls
    ]
    kinds = dict.fromkeys(WORDS, pa.string()) | {"ts": pa.timestamp("us", tz="UTC")}
    kinds |= dict.fromkeys((*COUNTS, "web_search_requests"), pa.int64())
    kinds |= {
        "complete": pa.bool_(),
        "ttl_split_known": pa.bool_(),
        "has_output": pa.bool_(),
        "billed_steps": pa.string(),
    }
    return pa.Table.from_pylist(rows, schema=pa.schema(list(kinds.items())))


def scalar(book: PriceBook, calls: list[tuple]) -> list[dict[str, object]]:
    priced = []
    for model, usage, at, stop, category, answered in calls:
        call = price_usage(
            book,
            usage,
            provider=model[0],
            model=model[1],
            at=at,
            stop_reason=stop,
            stop_category=category,
            has_output=answered,
        )
        told = {"price_status": call.status, "price_reason": call.reason, "price_row": call.price_row}
        told |= {"price_book": book.version, "model_id": call.model_id}
        priced.append(told | {name: getattr(call, name) for name in AMOUNTS})
    return priced


@settings(deadline=None)  # the first call imports the compute kernels
@given(st.lists(CALL, min_size=1, max_size=60))
def test_both_paths_agree_on_everything(calls: list[tuple]):
    """Status, reason, row and every amount are the same, for mixed models, dates, tiers, refusals and nonsense."""
    book = default_book()
    assert price_table(book, table(calls)).to_pylist() == scalar(book, calls)


@settings(deadline=None)
@given(calls=st.lists(CALL, min_size=1, max_size=40))
def test_both_paths_agree_under_a_price_file(tmp_path_factory: pytest.TempPathFactory, calls: list[tuple]):
    """Discounts, aliases and negotiated rows reach the columnar path too."""
    path = tmp_path_factory.getbasetemp() / "negotiated.toml"
    if not path.exists():
        path.write_text(
            """
            [aliases]
            "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc" = "us.anthropic.claude-opus-5"
            [[discounts]]
            percent = 12.345678
            provider = "anthropic"
            from = 2026-09-01
            to = 2026-11-01
            [[rows]]
            model = "claude-opus-4-8"
            scope = "anthropic"
            from = 2026-07-01
            input = 4.123457
            cache_write_5m = 5
            cache_read = 0.333333
            output = 21
            """
        )
    book = load_book([path])
    assert price_table(book, table(calls)).to_pylist() == scalar(book, calls)


def test_columns_and_types_are_those_of_the_calls_table():
    """The result can be laid into the calls table as it is."""
    priced = price_table(
        default_book(), table([(MODELS[0], Usage(), datetime(2026, 11, 1, tzinfo=UTC), None, None, None)])
    )
    assert tuple(priced.column_names) == COLUMNS
    for field in priced.schema:
        assert field.type == CALLS.field(field.name).type, field.name


def test_unknowns_in_a_table_are_unpriced_and_not_zero():
    """A row without counts, time or model says so and has no amounts; its neighbours are priced."""
    at = datetime(2026, 11, 1, tzinfo=UTC)
    calls = table([(MODELS[0], Usage(input_tokens=1_000_000), at, None, None, None)] * 4).to_pylist()
    calls[1]["output_tokens"] = None
    calls[2]["ts"] = None
    calls[3]["model"] = None
    schema = table([]).schema
    priced = price_table(default_book(), pa.Table.from_pylist(calls, schema=schema)).to_pylist()
    assert [row["price_reason"] for row in priced] == [None, NO_COUNTS, NO_TIME, NO_MODEL]
    assert [row["cost_usd"] for row in priced] == [Decimal(5), None, None, None]


def test_an_empty_table_gives_an_empty_table():
    """No rows, the same columns."""
    assert price_table(default_book(), table([])).num_rows == 0


def test_chunked_dictionary_and_missing_columns_are_taken():
    """Tables come in chunks, with dictionary columns, without the optional ones; null columns are fine."""
    calls = [(model, Usage(input_tokens=10), datetime(2026, 11, 1, tzinfo=UTC), None, None, None) for model in MODELS]
    whole = table(calls)
    chunked = pa.concat_tables([whole.slice(0, 3), whole.slice(3, 0), whole.slice(3)])
    chunked = chunked.drop_columns(
        [
            "stop_reason",
            "stop_category",
            "complete",
            "ttl_split_known",
            "web_search_requests",
            "has_output",
            "billed_steps",
        ]
    )
    chunked = chunked.set_column(1, "model", chunked.column("model").dictionary_encode())
    chunked = chunked.set_column(chunked.schema.get_field_index("speed"), "speed", pa.nulls(len(MODELS)))
    assert price_table(default_book(), chunked).to_pylist() == price_table(default_book(), whole).to_pylist()


def test_negative_amounts_keep_their_sign():
    """A loss is written as a negative decimal."""
    calls = [(MODELS[0], Usage(cache_write_1h_tokens=3), datetime(2026, 11, 1, tzinfo=UTC), None, None, None)]
    assert price_table(default_book(), table(calls)).column("net_savings_usd")[0].as_py() == Decimal("-0.000015")
