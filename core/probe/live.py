"""The live door: Claude through the service's own client, each request exactly once, on a clock that can be moved only
where the server says of itself that it is simulated."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from core.caching.policy import CachePolicy
from core.client import ClaudeClient, ClientSettings, SecretApiKey
from core.client.account import CallReport
from core.errors import FixSettings
from core.pricing import PriceBook
from core.probe.bench import Answer
from core.probe.model import Target
from core.probe.prompts import Ask
from core.probe.ruler import Ruler
from core.settings import Settings, api_key

TIMEOUT_S = 60.0
_LOOK_S = 0.2  # how often a long wait looks whether it should stop
_CONTROL_TIMEOUT_S = 5.0


class LiveDoor:
    """Sends to one target. Close it after the run."""

    def __init__(
        self,
        target: Target,
        settings: Settings,
        book: PriceBook,
        *,
        key: str | SecretApiKey | None = None,
        http_client: Any = None,
        timer: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self.target, self.ruler = target, Ruler()
        self._settings, self._book, self._key = settings, book, key
        self._http_client, self._timer, self._sleep, self._timeout_s = http_client, timer, sleep, timeout_s
        self._clients: dict[str, ClaudeClient] = {}
        self._counted: dict[tuple[str, int, bool, bool], int | None] = {}
        self._moved_s = 0.0
        self._answered = False
        self.told_before: bool | None = None  # what an earlier door to the same server learnt

    @property
    def simulated(self) -> bool | None:
        """Whether answers are made up; None before the first."""
        if any(client.simulated for client in self._clients.values()):
            return True
        return False if self._answered else self.told_before

    def count(self, ask: Ask, model: str) -> int | None:
        """Return the tokens of the prompt: by the ruler where that was measured for it, else by asking."""
        prefix = ask.prefix
        if self.ruler.counted and model == self.target.model and not prefix.tools and prefix.day is None:
            return self.ruler.prompt_tokens(prefix.words)
        shape = (model, prefix.words, bool(prefix.tools), prefix.day is None)
        if shape not in self._counted:
            self._counted[shape] = self.count_now(ask, model)
        return self._counted[shape]

    def count_now(self, ask: Ask, model: str) -> int | None:
        """Ask the provider for the tokens of the prompt; None where it does not count."""
        counted = self._client(model).count_tokens(ask.request())
        self._answered = self._answered or counted is not None
        return counted

    def send(self, ask: Ask, model: str) -> Answer | None:
        """Send one request, once; None when the answer told no usage or has no price."""
        client, started = self._client(model), self.now_s()
        options: dict[str, Any] = {"diagnose": ask.diagnose, "previous_message_id": ask.previous_message_id}
        if ask.stream:
            with client.stream(ask.request(), **options) as stream:
                for _ in stream.text():
                    pass
            report = stream.report
        else:
            report = client.create(ask.request(), **options).report
        self._answered = True
        return _answer(report, started) if report is not None else None

    def now_s(self) -> float:
        """Return the time on the cache's clock: real time, and what a simulator's clock was moved by."""
        return self._timer() + self._moved_s

    def wait_until(self, moment_s: float, stop: Callable[[], bool]) -> None:
        """Sleep, looking now and then whether to stop; move the clock instead where it is a simulated one."""
        left = moment_s - self.now_s()
        if left > 0 and self.simulated and self._move_clock(left):
            return
        while (left := moment_s - self.now_s()) > 0 and not stop():
            self._sleep(min(left, _LOOK_S))

    def close(self) -> None:
        """Close the connections."""
        for client in self._clients.values():
            client.close()

    def _client(self, model: str) -> ClaudeClient:
        if model not in self._clients:
            target = self.target
            direct = target.provider == "anthropic"
            settings = ClientSettings(
                model=model,
                bedrock_model=None if direct else model,
                policy=CachePolicy(cache_ttl=target.cache_ttl, use_anthropic_api=direct),
                region=self._settings.probe.region,
                timeout_s=self._timeout_s,
                max_retries=0,  # a hidden retry would be a second measurement, and a second bill
                base_url=target.base_url if direct else None,
            )
            self._clients[model] = ClaudeClient(
                settings,
                api_key=self._key if self._key is not None or not direct else configured_key(self._settings),
                http_client=self._http_client,
                book=self._book,
                say=_nothing,
                warn=_nothing,
            )
        return self._clients[model]

    def _move_clock(self, seconds: float) -> bool:
        """Move a simulator's clock by its control route, which gets no key; False when it has none."""
        base = self.target.base_url or ""
        if urlsplit(base).scheme not in ("http", "https"):
            return False
        body = json.dumps({"advance_seconds": seconds}).encode()
        request = urllib.request.Request(  # noqa: S310 - the scheme was checked
            f"{base.rstrip('/')}/_simulator/clock", data=body, headers={"content-type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=_CONTROL_TIMEOUT_S) as answer:  # noqa: S310
                moved = bool(json.load(answer).get("simulated"))
        except (OSError, ValueError):
            return False
        self._moved_s += seconds if moved else 0.0
        return moved


def configured_key(settings: Settings) -> str | SecretApiKey:
    """Return the key of the environment, else the one in Secrets Manager. Raises FixSettings when there is neither."""
    key = api_key()
    if key is not None:
        return key
    if settings.probe.secret_name is not None:
        return SecretApiKey(settings.probe.secret_name)
    raise FixSettings(
        "There is no API key to probe with.",
        code="PRB-401",
        mend="Set ANTHROPIC_API_KEY, or secret_name in [probe] to a secret of Secrets Manager.",
    )


def _answer(report: CallReport, started_s: float) -> Answer | None:
    if report.usage is None or report.priced is None or report.cost_usd is None or not report.usage.complete:
        return None
    return Answer(
        usage=report.usage,
        priced=report.priced,
        cost_usd=report.cost_usd,
        started_s=started_s,
        latency_ms=report.latency_ms,
        ttft_ms=report.ttft_ms,
        message_id=report.message_id,
        diagnosis=report.diagnosis,
    )


def _nothing(text: str) -> None:
    """Say nothing: a probe's calls are no calls of the service, and must not be counted as such."""
