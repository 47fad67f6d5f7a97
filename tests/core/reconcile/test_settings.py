"""The table [reconcile]: what is accepted, and what a person is told otherwise."""

from pathlib import Path

import pytest

from core import settings
from core.errors import FixSettings
from core.reconcile_settings import ReconcileSettings


def load(folder: Path, lines: str) -> ReconcileSettings:
    """Load a settings file with these lines of [reconcile]."""
    (folder / "cachewise.toml").write_text(f"[reconcile]\n{lines}\n")
    return settings.load({}, folder=folder).reconcile


def test_everything_can_be_said_and_nothing_must(tmp_path: Path) -> None:
    """Every key is read; without the table nothing is asked of AWS."""
    told = load(
        tmp_path,
        'api = "legacy"\nsecret_name = "admin"\nsecret_region = "us-east-1"\nworkspace_ids = ["w"]\n'
        'api_key_ids = ["k"]\nregions = ["us-east-1", "ap-northeast-2"]\ncost_explorer = true\n'
        'role_arn = "arn:aws:iam::123456789012:role/bill"',
    )

    assert told == ReconcileSettings(
        "legacy", "admin", "us-east-1", ("w",), ("k",), ("us-east-1", "ap-northeast-2"),
        "arn:aws:iam::123456789012:role/bill", True,
    )  # fmt: skip
    assert load(tmp_path, "") == ReconcileSettings()


@pytest.mark.parametrize(
    ("lines", "named"),
    [
        ('key = "x"', '"key"'),
        ('api = "v2"', "'v2'"),
        ("secret_name = 3", "secret_name"),
        ('regions = "us-east-1"', "regions"),
        ('regions = ["Seoul"]', "'Seoul'"),
        ('role_arn = "bill"', "'bill'"),
        ('cost_explorer = "yes"', "'yes'"),
        ("workspace_ids = [3]", "workspace_ids"),
    ],
)
def test_faults_name_key_and_value(tmp_path: Path, lines: str, named: str) -> None:
    """And what is accepted."""
    with pytest.raises(FixSettings) as wrong:
        load(tmp_path, lines)

    assert wrong.value.code == "REC-001"
    assert named in wrong.value.message
    assert wrong.value.mend


def test_the_admin_key_comes_from_the_environment_alone() -> None:
    """It is no setting, and blanks are none."""
    assert settings.admin_key({"ANTHROPIC_ADMIN_KEY": " k "}) == "k"
    assert settings.admin_key({"ANTHROPIC_ADMIN_KEY": " "}) is None
    assert "k3y" not in repr(settings.load({"ANTHROPIC_ADMIN_KEY": "k3y"}))
