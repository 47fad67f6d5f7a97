"""Sources that are named on the command line instead of in the settings. Loads neither tables nor what reads them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from core.settings import SourceSettings

STDIN = "-"


def paths_as_sources(
    paths: Sequence[str], configured: Sequence[SourceSettings], *, like: SourceSettings | None
) -> list[SourceSettings]:
    """Return sources for paths given by hand; a lone configured source, or `like`, lends its defaults.

    stdin is a source of its own: there is no place in it to come back to.
    """
    model = like or (configured[0] if len(configured) == 1 else None)
    prefix = f"{like.name}/" if like else ""
    lent = model or SourceSettings(name="", kind="files")
    files = tuple(path for path in paths if path != STDIN)
    made = []
    if files:
        made.append(replace(lent, name=f"{prefix}files", kind="files", paths=files, endpoint_url=None))
    if STDIN in paths:
        made.append(replace(lent, name=f"{prefix}stdin", kind="files", paths=(STDIN,), endpoint_url=None))
    return made
