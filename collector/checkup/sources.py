"""Can each source be read, with what is configured and whom we run as?"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

from collector.checkup.check import Check, of_error
from collector.sources.aws_faults import explain
from collector.sources.aws_session import open_session
from collector.sources.file_bytes import list_files
from collector.sources.pace import region_of
from collector.sources.s3_faults import explain_s3
from core.errors import CachewiseError
from core.settings import SourceSettings

CONNECT_S, READ_S, ATTEMPTS = 3, 10, 2
SKEW_WARN_S, SKEW_FAIL_S = 30, 240
"""AWS refuses requests whose clock is five minutes off."""
_LOOK_BACK_MS = 15 * 60 * 1000
_STANDARD = "STANDARD"
_THROTTLED = "COL-429"  # it passes by itself, and proves credentials and network


def check_source(source: SourceSettings, *, now: datetime) -> Iterator[Check]:
    """Yield what there is to say of one source."""
    if source.kind == "cloudwatch":
        yield from _cloudwatch(source, now)
    elif source.kind == "s3":
        yield from _s3(source)
    else:
        yield from _files(source)


def client(service: str, source: SourceSettings) -> Any:
    """Return a client with the source's own rights and with short limits: a person is waiting."""
    from botocore.config import Config

    region = region_of(source)
    session = open_session(
        region=region,
        role_arn=source.role_arn,
        external_id=source.external_id,
        endpoint_url=source.endpoint_url,
    )
    limits = Config(connect_timeout=CONNECT_S, read_timeout=READ_S, retries={"total_max_attempts": ATTEMPTS})
    return session.client(service, region_name=region, endpoint_url=source.endpoint_url, config=limits)


def _cloudwatch(source: SourceSettings, now: datetime) -> Iterator[Check]:
    """Read one page of the last minutes: that proves credentials, network, right and log group at once."""
    now_ms = round(now.timestamp() * 1000)
    asked: dict[str, Any] = {"startTime": now_ms - _LOOK_BACK_MS, "endTime": now_ms, "limit": 1}
    try:
        logs = client("logs", source)
        answer, skew_s = _timed(lambda: logs.filter_log_events(**_group(source), **asked))
    except CachewiseError as error:
        yield of_error("source", source.name, error)
        return
    except Exception as error:  # noqa: BLE001  # boto3 raises classes made at run time; every one is explained
        told = explain(
            error,
            log_group=str(source.log_group),
            region=region_of(source),
            endpoint=source.endpoint_url,
            role_arn=source.role_arn,
        )
        yield of_error("source", source.name, told, status="warn" if told.code == _THROTTLED else "fail")
        yield from _skew(source, _skew_of(getattr(error, "response", None), time.time()))
        return
    seen = "with events" if answer.get("events") else "no event on the first page"
    yield Check("source", source.name, "ok", f"{source.log_group} can be read (last 15 minutes: {seen}).")
    yield from _skew(source, skew_s)
    yield _log_class(source, logs)


def _group(source: SourceSettings) -> dict[str, str]:
    name = str(source.log_group)
    return {"logGroupIdentifier": name.removesuffix(":*")} if name.startswith("arn:") else {"logGroupName": name}


def _timed(ask: Callable[[], Any]) -> tuple[Any, float | None]:
    """Return an answer and by how many seconds this machine's clock is ahead of the one that answered."""
    before = time.time()
    answer = ask()
    return answer, _skew_of(answer, (before + time.time()) / 2)


def _skew_of(answer: Any, local: float) -> float | None:
    headers = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}) if isinstance(answer, dict) else {}
    try:
        return local - parsedate_to_datetime(headers["date"]).timestamp()
    except (KeyError, TypeError, ValueError):
        return None


def _skew(source: SourceSettings, skew_s: float | None) -> Iterator[Check]:
    """Compare clocks; the header tells whole seconds, so a second means nothing."""
    if skew_s is None:
        return
    size, way = abs(skew_s), "ahead of" if skew_s > 0 else "behind"
    if size < SKEW_WARN_S:
        yield Check("clock", source.name, "ok", f"This clock and the service's agree within {max(size, 1):.0f} s.")
        return
    yield Check(
        "clock",
        source.name,
        "fail" if size >= SKEW_FAIL_S else "warn",
        f"This machine's clock is {size:,.0f} s {way} the service's.",
        "Set the clock by NTP: AWS refuses requests that are five minutes off, and freshness is told wrong.",
    )


def _log_class(source: SourceSettings, logs: Any) -> Check:
    """Tell the class of the log group: only the standard one is known to answer everything we ask."""
    name = str(source.log_group)
    plain = name.rpartition("log-group:")[2].removesuffix(":*")
    try:
        pages = logs.describe_log_groups(logGroupNamePrefix=plain, limit=50)
    except Exception as error:  # noqa: BLE001  # a right that reading does not need: whatever it is, it is no fault
        return Check(
            "log_group",
            source.name,
            "skipped",
            f"Its class is not known ({type(error).__name__}).",
            "Allow logs:DescribeLogGroups to look at it.",
        )
    found = [group for group in pages.get("logGroups", []) if group.get("logGroupName") == plain]
    if not found:
        return Check("log_group", source.name, "skipped", f"{plain} is not in the list of this account's log groups.")
    kind, days = found[0].get("logGroupClass", _STANDARD), found[0].get("retentionInDays")
    if kind != _STANDARD:
        return Check(
            "log_group",
            source.name,
            "warn",
            f"{plain} is of class {kind}, which lacks features and may not answer FilterLogEvents in full.",
            "Compare its figures with Logs Insights, or let Firehose deliver it to S3 and read that.",
        )
    if days is not None and days < source.since_days:
        return Check(
            "log_group",
            source.name,
            "warn",
            f"{plain} keeps {days} days; since_days asks for {source.since_days:g}.",
            "Raise the retention, or lower since_days.",
        )
    kept = "for ever" if days is None else f"{days} days"
    return Check("log_group", source.name, "ok", f"{plain} is of the standard class and keeps events {kept}.")


def _s3(source: SourceSettings) -> Iterator[Check]:
    where = f"s3://{source.bucket}/{source.prefix}"
    try:
        s3 = client("s3", source)
        answer, skew_s = _timed(lambda: s3.list_objects_v2(Bucket=source.bucket, Prefix=source.prefix, MaxKeys=1))
        found = answer.get("Contents", [])
        if found:
            s3.head_object(Bucket=source.bucket, Key=found[0]["Key"])
    except CachewiseError as error:
        yield of_error("source", source.name, error)
        return
    except Exception as error:  # noqa: BLE001  # as above
        told = explain_s3(
            error,
            bucket=str(source.bucket),
            prefix=source.prefix,
            region=source.region,
            endpoint=source.endpoint_url,
            role_arn=source.role_arn,
        )
        yield of_error("source", source.name, told)
        return
    if found:
        yield Check("source", source.name, "ok", f"{where} can be listed and read.")
    else:
        yield Check("source", source.name, "warn", f"{where} holds no object.", "Check bucket and prefix.")
    yield from _skew(source, skew_s)


def _files(source: SourceSettings) -> Iterator[Check]:
    listed, problems = list_files([path for path in source.paths if path != "-"])
    for problem in problems:
        yield of_error("source", source.name, problem)
    closed = [found.path for found in listed if not found.stream and not _readable(found.path)]
    if closed:
        yield Check(
            "source",
            source.name,
            "fail",
            f"{len(closed)} of {len(listed)} files cannot be read, such as {closed[0]}.",
            "Give the collector's user the right to read them.",
            "COL-302",
        )
    elif listed:
        yield Check("source", source.name, "ok", f"{len(listed):,} file(s) can be read.")
    elif not problems:
        yield Check("source", source.name, "warn", "No file is there yet.", "Check paths of the source.")


def _readable(path: str) -> bool:
    try:
        with Path(path).open("rb"):
            return True
    except OSError:
        return False
