"""Watches a page in a real browser: what its policy refused, what it asked from elsewhere, what broke in it."""

from __future__ import annotations

import subprocess
import time
import urllib.request
from collections.abc import Sequence
from typing import Any

from playwright.sync_api import Page, Route

WAIT_S = 90.0


class Watch:
    """Notes violations of the policy, errors of scripts and requests to elsewhere, which are not let out."""

    def __init__(self, page: Page, *, own: Sequence[str]) -> None:
        self._own = tuple(own)
        self._found: list[str] = []
        page.on("console", self._console)
        page.on("pageerror", lambda error: self._found.append(f"error: {error}"))
        page.route("**/*", self._request)

    def troubles(self) -> list[str]:
        """What was found so far."""
        return list(self._found)

    def _console(self, message: Any) -> None:
        if "Content Security Policy" in message.text or "Content-Security-Policy" in message.text:
            self._found.append(f"policy: {message.text}")

    def _request(self, route: Route) -> None:
        asked, frame = route.request.url, route.request.frame.url
        if asked.startswith((*self._own, "data:", "blob:")):
            route.continue_()
            return
        if frame.startswith(self._own[0]):  # a provider's own page may look as it likes
            self._found.append(f"elsewhere: {asked}")
        route.abort()


def answers(url: str, process: subprocess.Popen[bytes]) -> None:
    """Wait until a server answers. Raises TimeoutError."""
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.1)
    raise TimeoutError(f"{url} did not answer")
