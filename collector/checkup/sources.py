"""Can each source be read, with what is configured and whom we run as?"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

from collector.checkup.check import Check, of_error
from collector.checkup.said import say
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
    seen = say("source.events" if answer.get("events") else "source.no_events")
    yield Check("source", source.name, "ok", say("source.readable", log_group=source.log_group, seen=seen))
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
    size = abs(skew_s)
    if size < SKEW_WARN_S:
        yield Check("clock", source.name, "ok", say("clock.agrees", s=max(size, 1)))
        return
    yield Check(
        "clock",
        source.name,
        "fail" if size >= SKEW_FAIL_S else "warn",
        say("clock.ahead" if skew_s > 0 else "clock.behind", s=size),
        say("clock.mend"),
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
            say("log_group.unknown", reason=type(error).__name__),
            say("log_group.unknown.mend"),
        )
    found = [group for group in pages.get("logGroups", []) if group.get("logGroupName") == plain]
    if not found:
        return Check("log_group", source.name, "skipped", say("log_group.elsewhere", name=plain))
    kind, days = found[0].get("logGroupClass", _STANDARD), found[0].get("retentionInDays")
    if kind != _STANDARD:
        return Check(
            "log_group",
            source.name,
            "warn",
            say("log_group.lacking", name=plain, kind=kind),
            say("log_group.lacking.mend"),
        )
    if days is not None and days < source.since_days:
        return Check(
            "log_group",
            source.name,
            "warn",
            say("log_group.short", name=plain, days=days, asked=source.since_days),
            say("log_group.short.mend"),
        )
    kept = say("log_group.standard.forever", name=plain) if days is None else None
    return Check("log_group", source.name, "ok", kept or say("log_group.standard", name=plain, days=days))


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
        yield Check("source", source.name, "ok", say("source.bucket", where=where))
    else:
        empty = say("source.bucket_empty", where=where)
        yield Check("source", source.name, "warn", empty, say("source.bucket_empty.mend"))
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
            say("source.closed_files", n=len(closed), of=len(listed), path=closed[0]),
            say("source.closed_files.mend"),
            "COL-302",
        )
    elif listed:
        yield Check("source", source.name, "ok", say("source.files", n=len(listed)))
    elif not problems:
        yield Check("source", source.name, "warn", say("source.no_file"), say("source.no_file.mend"))


def _readable(path: str) -> bool:
    try:
        with Path(path).open("rb"):
            return True
    except OSError:
        return False
