from __future__ import annotations

import json
import logging
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.request import Request

import boto3
import pytest
from moto import mock_aws

from core.alert_settings import AlertTarget
from core.alerts.senders import Message, send
from core.errors import FixSettings, TryAgain
from tests.support.receiver import Receiver, receiving

MESSAGE = Message("OPEN: read share", ("sales: hit rate 12.0% <!channel> & more",), {"state": "open"})
REGION = "ap-northeast-2"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver on this machine."""
    with receiving() as running:
        yield running


def webhook(url: str) -> AlertTarget:
    """A webhook target."""
    return AlertTarget("ops", "webhook", url)


def test_a_webhook_gets_text_and_fields(receiver: Receiver) -> None:
    """Slack reads "text"; what it would take for a mention is escaped."""
    send(webhook(receiver.url), MESSAGE)
    assert receiver.got == [
        {
            "text": "OPEN: read share\nsales: hit rate 12.0% &lt;!channel&gt; &amp; more",
            "cachewise": {"state": "open"},
        }
    ]


def test_a_webhook_without_its_variable_says_so() -> None:
    """The variable is named: setting it is the mend."""
    with pytest.raises(FixSettings, match=r"ALR-405.*OPS_WEBHOOK is not set"):
        send(AlertTarget("ops", "webhook", url_env="OPS_WEBHOOK"), MESSAGE)


def test_a_busy_webhook_is_asked_again_with_longer_waits(receiver: Receiver) -> None:
    """Two times 503, then it is taken."""
    receiver.answers = [503, 503]
    waits: list[float] = []
    send(webhook(receiver.url), MESSAGE, sleep=waits.append)
    assert len(receiver.got) == 1
    assert waits == [0.5, 1.0]


def test_a_message_that_comes_again_can_be_told(receiver: Receiver) -> None:
    """Every attempt has the same key, another message another one: an answer may be lost after the message arrived."""
    receiver.answers = [503, 503]
    send(webhook(receiver.url), MESSAGE, sleep=lambda _: None)
    send(webhook(receiver.url), replace(MESSAGE, title="CLOSED"))

    first, *_ = receiver.keys
    assert receiver.keys[:3] == [first] * 3
    assert receiver.keys[3] != first


def test_a_message_that_was_taken_is_not_sent_again() -> None:
    """Whoever answers 200 has it, though the rest of the answer never comes."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(5)
        taken: list[socket.socket] = []

        def take() -> None:
            connection, _ = server.accept()
            taken.append(connection)
            connection.recv(65_536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n.")

        thread = threading.Thread(target=take)
        thread.start()
        send(webhook(f"http://127.0.0.1:{server.getsockname()[1]}/x"), MESSAGE, sleep=lambda _: None)
        thread.join()
        taken[0].close()
    assert len(taken) == 1


def test_a_receiver_says_how_long_to_wait(receiver: Receiver) -> None:
    """Retry-After goes before our own waits."""
    receiver.answers, receiver.headers = [429], {"Retry-After": "3"}
    waits: list[float] = []
    send(webhook(receiver.url), MESSAGE, sleep=waits.append)
    assert waits == [3.0]


def test_a_webhook_that_stays_busy_is_told_without_its_url(receiver: Receiver) -> None:
    """Three attempts; the error names the target, not the secret."""
    receiver.answers = [500, 500, 500]
    with pytest.raises(TryAgain, match="ALR-503") as raised:
        send(webhook(receiver.url), MESSAGE, sleep=lambda _: None)
    assert "ops" in str(raised.value)
    assert "secret-token" not in str(raised.value)


@pytest.mark.parametrize("status", [301, 400, 403, 404, 410])
def test_a_refusal_is_not_repeated(receiver: Receiver, status: int) -> None:
    """A revoked or moved webhook needs a person; a redirect is not followed."""
    receiver.answers, receiver.headers = [status], {"Location": "http://127.0.0.1:1/elsewhere"}
    with pytest.raises(FixSettings, match="ALR-404"):
        send(webhook(receiver.url), MESSAGE, sleep=lambda _: None)
    assert receiver.answers == []


def test_nobody_there(receiver: Receiver) -> None:
    """A closed port is told with its host."""
    with pytest.raises(TryAgain, match=r"127\.0\.0\.1"):
        send(webhook("http://127.0.0.1:9/secret-token"), MESSAGE, sleep=lambda _: None)


def test_a_certificate_that_cannot_be_trusted_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """HTTPS is verified: what fails the check gets no message and no second attempt."""

    def refuse(*args: Any, **kwargs: Any) -> None:
        error = ssl.SSLCertVerificationError(1, "certificate verify failed")
        error.verify_message = "self-signed certificate"
        raise error

    monkeypatch.setattr("urllib.request.OpenerDirector.open", refuse)
    with pytest.raises(FixSettings, match="self-signed certificate"):
        send(webhook("https://hooks.example.com/secret-token"), MESSAGE, sleep=lambda _: None)


def test_https_contexts_check_names_and_certificates() -> None:
    """The opener's context is the strict one."""
    from core.alerts.senders import _opener

    (handler,) = (
        item for item in _opener(Request("https://alerts.example")).handlers if type(item).__name__ == "HTTPSHandler"
    )
    context = handler._context  # type: ignore[attr-defined]
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)


def test_sns_gets_subject_and_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """Published to the topic; read back from a queue that is subscribed to it."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        topic = boto3.client("sns", region_name=REGION).create_topic(Name="pager")["TopicArn"]
        sqs = boto3.client("sqs", region_name=REGION)
        queue = sqs.create_queue(QueueName="inbox")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        boto3.client("sns", region_name=REGION).subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
        send(AlertTarget("pager", "sns", topic_arn=topic), Message("OPEN: 읽기", ("line",), {}))
        (received,) = sqs.receive_message(QueueUrl=queue)["Messages"]
    told = json.loads(received["Body"])
    assert (told["Subject"], told["Message"]) == ("OPEN: ??", "OPEN: 읽기\nline")


def test_a_topic_that_is_gone_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """AWS's own word is turned into what to do."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws(), pytest.raises((FixSettings, TryAgain), match="ALR-403"):
        send(AlertTarget("pager", "sns", topic_arn=f"arn:aws:sns:{REGION}:123456789012:gone"), MESSAGE)


def test_the_log_gets_one_line(caplog: pytest.LogCaptureFixture) -> None:
    """A message in the log is one line."""
    with caplog.at_level(logging.WARNING, logger="cachewise.alerts"):
        send(AlertTarget("log", "log"), MESSAGE)
    assert caplog.messages == ["OPEN: read share | sales: hit rate 12.0% <!channel> & more"]
