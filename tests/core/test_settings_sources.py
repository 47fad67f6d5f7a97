"""What a source in S3 and a service's own metric names need in the settings, and what a person is told otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest

from core import settings
from core.errors import FixSettings
from core.settings import SourceSettings


def load(folder: Path, lines: str) -> SourceSettings:
    """Load a settings file with one source of these lines."""
    (folder / "cachewise.toml").write_text(f'[[sources]]\nname = "it"\n{lines}\n')
    return settings.load({}, folder=folder).sources[0]


def test_a_source_in_s3_needs_a_bucket_only(tmp_path: Path) -> None:
    """Prefix, region and role are optional; a slash before the prefix is no part of any key."""
    source = load(tmp_path, 'kind = "s3"\nbucket = "logs"\nprefix = "/AWSLogs/"')

    assert (source.kind, source.bucket, source.prefix, source.role_arn) == ("s3", "logs", "AWSLogs/", None)


def test_a_service_s_metric_names_are_read(tmp_path: Path) -> None:
    """[sources.metrics] gives roles their names."""
    source = load(tmp_path, 'kind = "files"\npath = "a.log"\n[sources.metrics]\noutput = "TokOut"\ninput = "TokIn"')

    assert source.metrics == (("input", "TokIn"), ("output", "TokOut"))


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        ('kind = "s3"', "CFG-007"),
        ('kind = "s3"\nbucket = "logs"\nrole_arn = "logs-reader"', "CFG-017"),
        ('kind = "files"\npath = "a"\n[sources.metrics]\nprice = "X"', "CFG-004"),
        ('kind = "files"\npath = "a"\n[sources.metrics]\ninput = 5', "CFG-016"),
        ('kind = "files"\npath = "a"\nmetrics = "X"', "CFG-004"),
    ],
)
def test_what_cannot_be_read_is_said(tmp_path: Path, lines: str, code: str) -> None:
    """Each has the code of its mend and names the accepted form."""
    with pytest.raises(FixSettings) as raised:
        load(tmp_path, lines)

    assert (raised.value.code, bool(raised.value.mend)) == (code, True)
