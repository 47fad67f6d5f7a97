"""All checks in the order in which a person would make them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from urllib.parse import urlsplit

from collector.checkup.check import Check
from collector.checkup.function import check_function
from collector.checkup.prices import check_prices
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
    for source in chosen:
        yield from check_source(source, now=present)
        yield from check_function(source)
        yield from _defaults(source)
    yield from check_tables(settings, chosen, now=present)
    yield from check_prices(settings, today=present.date())


def _settings(settings: Settings, sources: Sequence[SourceSettings]) -> Check:
    where = settings.config_file or "no settings file"
    if not sources:
        return Check(
            "settings",
            where,
            "warn",
            "No source is configured: `cachewise run` shows the demo fleet.",
            "Add [[sources]] to cachewise.toml, see docs/cli.md.",
        )
    names = ", ".join(source.name for source in sources)
    return Check("settings", where, "ok", f"{len(sources)} source(s): {names}.")


def _endpoints(settings: Settings, sources: Sequence[SourceSettings]) -> Iterator[Check]:
    """Tell whatever makes the figures those of no real service."""
    if settings.demo:
        yield Check(
            "endpoints",
            "demo",
            "warn",
            "The demo fleet is shown: no figure is from a real service.",
            "Unset CACHEWISE_DEMO.",
        )
    replaced = [("AWS_ENDPOINT_URL", settings.aws_endpoint_url), ("ANTHROPIC_BASE_URL", settings.anthropic_base_url)]
    replaced += [(f"endpoint_url of {source.name}", source.endpoint_url) for source in sources]
    told = [(name, _host(url)) for name, url in replaced if url]
    for name, host in told:
        yield Check("endpoints", name, "warn", f"Requests go to {host}, not to the provider itself.", f"Unset {name}.")
    if not told and not settings.demo:
        yield Check("endpoints", "AWS, Anthropic", "ok", "No endpoint is replaced.")


def _host(url: str) -> str:
    """Return host and port alone: an address may hold a user and a password."""
    return urlsplit(url).netloc.rpartition("@")[2] or "an address that cannot be read"


def _defaults(source: SourceSettings) -> Iterator[Check]:
    """Say what text lines leave open and the settings do not fill in."""
    given = source.defaults
    missing = {
        "model": given.model is None,
        "cache_ttl": given.cache_ttl is None,
        "caching_enabled": given.caching_enabled is None,
    }
    names = [name for name, lacks in missing.items() if lacks]
    if not names:
        ttl = f"{given.model} on {given.provider}, {given.cache_ttl}"
        yield Check("defaults", source.name, "ok", f"Text lines are taken as {ttl}.")
        return
    effects = {
        "model": "have no price",
        "cache_ttl": "have no price when they write to the cache",
        "caching_enabled": "say nothing for the request hit rate",
    }
    yield Check(
        "defaults",
        source.name,
        "warn",
        f"Text lines name no {' and no '.join(names)}: they {effects[names[0]]}.",
        f"Set defaults.{names[0]} of the source, unless it holds structured records only.",
    )
