"""Brings a scheduled report where it is wanted: files to a folder or a bucket, the summary to a webhook.

A webhook's URL is a secret: it is in no message, and no table has more than a hash of it.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from core import aws
from core.alert_settings import AlertTarget
from core.alerts.senders import Message, send
from core.errors import FixSettings
from core.metrics.scope import Scope
from core.report_settings import ReportRule
from core.reports import files
from core.reports.digest import Digest
from core.reports.request import Desk, Progress, Request, silent
from core.store import scratch

_TIMEOUT_S, _ATTEMPTS = 30.0, 4


def deliver(desk: Desk, found: Digest, *, progress: Progress = silent) -> list[str]:
    """Deliver and return the names of the files that were written; raises what a person or a later try can mend.

    The summary comes last: where it lies, everything lies.
    """
    rule = found.rule
    match rule.to.kind:
        case "webhook":
            target = AlertTarget(rule.name, "webhook", rule.to.where)
            send(target, Message(found.title, tuple(found.lines()), found.to_json()))
            return []
        case "folder":
            return _to_folder(desk, found, Path(rule.to.where).expanduser(), progress)
        case _:
            return _to_bucket(desk, found, progress)


def request_of(found: Digest) -> Request:
    """Return what the files are asked for."""
    rule, period = found.rule, found.period
    return Request(
        scope=Scope(start=period.start, end=period.end),
        by=rule.by,
        zone=rule.zone,
        lang=rule.lang,
        demo=found.demo,
        billing_account=rule.billing_account,
    )


def _to_folder(desk: Desk, found: Digest, folder: Path, progress: Progress) -> list[str]:
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise FixSettings(
            f"The folder {folder} of report {found.rule.name} cannot be used: {error.strerror}.",
            code="REP-007",
            mend="Accepted: a folder you may write to, or a new one in a folder that exists.",
            about=(folder, found.rule.name, error.strerror),
        ) from None
    return [path.name for path in _written(desk, found, folder, progress)]


def _to_bucket(desk: Desk, found: Digest, progress: Progress) -> list[str]:
    from botocore.exceptions import BotoCoreError, ClientError

    rule = found.rule
    bucket, prefix = rule.to.bucket
    doing = f"Writing report {rule.name} to bucket {bucket}"
    sent: list[str] = []
    with tempfile.TemporaryDirectory(dir=scratch.folder()) as folder:
        paths = list(_written(desk, found, Path(folder), progress))
        try:
            client = _client(rule)
            for path in paths:
                with path.open("rb") as body:
                    client.put_object(Bucket=bucket, Key=f"{prefix}/{path.name}".lstrip("/"), Body=body)
                sent.append(path.name)
        except (BotoCoreError, ClientError) as error:
            permission = f"s3:PutObject below {rule.to.where}"
            raise aws.explain(error, doing=doing, code="REP-403", permission=permission) from None
    return sent


def _client(rule: ReportRule) -> Any:
    lent = None
    if rule.role_arn is not None:
        lent = aws.borrowed(
            rule.role_arn, name="cachewise-reports", timeout_s=_TIMEOUT_S, attempts=_ATTEMPTS, region=rule.region
        )
    return aws.client("s3", timeout_s=_TIMEOUT_S, attempts=_ATTEMPTS, region=rule.region, credentials=lent)


def _written(desk: Desk, found: Digest, folder: Path, progress: Progress) -> Iterator[Path]:
    """Write every format, and the summary after them; yield each path."""
    request = request_of(found)
    for form in found.rule.formats:
        path = folder / files.file_name(form, request)
        files.write(desk, request, form, path, progress=progress)
        yield path
    period = found.period
    path = folder / f"cachewise-{period.first}-{period.end_day}-summary.json"
    part = path.with_suffix(".part")
    try:
        part.write_text(json.dumps(found.to_json(), ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
        part.replace(path)
    except OSError as error:
        raise FixSettings(
            f"The summary cannot be written to {path}: {error.strerror}.",
            code="REP-002",
            mend="Check the folder.",
            about=(path, error.strerror),
        ) from None
    yield path
