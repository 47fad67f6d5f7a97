"""Watches a page in a real browser: what its policy refused, what it asked from elsewhere, what broke in it."""

from __future__ import annotations

import subprocess
import time
import urllib.request
from collections.abc import Sequence
from typing import Any

from playwright.sync_api import Page, Request

WAIT_S = 90.0


class Watch:
    """Notes violations of the policy, errors of scripts and requests to elsewhere, for which no name is looked up.

    Requests are listened to, not routed: that would turn the browser's cache off, and every load be a first one.
    """

    def __init__(self, page: Page, *, own: Sequence[str]) -> None:
        self._own = tuple(own)
        self._found: list[str] = []
        page.on("console", self._console)
        page.on("pageerror", lambda error: self._found.append(f"error: {error}"))
        page.on("request", self._request)

    def troubles(self) -> list[str]:
        """What was found so far."""
        return list(self._found)

    def _console(self, message: Any) -> None:
        if "Content Security Policy" in message.text or "Content-Security-Policy" in message.text:
            self._found.append(f"policy: {message.text}")

    def _request(self, request: Request) -> None:
        if request.url.startswith((*self._own, "data:", "blob:")):
            return
        if request.frame.url.startswith(self._own[0]):  # a provider's own page may look as it likes
            self._found.append(f"elsewhere: {request.url}")


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
