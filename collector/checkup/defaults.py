"""What text lines leave open and the settings do not fill in, told of sources that hold such lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from collector.checkup.check import Check
from collector.checkup.said import say
from core.errors import CachewiseError
from core.metrics import tellings
from core.metrics.scope import Scope
from core.settings import Settings, SourceSettings
from core.store.lake import Lake
from core.store.query import Reader

_TEXT = "text"


def told_by(settings: Settings) -> Mapping[str, frozenset[str]]:
    """Return in which formats the calls of each source were told; nothing where the tables cannot be read."""
    found: dict[str, frozenset[str]] = {}
    try:
        with Reader(Lake(settings.lake_path)) as reader:
            for row in tellings(reader, Scope()):
                name = str(row["source"])
                found[name] = found.get(name, frozenset()) | {str(row["told_by"])}
    except CachewiseError:
        return {}  # the check of the tables says why
    return found


def check_defaults(source: SourceSettings, told: Mapping[str, frozenset[str]]) -> Check:
    """Say what text lines leave open; `told`: the formats of each source, which may hold none of them."""
    given = source.defaults
    missing = {
        "model": given.model is None,
        "cache_ttl": given.cache_ttl is None,
        "caching_enabled": given.caching_enabled is None,
    }
    names = [name for name, lacks in missing.items() if lacks]
    if not names:
        taken = say("defaults.all", model=given.model, provider=given.provider, ttl=given.cache_ttl)
        return Check("defaults", source.name, "ok", taken)
    formats = told.get(source.name)
    if not formats:
        return Check("defaults", source.name, "skipped", say("defaults.unread"))
    if _TEXT not in formats:
        return Check("defaults", source.name, "ok", say("defaults.no_text"))
    return Check(
        "defaults",
        source.name,
        "warn",
        say("defaults.missing", names=_several(names), effect=say(f"defaults.effect.{names[0]}")),
        say("defaults.mend", name=names[0]),
    )


def _several(names: Sequence[str]) -> str:
    """Return names as they stand in a sentence that denies them."""
    if len(names) == 1:
        return names[0]
    key = "defaults.missing.two" if len(names) == 2 else "defaults.missing.three"
    return say(key, **dict(zip(("first", "second", "third"), names, strict=False)))
