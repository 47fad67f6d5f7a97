"""A gate before Streamlit's heaviest script: words and figures come first, and charts as soon as those are there.

Plotly's script takes a browser longer to read and start than all that is in sight of a first screen together. At its
address stands a module of a few lines, which waits until the run has ended and the page is idle, and then loads the
script itself, unchanged, from the same address with a query. Until then Streamlit shows its placeholder, as it does
for whatever is still being loaded. See docs/decisions/101-words-before-charts.md.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

import streamlit

JS = Path(streamlit.__file__).parent / "static" / "static" / "js"
GATED = ("PlotlyChart",)
WHOLE = "whole"
"""The query that asks for the script itself."""

_MOST_LOOKS = 12  # at a page that is idle and whose run has not ended: its server is still at work
_EXPORTED = re.compile(r"export\{([^{}]+)\};?\s*$")
_MODULE = """\
const ended = '[data-testid="stApp"][data-test-script-state="notRunning"]';
const idle = globalThis.requestIdleCallback ?? (run => setTimeout(run, 50));
let looks = 0;
await new Promise(open => {{
  const look = () => document.querySelector(ended) || ++looks > {looks} ? idle(open) : setTimeout(idle, 50, look);
  look();
}});
const whole = await import("./{name}?{query}");
{exports}
"""


class Gate(NamedTuple):
    """The module that stands before a script, and what tells it from another one."""

    module: bytes
    tag: str


@cache
def gates() -> Mapping[str, Gate]:
    """Return the gate of each gated script, by the script's name.

    A script that another one imports when it is loaded, or whose exports are not understood, has none.
    """
    return {
        path.name: _gate(path.name, names)
        for part in GATED
        for path in JS.glob(f"{part}.*.js")
        if (names := _exported(path.read_text(encoding="utf-8"))) and not _imported_at_once(path.name)
    }


def _exported(script: str) -> list[str]:
    tail = _EXPORTED.search(script, len(script) - 2000 if len(script) > 2000 else 0)
    return [part.rpartition(" as ")[2] for part in tail[1].split(",")] if tail else []


def _imported_at_once(name: str) -> bool:
    told = (f'from"./{name}"'.encode(), f'import"./{name}"'.encode())
    return any(line in script for path in JS.glob("*.js") for script in [path.read_bytes()] for line in told)


def _gate(name: str, exported: list[str]) -> Gate:
    exports = "\n".join(
        "export default whole.default;" if each == "default" else f"export const {each} = whole.{each};"
        for each in exported
    )
    module = _MODULE.format(name=name, query=WHOLE, looks=_MOST_LOOKS, exports=exports).encode()
    return Gate(module, f'"{hashlib.sha256(module).hexdigest()[:16]}"')
