"""What the service loads before its first call, and what it must never load."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import core.client

ROOT = Path(__file__).resolve().parents[2]
MODULES = (
    "core.client",
    "core.caching.prompt_store",
    "core.caching.prompt_table",
    "core.caching.request",
    "core.caching.fingerprint",
    "core.aws",
)
LOOK = """
import json, sys
before = set(sys.modules)
import {module}
after = set(sys.modules) - before
foreign = {{name.partition(".")[0] for name in after}} - sys.stdlib_module_names - {{"core"}}
print(json.dumps({{"foreign": sorted(foreign), "loaded": sorted(after)}}))
"""


@pytest.mark.parametrize("module", MODULES)
def test_only_the_standard_library_is_loaded(module: str) -> None:
    """The SDK, boto3 and everything else installed wait for the first call; so does slow asyncio."""
    done = subprocess.run(
        [sys.executable, "-c", LOOK.format(module=module)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    told = json.loads(done.stdout)

    assert told["foreign"] == []
    assert not {"asyncio", "core.store", "core.metrics", "core.reports", "core.settings"} & set(told["loaded"])


def test_public_names_are_all_there() -> None:
    """Every name in `__all__` can be imported, the asynchronous client included; others cannot."""
    assert sorted(core.client.__all__) == core.client.__all__
    for name in core.client.__all__:
        assert getattr(core.client, name) is not None
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = core.client.no_such_name
