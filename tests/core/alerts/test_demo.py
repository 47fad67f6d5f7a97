"""What watches the demo fleet: rules of its own, which call nobody."""

from __future__ import annotations

from pathlib import Path

from core.settings import load

OWN = """
[targets.pager]
kind = "webhook"
url = "https://pager.example/hook"

[[alerts]]
name = "mine"
metric = "hit_rate"
below = 0.8
targets = ["pager"]
"""


def test_the_demo_calls_nobody_whatever_is_configured(tmp_path: Path) -> None:
    """Made-up figures go to the log; the settings' own rules watch the real service alone."""
    path = tmp_path / "cachewise.toml"
    path.write_text(OWN)
    given = {"CACHEWISE_CONFIG": str(path)}

    real, demo = load(given).alerts, load({**given, "CACHEWISE_DEMO": "true"}).alerts

    assert [(rule.name, rule.targets) for rule in real.rules] == [("mine", ("pager",))]
    assert {rule.metric for rule in demo.rules} == {"regression", "budget", "hit_rate"}
    assert {rule.targets for rule in demo.rules} == {("log",)}
    assert not demo.targets
    assert demo.budget is not None
