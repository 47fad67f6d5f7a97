"""A private AWS with real warm Lambda processes on 127.0.0.1, for the tests that clear caches.

It keeps state under a folder of its own and ends with the block. FilterLogEvents there is not like AWS's: no ingest
test may use it.
"""

from __future__ import annotations

import io
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

ROOT = Path(__file__).parents[2]
REGION = "us-east-1"
START_LIMIT_S = 90.0
ROLE = "arn:aws:iam::000000000000:role/bodo"
_LAMBDA_PART = ("__init__.py", "errors.py", "aws.py", "telemetry.py", "usage", "pricing", "caching", "client")


class NotStarted(Exception):
    """It did not start on this machine; its log says why."""


@dataclass(frozen=True, slots=True)
class Ministack:
    """A running one: its address, and boto3 clients for it."""

    url: str

    def environment(self) -> dict[str, str]:
        """Return the variables with which a function finds this AWS, and no other."""
        return {"AWS_ENDPOINT_URL": self.url, "AWS_DEFAULT_REGION": REGION}

    def client(self, service: str) -> Any:
        """Open a boto3 client."""
        opener: Any = boto3.session.Session(aws_access_key_id="test", aws_secret_access_key="test")
        limits = Config(retries={"total_max_attempts": 1}, read_timeout=60)
        return opener.client(service, endpoint_url=self.url, region_name=REGION, config=limits)


@contextmanager
def running(folder: Path) -> Iterator[Ministack]:
    """Run one while the block lasts; raise NotStarted when it does not start here."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    env = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PYTEST_", "ANTHROPIC_"))}
    env |= {
        "GATEWAY_PORT": str(port),
        "BIND_HOST": "127.0.0.1",
        "LAMBDA_EXECUTOR": "local",
        "TMPDIR": str(folder),
        "S3_DATA_DIR": str(folder / "s3"),
        "SERVICES": "lambda,dynamodb,secretsmanager,logs,iam,sts",
    }
    log = (folder / "ministack.log").open("wb")
    # its own session: ending the group ends the Lambda processes with it
    process = subprocess.Popen(
        [sys.executable, "-m", "ministack"], env=env, stdout=log, stderr=log, start_new_session=True
    )
    try:
        url = f"http://127.0.0.1:{port}"
        if not _answers(url, process):
            raise NotStarted(f"ministack does not start here, see {log.name}")
        yield Ministack(url)
    finally:
        _end(process)
        log.close()


def function_code(handler: Path) -> bytes:
    """Zip what bodo's README deploys: the handler and the Lambda part of core."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(handler, "handler.py")
        for file in sorted((ROOT / "core").rglob("*")):
            path = file.relative_to(ROOT)
            if file.suffix in {".py", ".json"} and path.parts[1] in _LAMBDA_PART:
                archive.write(file, str(path))
    return packed.getvalue()


def _answers(url: str, process: subprocess.Popen[bytes]) -> bool:
    end = time.monotonic() + START_LIMIT_S
    while time.monotonic() < end and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/_ministack/health", timeout=2):
                return True
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    return False


def _end(process: subprocess.Popen[bytes]) -> None:
    for how in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, how)
        except ProcessLookupError:
            return
        try:
            process.wait(3)
        except subprocess.TimeoutExpired:
            continue
