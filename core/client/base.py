"""What the synchronous and the asynchronous client share: settings, doors, opened SDK clients, the last report."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from core.caching.request import PromptRequest
from core.client import sdk
from core.client.account import CallAccount, CallReport, Desk, log_warning
from core.client.api_key import SecretApiKey
from core.client.settings import ClientSettings
from core.usage import Usage

if TYPE_CHECKING:
    from core.pricing import PriceBook


class ClientBase:
    """Everything but the sending. Tests give `http_client`, `api_key`, clocks and the two log functions."""

    asynchronous = False

    def __init__(
        self,
        settings: ClientSettings,
        *,
        api_key: str | SecretApiKey | None = None,
        http_client: Any = None,
        book: PriceBook | None = None,
        say: Callable[[str], object] = print,
        warn: Callable[[str], object] = log_warning,
        now: Callable[[], float] = time.time,
        timer: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.settings = settings
        self._doors = sdk.doors(settings)
        self._key = api_key if api_key is not None else SecretApiKey(settings.policy.secret_name)
        self._http_client = http_client
        self._desk = Desk(settings, say=say, warn=warn, now=now, timer=timer, book=book)
        self._opened: dict[str, Any] = {}
        self._lock = threading.Lock()

    def get_last_usage(self) -> Usage | None:
        """Return the usage of the last call that ended; None when there was none or it told no usage."""
        return self._desk.last.usage if self._desk.last is not None else None

    def get_last_report(self) -> CallReport | None:
        """Return the whole report of the last call that ended: usage, cost, latencies, ids."""
        return self._desk.last

    @property
    def simulated(self) -> bool:
        """Say whether any answer so far came from a server that calls itself simulated."""
        return self._desk.simulated

    def warm(self) -> None:
        """Do at start what the first call would wait for: import the SDK and read the price book. No network."""
        self._desk.price_book()
        sdk.load()

    def _open(self, door: sdk.Door) -> Any:
        with self._lock:
            if door.provider not in self._opened:
                key = self._api_key() if door.provider == "anthropic" else None
                self._opened[door.provider] = sdk.open_client(
                    door, self.settings, api_key=key, http_client=self._http_client, asynchronous=self.asynchronous
                )
            return self._opened[door.provider]

    def _api_key(self) -> str:
        return self._key if isinstance(self._key, str) else self._key.get()

    def _account(
        self, door: sdk.Door, request: PromptRequest, *, invocation_id: str | None, tenant: str | None, diagnose: bool
    ) -> CallAccount:
        return CallAccount(
            self._desk,
            door,
            request,
            invocation_id=invocation_id,
            tenant=tenant,
            diagnose=diagnose and door.provider == "anthropic",
            fallback=door is not self._doors[0],
        )

    def _failed(self, error: Exception, door: sdk.Door, account: CallAccount) -> None:
        """Write the failed call's record; return when the next door is worth trying, else raise what to do."""
        account.close(error)
        if sdk.is_refused_key(error) and isinstance(self._key, SecretApiKey) and self._key.forget():
            with self._lock:
                self._opened.pop("anthropic", None)  # the next call reads the key again: it may have been rotated
        if door is not self._doors[-1] and sdk.may_fall_back(error):
            return
        explained = sdk.explain(error, door)
        if explained is error:
            raise error
        raise explained from error
