"""Brings a message to a target: a Slack-compatible webhook over checked HTTPS, an SNS topic, or the log.

A webhook's URL is a secret: errors name the target, the host at most, and the status, never the URL.
"""

from __future__ import annotations

import hashlib
import json
import logging
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from core import aws
from core.alert_settings import AlertTarget
from core.errors import CachewiseError, FixSettings, TryAgain

TIMEOUT_S = 5.0
ATTEMPTS = 3
FIRST_WAIT_S = 0.5
_LONGEST_WAIT_S = 10.0
_SUBJECT = 100  # what SNS takes
_log = logging.getLogger("cachewise.alerts")


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent: one line that says it all, some details, and the same as fields for machines."""

    title: str
    lines: tuple[str, ...]
    fields: dict[str, Any]

    @property
    def text(self) -> str:
        """Return it as text."""
        return "\n".join((self.title, *self.lines))


def send(target: AlertTarget, message: Message, *, sleep: Callable[[float], None] = time.sleep) -> None:
    """Deliver a message, or raise TryAgain or FixSettings with what to do."""
    match target.kind:
        case "webhook":
            _webhook(target, message, sleep)
        case "sns":
            _sns(target, message)
        case _:
            _log.warning("%s", message.text.replace("\n", " | "))


def _webhook(target: AlertTarget, message: Message, sleep: Callable[[float], None]) -> None:
    """Post JSON as Slack, Mattermost, Teams workflows and the like read it: the field "text"; the rest is ours."""
    if target.url is None:
        raise FixSettings(
            f"Target {target.name} has no URL: the variable {target.url_env} is not set.",
            code="ALR-405",
            mend="Set it where alerts are evaluated, then start that process again.",
        )
    body = json.dumps({"text": _escaped(message.text), "cachewise": message.fields}, ensure_ascii=False).encode()
    for attempt in range(1, ATTEMPTS + 1):
        problem, wait_s = _post(target, body)
        if problem is None:
            return
        if isinstance(problem, FixSettings) or attempt == ATTEMPTS:
            raise problem
        sleep(min(_LONGEST_WAIT_S, wait_s if wait_s is not None else FIRST_WAIT_S * 2 ** (attempt - 1)))


def _post(target: AlertTarget, body: bytes) -> tuple[CachewiseError | None, float | None]:
    """Post once; return what went wrong, and how long the receiver asks to wait."""
    url = target.url or ""
    request = urllib.request.Request(  # noqa: S310 - the scheme was checked when the settings were read
        url, data=body, method="POST", headers={
            "Content-Type": "application/json", "User-Agent": "cachewise",
            "Idempotency-Key": hashlib.sha256(body).hexdigest()[:32],  # of a message whose answer was lost on the way
        },
    )  # fmt: skip
    try:
        with _opener(request).open(request, timeout=TIMEOUT_S):
            return None, None  # its body is not read: a receiver that trickles could hold us for hours
    except urllib.error.HTTPError as error:
        return _refused(target, error.code), _retry_after(error.headers.get("Retry-After"))
    except ssl.SSLCertVerificationError as error:
        return _uncertain(target, error.verify_message), None
    except (OSError, ValueError) as error:  # ValueError: an answer that is not HTTP
        reason = getattr(error, "reason", error)
        if isinstance(reason, ssl.SSLCertVerificationError):
            return _uncertain(target, reason.verify_message), None
        what = "timed out" if isinstance(reason, TimeoutError) else type(reason).__name__
        return _unreachable(target, what), None


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect would carry the message to a place nobody configured."""

    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        """Follow none; the answer is then an error with its status."""


def _opener(request: urllib.request.Request) -> urllib.request.OpenerDirector:
    if request.type != "https":  # reading the machine's certificates costs more than a message to a receiver nearby
        return urllib.request.build_opener(_NoRedirect())
    https = urllib.request.HTTPSHandler(context=ssl.create_default_context())
    return urllib.request.build_opener(https, _NoRedirect())


def _refused(target: AlertTarget, status: int) -> CachewiseError:
    if status == 429 or status >= 500:
        return TryAgain(
            f"Target {target.name} answered {status}.", code="ALR-503", mend="It is tried again next round."
        )
    return FixSettings(
        f"Target {target.name} refused the message with {status}.",
        code="ALR-404",
        mend="Check its URL: a webhook may have been revoked or moved.",
    )


def _unreachable(target: AlertTarget, what: str) -> TryAgain:
    host = urlsplit(target.url or "").hostname
    return TryAgain(
        f"Target {target.name} at {host} cannot be reached: {what}.",
        code="ALR-503",
        mend="It is tried again next round.",
    )


def _uncertain(target: AlertTarget, why: str) -> FixSettings:
    return FixSettings(
        f"Target {target.name} shows a certificate that cannot be trusted: {why}.",
        code="ALR-495",
        mend="Give it a valid certificate, or set SSL_CERT_FILE to your own authority's.",
    )


def _retry_after(value: str | None) -> float | None:
    try:
        return max(0.0, float(value)) if value else None
    except ValueError:
        return None


def _escaped(text: str) -> str:
    """Escape what Slack would read as a mention or a link; engine names come from logs."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _sns(target: AlertTarget, message: Message) -> None:
    arn = target.topic_arn or ""
    region = target.region or arn.split(":")[3]
    subject = "".join(char if 32 <= ord(char) < 127 else "?" for char in message.title)[:_SUBJECT]
    try:
        client = aws.client("sns", timeout_s=TIMEOUT_S, attempts=ATTEMPTS, region=region)
        client.publish(TopicArn=arn, Subject=subject, Message=message.text)
    except Exception as error:  # noqa: BLE001 - botocore's errors have no common base that is cheap to import
        raise aws.explain(
            error, doing=f"Publishing to target {target.name}", code="ALR-403", permission="sns:Publish on the topic"
        ) from None
