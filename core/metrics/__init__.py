"""Every number on a page is defined here once; pages, reports and the command line only ask.

Start at `catalog.METRICS` (name → unit and formula); the function of the same name in tokens.py, money.py,
coverage.py, invocations.py, prompt_store.py or speed.py is its definition.
"""

from core.metrics.chargeback import chargeback
from core.metrics.drilldown import Which, calls_page, calls_total, latest_calls
from core.metrics.events import markers
from core.metrics.health import ingest_series, price_rows, tables
from core.metrics.known_by import known_by
from core.metrics.latencies import latency
from core.metrics.leading import others
from core.metrics.overview import breakdown, summary
from core.metrics.pulse import pulse
from core.metrics.sources import freshness, options
from core.metrics.tellings import disagreements, tellings
from core.metrics.timeline import days, latency_series, series, store_series

__all__ = [
    "Which",
    "breakdown",
    "calls_page",
    "calls_total",
    "chargeback",
    "days",
    "disagreements",
    "freshness",
    "ingest_series",
    "known_by",
    "latency",
    "latency_series",
    "latest_calls",
    "markers",
    "options",
    "others",
    "price_rows",
    "pulse",
    "series",
    "store_series",
    "summary",
    "tables",
    "tellings",
]
