"""Gates before Streamlit's heaviest scripts: words and figures come first, charts and tables as soon as those stand.

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
from typing import NamedTuple

from dashboard import chunks

GATED = ("PlotlyChart", "DataFrame")
WHOLE = "whole"
"""The query that asks for the script itself."""

_MOST_LOOKS = 12  # at a page that is idle and whose run has not ended: its server is still at work
_TAIL = 2000  # characters
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

    A script whose own imports import it again would wait for itself for ever; one whose exports are not understood
    cannot be stood in for. Neither has a gate.
    """
    return {
        name: _gate(name, exported)
        for name in chunks.of_parts(GATED)
        if (exported := _exported((chunks.JS / name).read_text(encoding="utf-8"))) and not _in_a_circle(name)
    }


def _exported(script: str) -> list[str]:
    tail = _EXPORTED.search(script, max(0, len(script) - _TAIL))
    return [part.rpartition(" as ")[2] for part in tail[1].split(",")] if tail else []


def _in_a_circle(name: str) -> bool:
    return any(name in chunks.imports_of(other) for other in chunks.with_imports([name]))


def _gate(name: str, exported: list[str]) -> Gate:
    exports = "\n".join(
        "export default whole.default;" if each == "default" else f"export const {each} = whole.{each};"
        for each in exported
    )
    module = _MODULE.format(name=name, query=WHOLE, looks=_MOST_LOOKS, exports=exports).encode()
    return Gate(module, f'"{hashlib.sha256(module).hexdigest()[:16]}"')
