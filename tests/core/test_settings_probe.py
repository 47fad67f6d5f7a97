"""The `[probe]` table: what is accepted, and what a person is told otherwise."""

from decimal import Decimal
from pathlib import Path

import pytest

from core import settings
from core.errors import FixSettings
from core.settings import ProbeSettings


def load(folder: Path, lines: str) -> ProbeSettings:
    """Load a settings file with these lines of [probe]."""
    (folder / "cachewise.toml").write_text(f"[probe]\n{lines}\n")
    return settings.load({}, folder=folder).probe


def test_nothing_need_be_said(tmp_path: Path) -> None:
    """Five cents of the direct API, no canary."""
    assert settings.load({}, folder=tmp_path).probe == ProbeSettings()
    assert ProbeSettings().budget_usd == Decimal("0.05")


def test_everything_can_be_said(tmp_path: Path) -> None:
    """Every key is read; dollars are exact, an interval is seconds."""
    told = load(
        tmp_path,
        'provider = "bedrock"\nmodel = "m"\nother_model = "o"\nsecret_name = "s"\nbudget_usd = 0.1\nevery = "1h"\n'
        'cache_ttl = "1h"\nprefix_tokens = 5000\nmax_wait_s = 30\nprompt_table = "t"\nprompt_key = "k"\n'
        'prompt_engine = "e"\nregion = "eu-west-1"',
    )

    assert told == ProbeSettings(
        "bedrock", "m", "o", "s", Decimal("0.1"), 3600.0, "1h", 5000, 30.0, "t", "k", "e", "eu-west-1"
    )


@pytest.mark.parametrize(
    ("lines", "named"),
    [
        ('provider = "vertex"', "probe.provider = 'vertex'. Accepted: anthropic, bedrock."),
        ('cache_ttl = "30m"', "probe.cache_ttl = '30m'. Accepted: 5m, 1h."),
        ("budget_usd = 0", "probe.budget_usd = 0. Accepted: dollars above 0"),
        ('budget_usd = "much"', "probe.budget_usd = 'much'."),
        ("budget_usd = true", "probe.budget_usd = True."),
        ('every = "10s"', "probe.every = '10s' is not an interval. Accepted: 90s, 30m, 1h, 1d"),
        ('every = "often"', "probe.every = 'often'"),
        ("prefix_tokens = 0", "probe.prefix_tokens = 0. Accepted: a number above 0."),
        ('model = ""', "probe.model = ''. Accepted: a text."),
        ('api_key = "x"', 'unknown key "probe.api_key"'),
    ],
)
def test_what_is_not_accepted_is_named(tmp_path: Path, lines: str, named: str) -> None:
    """The message names the key, the value and what is accepted; a key for the API key does not exist."""
    with pytest.raises(FixSettings) as told:
        load(tmp_path, lines)

    assert named in str(told.value)


def test_the_api_key_is_in_no_settings(tmp_path: Path) -> None:
    """It is asked for when needed, and an empty one is none."""
    environ = {"ANTHROPIC_API_KEY": " sk-ant-secret "}

    assert settings.api_key(environ) == "sk-ant-secret"
    assert settings.api_key({"ANTHROPIC_API_KEY": " "}) is None
    assert "sk-ant-secret" not in repr(settings.load(environ, folder=tmp_path))
