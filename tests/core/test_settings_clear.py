"""The `[sources.clear]` table: what is accepted, and what a person is told otherwise."""

from pathlib import Path

import pytest

from core import settings
from core.errors import FixSettings
from core.settings import ClearSettings

SOURCE = '[[sources]]\nname = "bodo"\nkind = "cloudwatch"\nlog_group = "/aws/lambda/bodo-ws"\nregion = "eu-west-1"\n'


def load(folder: Path, clear: str) -> ClearSettings | None:
    """Load a settings file with one source and these lines of `[sources.clear]`."""
    (folder / "cachewise.toml").write_text(f"{SOURCE}[sources.clear]\n{clear}\n")
    return settings.load({}, folder=folder).sources[0].clear


def test_the_epoch_way_needs_only_the_table(tmp_path: Path) -> None:
    """The prompt table is enough; the region is the source's."""
    assert load(tmp_path, 'prompt_table = "prompts"') == ClearSettings(prompt_table="prompts", region="eu-west-1")


def test_everything_can_be_said(tmp_path: Path) -> None:
    """Every key of the table is read."""
    role = "arn:aws:iam::123456789012:role/cachewise-clear"
    told = load(
        tmp_path,
        'method = "variable"\nfunction_name = "bodo-ws"\nalias = "live"\nvariable = "EPOCH"\nkey_name = "name"\n'
        f'epoch_seconds = 0\nrole_arn = "{role}"\nregion = "us-east-1"\nprompt_table = "prompts"',
    )

    assert told == ClearSettings("variable", "prompts", "name", 0.0, "bodo-ws", "live", "EPOCH", role, "us-east-1")


def test_a_source_without_it_cannot_be_cleared(tmp_path: Path) -> None:
    """No table means no clearing, not a guess."""
    (tmp_path / "cachewise.toml").write_text(SOURCE)

    assert settings.load({}, folder=tmp_path).sources[0].clear is None


@pytest.mark.parametrize(
    ("lines", "named"),
    [
        ('method = "reboot"', "sources[0].clear.method = 'reboot'. Accepted: epoch, variable."),
        ("", 'method = "epoch" and no prompt_table. Add prompt_table'),
        ('method = "variable"', 'method = "variable" and no function_name. Add function_name'),
        ('prompt_table = ""', "clear.prompt_table = ''. Accepted: a text."),
        ("prompt_table = 7", "clear.prompt_table = 7. Accepted: a text."),
        ('prompt_table = "p"\nvariable = "NOT-A-NAME"', "clear.variable = 'NOT-A-NAME'"),
        ('prompt_table = "p"\nrole_arn = "cachewise-clear"', "clear.role_arn = 'cachewise-clear'"),
        ('prompt_table = "p"\nepoch_seconds = -1', "clear.epoch_seconds = -1. Accepted: a number above 0."),
        ('prompt_table = "p"\ntabel = "x"', 'unknown key "sources[0].clear.tabel"'),
    ],
)
def test_a_wrong_value_is_named(tmp_path: Path, lines: str, named: str) -> None:
    """The message has the key, the value and what is accepted."""
    with pytest.raises(FixSettings) as raised:
        load(tmp_path, lines)

    assert named in str(raised.value)


def test_the_table_must_be_a_table(tmp_path: Path) -> None:
    """`clear = "epoch"` is refused."""
    (tmp_path / "cachewise.toml").write_text(f'{SOURCE}clear = "epoch"\n')

    with pytest.raises(FixSettings, match=r"sources\[0\]\.clear must be a table"):
        settings.load({}, folder=tmp_path)


def test_the_services_context_is_read(tmp_path: Path) -> None:
    """Texts, numbers and switches are kept in their order; anything else is named."""
    told = load(tmp_path, 'prompt_table = "p"\nprompt_context = { location = "Seoul", floor = 3, open = true }')

    assert told is not None
    assert told.prompt_context == (("location", "Seoul"), ("floor", 3), ("open", True))
    with pytest.raises(FixSettings, match=r"clear\.prompt_context = \{'at': 1\.5\}"):
        load(tmp_path, 'prompt_table = "p"\nprompt_context = { at = 1.5 }')
