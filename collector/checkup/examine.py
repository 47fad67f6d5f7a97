"""All checks in the order in which a person would make them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from urllib.parse import urlsplit

from collector.checkup.check import Check
from collector.checkup.defaults import check_defaults, told_by
from collector.checkup.function import check_function
from collector.checkup.prices import check_prices
from collector.checkup.said import say
from collector.checkup.sources import check_source
from collector.checkup.tables import check_tables
from core.settings import Settings, SourceSettings


def examine(
    settings: Settings, sources: Sequence[SourceSettings] | None = None, *, now: datetime | None = None
) -> Iterator[Check]:
    """Yield every check as it is made. `sources`: those to look at, where they are not the configured ones."""
    present = now or datetime.now(UTC)
    chosen = settings.sources if sources is None else sources
    yield _settings(settings, chosen)
    yield from _endpoints(settings, chosen)
    told = told_by(settings)
    for source in chosen:
        yield from check_source(source, now=present)
        yield from check_function(source)
        yield check_defaults(source, told)
    yield from check_tables(settings, chosen, now=present)
    yield from check_prices(settings, today=present.date())


def _settings(settings: Settings, sources: Sequence[SourceSettings]) -> Check:
    where = settings.config_file or say("subject.no_file")
    if not sources:
        return Check(
            "settings",
            where,
            "warn",
            say("settings.no_source"),
            say("settings.no_source.mend"),
        )
    names = [source.name for source in sources]
    return Check("settings", where, "ok", say("settings.sources", n=len(sources), names=names))


def _endpoints(settings: Settings, sources: Sequence[SourceSettings]) -> Iterator[Check]:
    """Tell whatever makes the figures those of no real service."""
    if settings.demo:
        yield Check("endpoints", "demo", "warn", say("endpoints.demo"), say("endpoints.unset", name="CACHEWISE_DEMO"))
    replaced = [("AWS_ENDPOINT_URL", settings.aws_endpoint_url), ("ANTHROPIC_BASE_URL", settings.anthropic_base_url)]
    replaced += [(say("subject.endpoint_of", source=source.name), source.endpoint_url) for source in sources]
    told = [(name, _host(url)) for name, url in replaced if url]
    for name, host in told:
        where = say("endpoints.replaced", host=host)
        yield Check("endpoints", name, "warn", where, say("endpoints.unset", name=name))
    if not told and not settings.demo:
        yield Check("endpoints", "AWS, Anthropic", "ok", say("endpoints.own"))


def _host(url: str) -> str:
    """Return host and port alone: an address may hold a user and a password."""
    return urlsplit(url).netloc.rpartition("@")[2] or say("endpoints.unreadable")
