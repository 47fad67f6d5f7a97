"""Pages of FilterLogEvents: one client, its pace, and the retries that make sense."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from collector.sources.aws_faults import CutOff, explain, worth_retrying
from collector.sources.aws_session import open_session
from collector.sources.pace import Pace
from collector.sources.quick_pages import quicken
from core.errors import CachewiseError, FixSettings
from core.settings import SourceSettings

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient

CONNECT_TIMEOUT_S = 5
READ_TIMEOUT_S = 30
ATTEMPTS = 6
PAGE_LIMIT = 10_000
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 8.0


@dataclass(frozen=True, slots=True)
class Page:
    """One answer, and what it took to get it."""

    events: list[Any]
    following: str | None
    requests: int
    retries: int
    server_ms: int | None  # AWS's clock, to the second


class ComingPage:
    """A page that is being fetched while something else is done."""

    def __init__(self, fetch: Callable[[Callable[[], bool]], Page]) -> None:
        self._page: Page | None = None
        self._error: Exception | None = None
        self._wanted = True
        self._fetch = fetch
        self._thread = threading.Thread(target=self._run, name="cachewise-next-page", daemon=True)
        self._thread.start()

    def get(self) -> Page:
        """Wait for the page, and return it or raise what became of it."""
        self._thread.join()
        if self._error is not None:
            raise self._error
        assert self._page is not None, "a page or an error"
        return self._page

    def drop(self) -> None:
        """Say that nobody waits for it any more: it is not tried again."""
        self._wanted = False

    def _run(self) -> None:
        try:
            self._page = self._fetch(lambda: self._wanted)
        except Exception as error:  # noqa: BLE001  # raised again where the page is asked for
            self._error = error


class LogPages:
    """Asks for pages of one log group. Retries are made here, not in boto3, so that they keep to the pace."""

    def __init__(
        self,
        settings: SourceSettings,
        *,
        client: CloudWatchLogsClient | None = None,
        pace: Pace | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._settings = settings
        self._given = client
        self._client = client
        self._quickened: Any = None  # the client whose pages are read quickly
        self._pace = pace or Pace(settings.requests_per_s, sleep=sleep)
        self._sleep = sleep
        self._group = _group(str(settings.log_group))
        self._one_at_a_time = threading.Lock()

    def ahead(self, start_ms: int, end_ms: int, token: str | None) -> ComingPage:
        """Begin to fetch a page."""
        return ComingPage(lambda wanted: self.page(start_ms, end_ms, token, wanted=wanted))

    def page(self, start_ms: int, end_ms: int, token: str | None, *, wanted: Callable[[], bool] = lambda: True) -> Page:
        """Return one page. Raises TryAgain or FixSettings once trying again is of no use, or the page not wanted."""
        with self._one_at_a_time:  # the page that an interrupted pass left behind comes first
            return self._page(start_ms, end_ms, token, wanted)

    def _page(self, start_ms: int, end_ms: int, token: str | None, wanted: Callable[[], bool]) -> Page:
        asked = {**self._group, "startTime": max(0, start_ms), "endTime": end_ms, "limit": PAGE_LIMIT}
        if token:
            asked["nextToken"] = token
        tried = 0
        while True:
            tried += 1
            self._pace.wait()
            try:
                answer: Any = self._open().filter_log_events(**asked)  # type: ignore[arg-type]  # members as AWS names them
                if "events" not in answer:
                    raise CutOff
            except CachewiseError:
                raise
            except Exception as error:  # noqa: BLE001  # boto3 raises classes made at run time; every one is explained
                if tried >= ATTEMPTS or not worth_retrying(error) or not wanted():
                    raise self._explained(error, token) from None
                self._sleep(_pause_s(tried))
                continue
            return _page(answer, tried)

    def _open(self) -> CloudWatchLogsClient:
        """Make the client when it is first needed, and again after credentials failed."""
        if self._client is None:
            from botocore.config import Config

            settings = self._settings
            config = Config(
                connect_timeout=CONNECT_TIMEOUT_S, read_timeout=READ_TIMEOUT_S, retries={"total_max_attempts": 1}
            )
            session = open_session(
                region=settings.region,
                role_arn=settings.role_arn,
                external_id=settings.external_id,
                endpoint_url=settings.endpoint_url,
            )
            self._client = session.client(
                "logs", region_name=settings.region, endpoint_url=settings.endpoint_url, config=config
            )
        assert self._client is not None
        if self._quickened is not self._client:
            self._quickened = self._client
            quicken(self._client)
        return self._client

    def _explained(self, error: Exception, token: str | None) -> CachewiseError:
        settings = self._settings
        client = self._client
        explained = explain(
            error,
            log_group=str(settings.log_group),
            region=settings.region,
            endpoint=settings.endpoint_url or (client.meta.endpoint_url if client is not None else None),
            token=token is not None,
            role_arn=settings.role_arn,
        )
        if isinstance(explained, FixSettings):
            self._client = self._given  # credentials may be mended while we run; sessions remember the old ones
        return explained


def _group(name: str) -> dict[str, str]:
    """Return how the log group is named: of another account by its ARN, which must not end in `:*` here."""
    if name.startswith("arn:"):
        return {"logGroupIdentifier": name.removesuffix(":*")}
    return {"logGroupName": name}


def _pause_s(tried: int) -> float:
    longest = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2 ** (tried - 1))
    return longest * random.uniform(0.5, 1)  # noqa: S311  # collectors that failed together should not come back together


def _page(answer: Any, tried: int) -> Page:
    about = answer.get("ResponseMetadata", {})
    hidden = int(about.get("RetryAttempts", 0))
    return Page(
        events=answer.get("events", []),
        following=answer.get("nextToken") or None,
        requests=tried,
        retries=tried - 1 + hidden,
        server_ms=_server_ms(about.get("HTTPHeaders", {}).get("date")),
    )


def _server_ms(date: str | None) -> int | None:
    try:
        return round(parsedate_to_datetime(date).timestamp() * 1000) if date else None
    except ValueError:
        return None
