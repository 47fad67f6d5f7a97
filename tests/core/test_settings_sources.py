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
        ('kind = "files"\npaths = ["a", 5]', "CFG-004"),
        ('kind = "files"\npaths = []', "CFG-007"),
        ('kind = "cloudwatch"\nlog_group = ""', "CFG-007"),
        ('kind = "cloudwatch"\nlog_group = 7', "CFG-004"),
        ('kind = "cloudwatch"\nlog_group = "/a"\naccount = 123456789012', "CFG-004"),
        ('kind = "cloudwatch"\nlog_group = "/a"\nrescan_days = inf', "CFG-010"),
        ('kind = "cloudwatch"\nlog_group = "/a"\nrequests_per_s = nan', "CFG-010"),
        ('kind = "files"\npath = "a"\ndefaults = 5', "CFG-004"),
        ('kind = "files"\npath = "a"\ndefaults = { model = 4.5 }', "CFG-004"),
        ('kind = "files"\npath = "a"\ndefaults = { caching_enabled = "false" }', "CFG-012"),
        ('kind = "files"\npath = "a"\ndefaults = { cache_ttl = "2h" }', "CFG-009"),
        ('kind = "files"\npath = "a"\ndefaults = { provider = "openai" }', "CFG-008"),
    ],
)
def test_what_cannot_be_read_is_said(tmp_path: Path, lines: str, code: str) -> None:
    """Each has the code of its mend and names the accepted form."""
    with pytest.raises(FixSettings) as raised:
        load(tmp_path, lines)

    assert (raised.value.code, bool(raised.value.mend)) == (code, True)


def test_one_path_needs_no_brackets(tmp_path: Path) -> None:
    """A text is one path, not one for each of its letters; the same of price files."""
    source = load(tmp_path, 'kind = "files"\npaths = "logs/*.gz"\n[prices]\nfiles = "ours.toml"')

    assert source.paths == ("logs/*.gz",)
    assert settings.load({}, folder=tmp_path).price_files == ("ours.toml",)
