"""When a page stands still in a browser: in sight, and whole; and what it cost the browser.

Changes are only noted while they happen, and judged at the end, so that looking at them takes no time from the page.
"""

from __future__ import annotations

import contextlib
from typing import NamedTuple

import psutil
from playwright.sync_api import Page

# Notes whatever changes and when. What lies inside a canvas is not on the screen: it is a table's text for screen
# readers, which the grid writes by a timer of its own.
WATCH = """
() => {
  const state = {since: performance.now(), changed: performance.now(), notes: [], first: true};
  const hidden = node => (node.nodeType === 1 ? node : node.parentElement)?.closest("canvas > *");
  new MutationObserver(changes => {
    const now = performance.now(), nodes = new Set();
    for (const one of changes) {
      if (hidden(one.target) || (one.type === "childList" && one.target.nodeName === "CANVAS")) continue;
      if (one.type !== "childList" || one.removedNodes.length) nodes.add(one.target);
      if (one.type === "childList") one.addedNodes.forEach(node => nodes.add(node));
    }
    if (!nodes.size) return;
    state.changed = now;
    state.notes.push([now, nodes]);
    if (state.first && !state.answered && document.querySelectorAll("[data-testid=stMetric]").length >= 6
      && document.querySelector("[data-testid=stAlert]")) state.answered = state.changed;
  })
    .observe(document, {subtree: true, childList: true, characterData: true, attributes: true,
      attributeFilter: ["data-stale", "data-test-script-state", "d", "class", "width", "height"]});
  window.__watch = state;
}
"""
DRAWN = """
(title) => {
  const app = document.querySelector("[data-testid=stApp]");
  const heading = document.querySelector("h1");
  const charts = [...document.querySelectorAll("[data-testid=stPlotlyChart]")];
  const whole = app && app.dataset.testScriptState === "notRunning"
    && heading && heading.innerText.trim() === title
    && !document.querySelector("[data-stale=true], [data-testid=stSkeleton], [data-testid=stSkeletonElement]")
    && charts.every(one => one.querySelector(".main-svg"));
  const state = window.__watch;
  if (!whole || performance.now() - state.changed <= 400) return null;
  const inSight = node => {
    const element = node.nodeType === 1 ? node : node.parentElement;
    if (!element || !element.isConnected) return false;
    const box = element.getBoundingClientRect();
    return box.width > 0 && box.height > 0 && box.bottom > 0 && box.right > 0
      && box.top < window.innerHeight && box.left < window.innerWidth;
  };
  const last = state.notes.findLast(([at, nodes]) => at >= state.since && [...nodes].some(inSight));
  return [(last ? last[0] : state.since) - state.since, state.changed - state.since,
    state.first && state.answered ? state.answered - state.since : null];
}
"""

RESTART = """
() => Object.assign(window.__watch, {since: performance.now(), changed: performance.now(), notes: [], first: false})
"""


class Drawn(NamedTuple):
    """Seconds until nothing in the window moved any more, until nothing below it did, and until the answer was there.

    `cpu_s` is what the page's own process took, in all its threads.
    """

    in_sight: float
    whole: float
    answered: float | None
    cpu_s: float


def arm(page: Page) -> None:
    """Have every document that is opened in a tab note its changes."""
    page.add_init_script(f"({WATCH})()")


def restart(page: Page) -> None:
    """Begin to count at this moment."""
    page.evaluate(RESTART)


def drawn(page: Page, title: str, cpu_before: float = 0.0) -> Drawn:
    """Wait until the page of this title is whole and at rest."""
    told = page.wait_for_function(DRAWN, arg=title, polling=50, timeout=120_000).json_value()
    in_sight, whole, answered = (None if value is None else value / 1000 for value in told)
    return Drawn(in_sight, whole, answered, page_cpu() - cpu_before)


def page_cpu() -> float:
    """Return the seconds of CPU that the pages of every browser started here have taken so far."""
    total = 0.0
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if "--type=renderer" in process.cmdline():
                total += sum(process.cpu_times()[:2])
    return total
