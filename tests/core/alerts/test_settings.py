from __future__ import annotations

from datetime import time
from decimal import Decimal
from pathlib import Path

import pytest

from core import settings
from core.alert_settings import AlertSettings
from core.errors import FixSettings

WHOLE = """
[budget]
monthly_usd = "500"
zone = "Asia/Seoul"

[targets.ops]
kind = "webhook"
url_env = "OPS_WEBHOOK"

[targets.pager]
kind = "sns"
topic_arn = "arn:aws:sns:ap-northeast-2:123456789012:pager"

[[alerts]]
name = "read share of sales"
metric = "hit_rate"
below = 0.8
window = "2h"
engines = ["sales"]
quiet = "22:00-08:00"
zone = "Asia/Seoul"
targets = ["ops", "pager", "log"]

[[alerts]]
name = "budget"
metric = "budget"
"""
SECRET = "https://hooks.example.com/services/T000/B000/secret-token"


def read(tmp_path: Path, text: str, **env: str) -> AlertSettings:
    """Read the alerts of a settings file."""
    (tmp_path / "cachewise.toml").write_text(text, encoding="utf-8")
    return settings.load(env, folder=tmp_path).alerts


def test_rules_targets_and_budget_are_read(tmp_path: Path) -> None:
    """Everything a file can say about alerts."""
    found = read(tmp_path, WHOLE, OPS_WEBHOOK=SECRET)
    rule = found.rules[0]
    assert (rule.metric, rule.below, rule.window_s, rule.engines) == ("hit_rate", Decimal("0.8"), 7200.0, ("sales",))
    assert rule.quiet is not None
    assert (rule.quiet.start, rule.quiet.end, rule.quiet.zone) == (time(22), time(8), "Asia/Seoul")
    assert found.rules[1].targets == ("log",)
    assert found.budget is not None
    assert found.budget.monthly_usd == 500
    assert found.target("ops").url == SECRET


def test_a_webhooks_url_is_never_shown(tmp_path: Path) -> None:
    """Settings may be printed; the URL may not."""
    assert "secret-token" not in repr(read(tmp_path, WHOLE, OPS_WEBHOOK=SECRET))


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('[[alerts]]\nmetric = "budget"', "name is missing"),
        ('[[alerts]]\nname = "a"\nmetric = "hits"', "hits"),
        ('[[alerts]]\nname = "a"\nmetric = "hit_rate"', "no limit"),
        ('[[alerts]]\nname = "a"\nmetric = "hit_rate"\nbelow = 0.8\nabove = 0.9', "below and above"),
        ('[[alerts]]\nname = "a"\nmetric = "hit_rate"\nbelow = -1', "-1"),
        ('[[alerts]]\nname = "a"\nmetric = "hit_rate"\nbelow = true', "True"),
        ('[[alerts]]\nname = "a"\nmetric = "hit_rate"\nbelow = 0.8\nwindow = "1w"', "1w"),
        ('[[alerts]]\nname = "a"\nmetric = "hit_rate"\nbelow = 0.8\nquiet = "22-8-9"', "22-8-9"),
        ('[[alerts]]\nname = "a"\nmetric = "hit_rate"\nbelow = 0.8\nquiet = "22:00Z-08:00"', "22:00Z-08:00"),
        ('[[alerts]]\nname = "a"\nmetric = "hit_rate"\nbelow = 0.8\nzone = "Seoul"', "Seoul"),
        ('[[alerts]]\nname = "a"\nmetric = "hit_rate"\nbelow = 0.8\ntargets = ["nobody"]', "nobody"),
        ('[[alerts]]\nname = "a"\nmetric = "hit_rate"\nbelow = 0.8\nhits = 1', "hits"),
        ('[[alerts]]\nname = "a"\nmetric = "probe_failed"\nbelow = 1', "probe_failed"),
        ('[[alerts]]\nname = "a"\nmetric = "budget"', "there is none"),
        ('[[alerts]]\nname = "a"\nmetric = "probe_failed"\n' * 2, "two alerts"),
        ('[targets.a]\nkind = "mail"', "mail"),
        ('[targets.a]\nkind = "sns"\ntopic_arn = "pager"', "pager"),
        ('[targets.a]\nkind = "webhook"\nurl = "ftp://x"', "url is not usable"),
        ('[targets.a]\nkind = "webhook"\nurl = "http://example.com/x"', "http:// on this machine"),
        ('[targets.a]\nkind = "webhook"\nurl = ""', "url is not usable"),
        ("[budget]\nmonthly_usd = 0", "monthly_usd"),
    ],
)
def test_every_mistake_names_the_value_and_what_is_accepted(tmp_path: Path, text: str, named: str) -> None:
    """One line, one code, never a traceback."""
    with pytest.raises(FixSettings, match="ALR-001") as raised:
        read(tmp_path, text)
    assert named in str(raised.value)
    assert named in " ".join(raised.value.about)  # what another language than English has besides its own words


def test_a_webhook_s_variable_need_not_be_set_to_read_figures(tmp_path: Path) -> None:
    """Only who tells alerts holds the secret; one that is set and wrong is a mistake all the same."""
    assert read(tmp_path, WHOLE).target("ops").url is None
    with pytest.raises(FixSettings, match="the variable OPS_WEBHOOK holds no usable URL"):
        read(tmp_path, WHOLE, OPS_WEBHOOK="hooks.example.com/secret")


def test_a_refused_url_is_not_quoted(tmp_path: Path) -> None:
    """Not even where it is wrong: it may be a secret with a slip."""
    with pytest.raises(FixSettings) as raised:
        read(tmp_path, '[targets.a]\nkind = "webhook"\nurl = "htps://hooks.example.com/secret-token"')
    assert "secret-token" not in str(raised.value)
