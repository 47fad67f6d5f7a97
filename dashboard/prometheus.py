"""`/metrics`: the main figures for Prometheus and Grafana, in OpenMetrics text.

Gauges over windows that end now, because a figure may be corrected: late lines, a reprice. What is unknown has no
sample, never 0. Labels are bounded: at most twenty engines, then "(other)".
"""

from __future__ import annotations

import hmac
import importlib.metadata
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio.to_thread
from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from core.access_settings import metrics_token
from core.errors import CachewiseError
from core.metrics.leading import others
from core.metrics.scope import Scope
from dashboard import data
from dashboard import format as fmt
from dashboard.headers import asked_from_here

MOST_ENGINES = 20
OTHER, UNKNOWN = "(other)", "(unknown)"
FRESH_S = 10.0
_KINDS = ("input", "cache_read", "cache_write_5m", "cache_write_1h", "output")
_GAUGES = {
    "cost_usd": "Cost of priced calls in US dollars.",
    "no_cache_cost_usd": "What the same calls would have cost without the Claude cache, in US dollars.",
    "net_savings_usd": "No-cache cost minus cost in US dollars; negative when writes were not read enough.",
    "calls": "Requests to Claude that returned usage: the denominator of price coverage.",
    "priced_calls": "Calls with a known price: the numerator of price coverage.",
    "calls_by_defaults": "Calls whose model or TTL the settings tell, because their log line does not.",
    "cost_by_defaults_usd": "Cost of those of them that are priced, in US dollars: right if the settings are.",
    "failed_calls": "Requests to Claude that returned an error and no usage.",
    "prompt_tokens": "Prompt tokens: the denominator of the read share; its numerator is tokens of kind cache_read.",
    "cacheable_calls": "Calls that could be cached: the denominator of the request hit rate.",
    "claude_cache_read_calls": "Cacheable calls that read from the Claude cache: the numerator of that rate.",
    "invocations": "Lambda invocations of the service.",
}
_BY_ENGINE = ("calls", "cost_usd", "no_cache_cost_usd", "net_savings_usd", "prompt_tokens", "cache_read_tokens")


class Figures(Collector):
    """Asks the dashboard's data for what `/metrics` shows."""

    def __init__(self, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.now = now

    def collect(self) -> Iterator[Any]:
        """Yield every family. Raises what the store raises."""
        now = self.now()
        windows = {
            "1h": Scope(start=_minute(now) - timedelta(hours=1), end=_minute(now)),
            "today": Scope(start=now.replace(hour=0, minute=0, second=0, microsecond=0), end=_minute(now)),
        }
        yield _about()
        totals = {name: data.summary(scope) for name, scope in windows.items()}
        yield from _totals(totals)
        yield from _engines(data.breakdown(windows["today"], "engine"))
        yield from _sources(data.freshness(), now)
        firing = GaugeMetricFamily("cachewise_alerts_open", "Alerts that are open now.")
        firing.add_metric([], data.open_alerts())
        yield firing


def _minute(now: datetime) -> datetime:
    """Round up to a minute, so that whoever asks within it shares the dashboard's cached answer."""
    return now.replace(second=0, microsecond=0) + timedelta(minutes=1)


def _about() -> Any:
    demo = data.configuration().demo
    version = importlib.metadata.version("cachewise")
    about = InfoMetricFamily("cachewise_build", "Version, and whether these are figures of the simulated demo fleet.")
    about.add_metric([], {"version": version, "demo": "true" if demo else "false"})
    return about


def _totals(totals: Mapping[str, Mapping[str, Any]]) -> Iterator[Any]:
    for name, meaning in _GAUGES.items():
        family = GaugeMetricFamily(f"cachewise_{name}", f"{meaning} Window: the last hour, or since UTC midnight.",
                                   labels=["window"])  # fmt: skip
        for window, total in totals.items():
            _add(family, [window], total.get(name))
        yield family
    tokens = GaugeMetricFamily("cachewise_tokens", "Tokens of calls by kind.", labels=["window", "kind"])
    lookups = GaugeMetricFamily(
        "cachewise_prompt_store_lookups", "HIT and MISS lines of the prompt store.", labels=["window", "result"]
    )
    for window, total in totals.items():
        for kind in _KINDS:
            _add(tokens, [window, kind], total.get(f"{kind}_tokens"))
        for result, name in (("hit", "prompt_store_hits"), ("miss", "prompt_store_misses")):
            _add(lookups, [window, result], total.get(name))
    yield from (tokens, lookups)


def _engines(rows: Sequence[Mapping[str, Any]]) -> Iterator[Any]:
    """Yield today's figures of the dearest engines, and the sum of the others under one label."""
    ranked = sorted(
        rows,
        key=lambda row: (others(row["engine"]) is not None, -(row.get("cost_usd") or 0), -(row.get("calls") or 0)),
    )
    kept = {id(row) for row in ranked[:MOST_ENGINES] if others(row["engine"]) is None}
    for name in _BY_ENGINE:
        family = GaugeMetricFamily(
            f"cachewise_engine_{name}", f"{name} since UTC midnight by engine, the dearest twenty.", labels=["engine"]
        )
        told: dict[str, Any] = {}
        for row in ranked:
            label = _label(row["engine"]) if id(row) in kept else OTHER
            value = row.get(name)
            if value is not None:
                told[label] = told.get(label, 0) + value  # two names that are cut to one label are one
        for label, value in told.items():
            _add(family, [label], value)
        yield family


def _label(name: Any) -> str:
    """Return a name out of a log as a label: printable, of bounded length."""
    return UNKNOWN if name is None else fmt.plain(str(name), "en")


def _sources(rows: Iterable[Mapping[str, Any]], now: datetime) -> Iterator[Any]:
    complete = GaugeMetricFamily(
        "cachewise_source_complete_until_timestamp_seconds",
        "Up to when the data of a source is complete, in seconds since 1970.",
        labels=["source"],
    )
    lag = GaugeMetricFamily(
        "cachewise_source_lag_seconds", "How far the data of a source is behind now.", labels=["source"]
    )
    good = GaugeMetricFamily(
        "cachewise_source_last_pass_ok", "1 where the last pass over a source succeeded, else 0.", labels=["source"]
    )
    for row in rows:
        label, until = [_label(row.get("source"))], row.get("complete_until")
        _add(good, label, 0 if row.get("status") == "failed" else 1)
        if until is not None:
            _add(complete, label, until.timestamp())
            _add(lag, label, max(0.0, (now - until).total_seconds()))
    yield from (complete, lag, good)


def _add(family: Any, labels: list[str], value: Any) -> None:
    if value is not None:
        family.add_metric(labels, float(value))


class Exposition:
    """The text of all figures, worked out at most every ten seconds however many ask."""

    def __init__(self, figures: Figures | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._registry = CollectorRegistry(auto_describe=False)  # describing would ask, and asking reads the tables
        self._registry.register(figures or Figures())
        self._clock = clock
        self._guard = threading.Lock()
        self._text: bytes | None = None
        self._at = 0.0

    def text(self) -> bytes:
        """Return OpenMetrics text. Raises what the store raises; an error is not kept."""
        with self._guard:
            if self._text is None or self._clock() - self._at >= FRESH_S:
                self._text = generate_latest(self._registry)
                self._at = self._clock()
            return self._text


exposition = Exposition()


async def metrics(request: Request) -> Response:
    """Answer `/metrics`: to this machine, or to whoever has the token."""
    if not asked_from_here(request.scope) and not _has_token(request.headers.get("authorization", "")):
        body = "Metrics are for this machine, or need the bearer token of CACHEWISE_METRICS_TOKEN.\n"
        return PlainTextResponse(body, status_code=401, headers={"WWW-Authenticate": "Bearer"})
    try:
        text = await anyio.to_thread.run_sync(exposition.text)
    except CachewiseError as error:
        return PlainTextResponse(f"{error.code}\n", status_code=503)
    return Response(text, media_type=CONTENT_TYPE_LATEST, headers={"Cache-Control": "no-store"})


def _has_token(authorization: str) -> bool:
    expected, (kind, _, given) = metrics_token(), authorization.partition(" ")
    if expected is None or kind.lower() != "bearer":
        return False
    return hmac.compare_digest(expected.encode(), given.strip().encode("utf-8", "replace"))
