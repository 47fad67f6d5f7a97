"""What `misses`, `ttl` and `regressions` share: the calls they judge, and what they say where it is not all or none."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click

from core import settings

if TYPE_CHECKING:
    from core.metrics.scope import Scope
    from core.store.lake import Lake
    from core.store.query import Reader
    from core.traffic import Bounds, Traffic


whole_option = click.option(
    "--whole",
    "every",
    is_flag=True,
    help="Judge every call of a long range at once; each takes about a kilobyte of memory.",
)


def judged(scope: Scope, *, quiet: bool, every: bool = False) -> tuple[Traffic, Bounds, dict[str, Any]]:
    """Read the calls of a scope, with those before them; the newest where there are too many at once, unless `every`.

    Beside them: how many of those in scope rest on their source's defaults (core.metrics.known_by). Says on stderr,
    unless it is to be quiet, where nothing, or not everything, is there to judge.
    """
    from core.metrics import known_by
    from core.pricing import load_book
    from core.store.lake import Lake
    from core.store.query import Reader
    from core.traffic import load_bounded
    from core.traffic.bounds import EVERY

    chosen = settings.load()
    lake = Lake(chosen.lake_path)
    with Reader(lake) as reader:
        limits = {"at_once": EVERY, "with_earlier": EVERY} if every else {}
        traffic, bounds = load_bounded(reader, scope, load_book(chosen.price_files), **limits)
        known = known_by(reader, bounds.scope)
        if not quiet and not traffic.in_scope.any():
            say_nothing_matches(lake, reader, scope)
    if bounds.cut and not quiet:
        assert bounds.scope.start is not None
        click.echo(
            f"The range holds more than {bounds.at_once:,} calls: the newest of them are judged, since "
            f"{bounds.scope.start:%Y-%m-%dT%H:%MZ}. For the others choose ranges with --from and --to, or "
            "--whole where there is memory; `cachewise report --format xlsx` judges every call.",
            err=True,
        )
    return traffic, bounds, known


def say_nothing_matches(lake: Lake, reader: Reader, scope: Scope) -> None:
    """Say on stderr that no call in scope has tokens, and what there is instead."""
    from core.metrics import summary

    hint_if_empty(lake)
    held = reader.span("calls")
    if held is None:
        return
    found = summary(reader, scope)
    if found["calls"] or found["failed_calls"]:
        click.echo(
            f"No call of the range and the filters told any tokens: {found['failed_calls']:,} failed, "
            f"{found['calls']:,} came back without.",
            err=True,
        )
    else:
        click.echo(
            f"No call matches the range and the filters; the tables hold calls of {held[0]:%Y-%m-%d} to "
            f"{held[1] - timedelta(days=1):%Y-%m-%d}.",
            err=True,
        )


def hint_if_empty(lake: Lake) -> None:
    """Say on stderr what to do where no call was ever stored."""
    if lake.version("calls") is None:
        click.echo(
            f"No calls in {lake.path} yet. Run `cachewise collect`, or `export CACHEWISE_DEMO=true` for the demo's "
            "tables.",
            err=True,
        )
