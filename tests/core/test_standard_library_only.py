"""What runs inside Lambda loads with the standard library alone."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LOOK = """
import sys
before = set(sys.modules)
import {module}
{work}
loaded = {{name.partition(".")[0] for name in set(sys.modules) - before}}
print(sorted(loaded - sys.stdlib_module_names - {{"core"}}))
"""
PRICE = """
from datetime import UTC, datetime
from core.pricing import default_book, price_usage
from core.usage import from_any
usage = from_any({"input_tokens": 1, "output_tokens": 1})
at = datetime(2026, 11, 20, tzinfo=UTC)
assert price_usage(default_book(), usage, provider="anthropic", model="claude-opus-4-5", at=at).cost_usd
"""


@pytest.mark.parametrize(
    ("module", "work"),
    [
        ("core.usage", ""),
        ("core.pricing", ""),
        ("core.pricing.check", ""),
        ("core.caching", ""),
        ("core.telemetry", ""),
        ("core.pricing", PRICE),
    ],
)
def test_only_the_standard_library_is_loaded(module: str, work: str):
    """Importing it, and pricing a call with it, brings in no installed package."""
    code = LOOK.format(module=module, work=work)
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
