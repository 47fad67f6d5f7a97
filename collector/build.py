"""From settings to collectors: the one place that knows which kinds of source there are."""

from __future__ import annotations

from typing import BinaryIO

from collector.by_hand import STDIN
from collector.parsers.emf import METRIC_NAMES, named
from collector.pipeline import Collector
from collector.sources.base import Source
from collector.sources.files import FilesSource
from collector.sources.pace import Paces
from core.errors import FixSettings
from core.pricing import PriceBook
from core.settings import SourceSettings
from core.store.lake import Lake


def make_collector(
    settings: SourceSettings,
    lake: Lake,
    book: PriceBook,
    *,
    follow: bool = False,
    stdin: BinaryIO | None = None,
    paces: Paces | None = None,
) -> Collector:
    """Return the collector of one configured source. Sources that are read together share `paces`."""
    source: Source
    if settings.kind == "cloudwatch":
        from collector.sources.cloudwatch import CloudWatchSource

        source = CloudWatchSource(settings, follow=follow, pace=(paces or Paces()).of(settings))
    elif settings.kind == "files":
        source = FilesSource(settings, final=not follow, stdin=stdin)
    elif settings.kind == "s3":
        from collector.sources.s3 import S3Source

        source = S3Source(settings)
    else:
        raise FixSettings(
            f'Source "{settings.name}" has kind = "{settings.kind}".',
            code="COL-202",
            mend="Accepted: cloudwatch, files, s3.",
            about=(settings.name, settings.kind),
        )
    return Collector(
        source,
        lake,
        book,
        defaults=settings.defaults,
        remembers=STDIN not in settings.paths,
        names=named(settings.metrics) if settings.metrics else METRIC_NAMES,
    )
