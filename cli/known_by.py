"""What `metrics`, `misses`, `ttl` and `regressions` say of dollars whose model or TTL no log line told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from cli.printing import money


def say(found: Mapping[str, Any], *, corrected: bool = False) -> None:
    """Say how many calls rest on their source's defaults, and their dollars; nothing where none does.

    `corrected`: the verb takes another model or TTL where the dollars in the lines themselves fit that one.
    """
    if not found["calls_by_defaults"]:
        return
    cost = found["cost_by_defaults_usd"]
    click.echo(
        f"How it is known: of {found['calls']:,} calls, the model of {found['model_by_defaults']:,} and the TTL of "
        f"{found['ttl_by_defaults']:,} come from the source's defaults, because their log lines do not say. "
        + ("What they cost is unknown." if cost is None else f"They cost {money(cost)}.")
        + (" Where the dollars in a line fit another model or TTL, that one is taken here." if corrected else "")
    )
