"""The columns of every table: names carry units, money is DECIMAL(18,12) USD, times are UTC microseconds.

A null means "unknown" and is never the same as zero. All tables are partitioned by `date`, the UTC date of `ts`.
"""

from __future__ import annotations

import pyarrow as pa

USD = pa.decimal128(18, 12)
UTC = pa.timestamp("us", tz="UTC")

_WHERE_FROM = [
    pa.field("source", pa.string()),  # name of the configured source that told it
    pa.field("account", pa.string()),
    pa.field("region", pa.string()),
    pa.field("log_group", pa.string()),
    pa.field("log_stream", pa.string()),  # one stream = one execution environment
    pa.field("event_id", pa.string()),
]

DIFFERS = "differs: "
"""How a check_note begins that names what two tellings of one call say differently."""

CALLS = pa.schema(
    [
        pa.field("date", pa.date32()),
        pa.field("call_id", pa.string()),  # identity: the message id, the Bedrock request id, else the event key
        pa.field("id_kind", pa.string()),  # message | request | event
        pa.field("ts", UTC),  # start of the request where known, else when it was logged
        pa.field("ts_kind", pa.string()),  # start | logged | file
        *_WHERE_FROM,
        pa.field("other_id", pa.string()),  # a second id of the same call, such as the provider's request id
        pa.field("told_by", pa.string()),  # the ledger: record | text | emf | bedrock_log | otel | claude_code | …
        pa.field("checked_by", pa.string()),  # who told the same call again, comma-separated; null: nobody
        pa.field("check_keys", pa.string()),  # places in logs of those tellings that have no id, comma-separated
        pa.field("check_note", pa.string()),  # confirmed | differs: <column> <n> in <ledger>, <n> in <check>[; …]
        pa.field("invocation_id", pa.string()),
        pa.field("attribution", pa.string()),  # explicit | positional | none: how the invocation is known
        pa.field("suspected_redelivery", pa.bool_()),
        pa.field("function_name", pa.string()),
        pa.field("function_version", pa.string()),
        pa.field("engine", pa.string()),
        pa.field("tenant", pa.string()),  # whose call it is, as the caller tagged it; null: untagged
        pa.field("provider", pa.string()),  # anthropic | bedrock
        pa.field("model", pa.string()),  # as requested, verbatim
        pa.field("model_id", pa.string()),  # the price book's name of it; null when unknown
        pa.field("model_known_by", pa.string()),  # record | defaults: a text line does not say
        pa.field("status", pa.string()),  # ok | error
        pa.field("error_type", pa.string()),
        pa.field("complete", pa.bool_()),  # false: the stream broke off, output unknown
        pa.field("stop_reason", pa.string()),
        pa.field("stop_category", pa.string()),  # of a refusal: it decides whether the call is billed
        pa.field("has_output", pa.bool_()),  # told of a refusal: whether any answer came with it; null: not told
        pa.field("service_tier", pa.string()),
        pa.field("speed", pa.string()),
        pa.field("inference_geo", pa.string()),
        pa.field("caching_enabled", pa.bool_()),
        pa.field("cache_ttl", pa.string()),  # policy in force: 5m | 1h
        pa.field("ttl_known_by", pa.string()),  # record | defaults
        pa.field("cacheable", pa.bool_()),  # caching on and prefix >= model minimum; null when unknown
        pa.field("prefix_tokens", pa.int64()),
        pa.field("prefix_fingerprint", pa.string()),
        pa.field("prefix_blocks", pa.string()),  # "part:fingerprint …" of its blocks, in order, where told
        pa.field("cache_miss_reason", pa.string()),  # the API's own diagnosis, such as system_changed
        pa.field("prompt_store_bytes", pa.int64()),  # what the environment's prompt store held; null: not told
        pa.field("workspace", pa.string()),  # Anthropic's id of it, which has a cache of its own; null: not told
        pa.field("input_tokens", pa.int64()),  # excludes cached tokens
        pa.field("cache_read_tokens", pa.int64()),
        pa.field("cache_write_5m_tokens", pa.int64()),
        pa.field("cache_write_1h_tokens", pa.int64()),
        pa.field("output_tokens", pa.int64()),
        pa.field("thinking_tokens", pa.int64()),  # part of output_tokens
        pa.field("prompt_tokens", pa.int64()),  # input + read + both writes
        pa.field("web_search_requests", pa.int64()),
        pa.field(
            "billed_steps", pa.string()
        ),  # usage.iterations as JSON: what the call is billed by; null: it has none
        pa.field("latency_ms", pa.float64()),
        pa.field("ttft_ms", pa.float64()),
        pa.field("price_status", pa.string()),  # priced | unpriced
        pa.field("price_reason", pa.string()),  # why unpriced, or a flag on a priced one
        pa.field("price_row", pa.string()),
        pa.field("price_book", pa.string()),  # version (content hash) of the book that priced it
        pa.field("price_check", pa.string()),  # agrees | other:<model>/<ttl>[,…] | differs; null: nothing to check
        pa.field("reported_cost_usd", USD),  # what the line itself claimed
        pa.field("cost_usd", USD),
        pa.field("input_cost_usd", USD),
        pa.field("cache_read_cost_usd", USD),
        pa.field("cache_write_5m_cost_usd", USD),
        pa.field("cache_write_1h_cost_usd", USD),
        pa.field("output_cost_usd", USD),
        pa.field("tools_cost_usd", USD),
        pa.field("no_cache_cost_usd", USD),
        pa.field("gross_savings_usd", USD),
        pa.field("write_premium_usd", USD),
        pa.field("net_savings_usd", USD),
        pa.field(
            "row_rank", pa.int32()
        ),  # how much the teller knew: a re-told row replaces the stored one only if higher
    ]
)

INVOCATIONS = pa.schema(
    [
        pa.field("date", pa.date32()),
        pa.field("invocation_id", pa.string()),
        pa.field("ts", UTC),  # START
        *_WHERE_FROM,
        pa.field("function_name", pa.string()),
        pa.field("function_version", pa.string()),
        pa.field("engine", pa.string()),  # when all its calls and store events agree on one
        pa.field("status", pa.string()),  # ok | error | timeout | open (no REPORT seen)
        pa.field("error_type", pa.string()),
        pa.field("duration_ms", pa.float64()),
        pa.field("billed_duration_ms", pa.float64()),
        pa.field("init_ms", pa.float64()),
        pa.field("restore_ms", pa.float64()),
        pa.field("cold", pa.bool_()),
        pa.field("response_time_ms", pa.float64()),  # duration + init or restore when cold; never billed
        pa.field("memory_mb", pa.int64()),
        pa.field("max_memory_mb", pa.int64()),
        pa.field("calls", pa.int64()),
        pa.field("row_rank", pa.int32()),  # grows with what is known of it: collector/rank.py
    ]
)

PROMPT_STORE_EVENTS = pa.schema(
    [
        pa.field("date", pa.date32()),
        pa.field("event_key", pa.string()),
        pa.field("ts", UTC),
        *_WHERE_FROM,
        pa.field("invocation_id", pa.string()),
        pa.field("attribution", pa.string()),
        pa.field("suspected_redelivery", pa.bool_()),
        pa.field("function_name", pa.string()),
        pa.field("function_version", pa.string()),
        pa.field("engine", pa.string()),
        pa.field("kind", pa.string()),  # hit | miss | stored | clear
        pa.field("fetch_ms", pa.float64()),  # on a miss: time until the matching "stored" line
        pa.field("row_rank", pa.int32()),
    ]
)

INGEST_PASSES = pa.schema(
    [
        pa.field("date", pa.date32()),
        pa.field("pass_id", pa.string()),
        pa.field("source", pa.string()),
        pa.field("kind", pa.string()),  # cloudwatch | files | s3
        pa.field("ts", UTC),  # when the pass began
        pa.field("finished_at", UTC),
        pa.field("status", pa.string()),  # done | failed | partial
        pa.field("error_code", pa.string()),
        pa.field("error_message", pa.string()),
        pa.field("window_start", UTC),
        pa.field("window_end", UTC),
        pa.field("complete_until", UTC),  # data of this source is complete up to here
        pa.field("lines_read", pa.int64()),
        pa.field("lines_recognised", pa.int64()),
        pa.field("lines_ignored", pa.int64()),
        pa.field("lines_skipped", pa.int64()),
        pa.field("outcomes_json", pa.string()),  # {"recognised":{kind:n},"ignored":{kind:n},"skipped":{reason:n}}
        pa.field("new_calls", pa.int64()),
        pa.field("new_invocations", pa.int64()),
        pa.field("new_prompt_store_events", pa.int64()),
        pa.field("duplicates", pa.int64()),
        pa.field("late_events", pa.int64()),
        pa.field("max_lateness_ms", pa.float64()),
        pa.field("requests", pa.int64()),
        pa.field("retries", pa.int64()),
        pa.field("cursor_json", pa.string()),
    ]
)

ACTIONS = pa.schema(
    [
        pa.field("date", pa.date32()),
        pa.field("action_id", pa.string()),
        pa.field("ts", UTC),
        pa.field("actor", pa.string()),
        pa.field("action", pa.string()),
        pa.field("target", pa.string()),
        pa.field("before_json", pa.string()),
        pa.field("after_json", pa.string()),
        pa.field("result", pa.string()),
    ]
)

PROBES = pa.schema(
    [
        pa.field("date", pa.date32()),
        pa.field("probe_id", pa.string()),  # <run_id>/<experiment>
        pa.field("run_id", pa.string()),  # all experiments of one run
        pa.field("ts", UTC),  # when the experiment began
        pa.field("finished_at", UTC),
        pa.field("started_by", pa.string()),  # person | canary
        pa.field("suite", pa.string()),  # seed | full | chosen
        pa.field("experiment", pa.string()),
        pa.field("verdict", pa.string()),  # passed | failed | inconclusive | not_run
        pa.field("summary", pa.string()),  # one sentence with the figures
        pa.field("error_code", pa.string()),
        pa.field("error_message", pa.string()),
        pa.field("provider", pa.string()),
        pa.field("model", pa.string()),
        pa.field("base_url", pa.string()),  # null: the provider's own
        pa.field("simulated", pa.bool_()),  # the server said that it makes its answers up; null: nothing was asked
        pa.field("cache_ttl", pa.string()),
        pa.field("requests", pa.int64()),
        pa.field("estimate_usd", USD),
        pa.field("spent_usd", USD),
        pa.field("spent_exact", pa.bool_()),  # false: an answer was lost, and its worst case is counted as spent
        pa.field("budget_usd", USD),  # of the whole run
        pa.field("price_book", pa.string()),
        pa.field("evidence_json", pa.string()),  # the figures behind the verdict; never a prompt or an answer
    ]
)

ALERTS = pa.schema(
    [
        pa.field("date", pa.date32()),
        pa.field("row_id", pa.string()),  # <alert_id>/<state>/<attempt>
        pa.field("alert_id", pa.string()),  # one alert from opening to resolution
        pa.field("ts", UTC),  # when this state was written
        pa.field("rule", pa.string()),
        pa.field("metric", pa.string()),
        pa.field("subject", pa.string()),  # what it is about: an engine, a source, a regression, or "all"
        pa.field("state", pa.string()),  # open | resolved
        pa.field("opened_at", UTC),
        pa.field("resolved_at", UTC),
        pa.field("value", pa.float64()),  # what was seen, for people; dollars are exact in the message only
        pa.field("threshold", pa.float64()),
        pa.field("message", pa.string()),
        pa.field("evidence_json", pa.string()),
        pa.field("attempt", pa.int64()),
        pa.field("delivered", pa.string()),  # names of the targets that took it, comma-separated
        pa.field("undelivered", pa.string()),  # those that did not, or that wait for quiet hours to end
    ]
)

RECONCILIATIONS = pa.schema(
    [
        pa.field("date", pa.date32()),
        pa.field("run_id", pa.string()),  # <time of the run>/<provider>
        pa.field("ts", UTC),  # when the provider was asked
        pa.field("actor", pa.string()),
        pa.field("provider", pa.string()),  # anthropic | bedrock
        pa.field("via", pa.string()),  # analytics | legacy | cloudwatch | cloudwatch+cost_explorer
        pa.field("simulated", pa.bool_()),  # the server said that it makes its answers up
        pa.field("endpoint", pa.string()),  # null: the provider's own
        pa.field("first_day", pa.date32()),
        pa.field("last_day", pa.date32()),
        pa.field("settled_days", pa.int64()),  # the figures below are of these; the others are in lines_json only
        pa.field("own_tokens", pa.int64()),
        pa.field("billed_tokens", pa.int64()),
        pa.field("unlogged_tokens", pa.int64()),  # billed, and not in the logs
        pa.field("own_usd", USD),
        pa.field("list_usd", USD),
        pa.field("amount_usd", USD),  # after discounts, before credits
        pa.field("gaps", pa.string()),  # what the comparison cannot tell, comma-separated
        pa.field("price_book", pa.string()),
        pa.field("result_json", pa.string()),  # both sides of every day, model and token type
    ]
)

DELIVERIES = pa.schema(
    [
        pa.field("date", pa.date32()),
        pa.field("delivery_id", pa.string()),  # <report_key>/<time>
        pa.field("report_key", pa.string()),  # report, schedule, zone, first day, and a hash of where it goes
        pa.field("ts", UTC),  # when it had arrived
        pa.field("report", pa.string()),
        pa.field("schedule", pa.string()),  # daily | weekly | monthly
        pa.field("zone", pa.string()),
        pa.field("period_start", UTC),
        pa.field("period_end", UTC),
        pa.field("destination", pa.string()),  # of a webhook its host alone: the URL is a secret
        pa.field("formats", pa.string()),
        pa.field("files", pa.string()),
    ]
)

TABLES: dict[str, pa.Schema] = {
    "calls": CALLS,
    "invocations": INVOCATIONS,
    "prompt_store_events": PROMPT_STORE_EVENTS,
    "ingest_passes": INGEST_PASSES,
    "actions": ACTIONS,
    "probes": PROBES,
    "alerts": ALERTS,
    "reconciliations": RECONCILIATIONS,
    "deliveries": DELIVERIES,
}

ADDED: dict[str, tuple[str, ...]] = {"calls": ("tenant", "prompt_store_bytes", "workspace")}
"""Columns that came after the first release, nullable all: core/store/growth.py reads older tables without them."""

KEYS: dict[str, str] = {
    "calls": "call_id",
    "invocations": "invocation_id",
    "prompt_store_events": "event_key",
    "ingest_passes": "pass_id",
    "actions": "action_id",
    "probes": "probe_id",
    "alerts": "row_id",
    "reconciliations": "run_id",
    "deliveries": "delivery_id",
}
"""The column that makes a row the same row, whoever tells it and however often."""
