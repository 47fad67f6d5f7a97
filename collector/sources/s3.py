"""Objects below an S3 prefix: Firehose deliveries, CloudWatch exports, Bedrock's invocation logs, plain JSON lines.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
An object is a file that never grows: what is in it is read by the same code as files (docs/decisions/034-s3-lanes.md).
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, BinaryIO, cast

from collector.event import LogEvent
from collector.sources import envelopes
from collector.sources.aws_faults import code_of
from collector.sources.aws_session import open_s3
from collector.sources.base import Batch, Cursor
from collector.sources.file_bytes import Found, chained, chunks
from collector.sources.file_identity import HEAD, FileCursor
from collector.sources.files import FilesSource, named, refused_head
from collector.sources.moved_bodies import MovedBodies
from collector.sources.s3_faults import GONE, explain_s3, unreadable
from core.errors import BadInput, CachewiseError, FixSettings
from core.settings import SourceSettings

RELIST_S = 3 * 3600.0
"""Objects may appear under the key of an earlier hour: this much of the newest keys is listed again every pass."""
_MAX_LANES = 200  # beyond it, looking into every folder costs more than listing everything below it
_DATED = re.compile(r"(?:[A-Za-z_]+=)?(?:19|20)\d\d(?:-\d\d-\d\d)?/\Z")
_PLAIN_YEAR = re.compile(r"(?:19|20)\d\d/\Z")
_EXPORT = re.compile(r"(?:\A|/)(\d{4})-(\d\d)-(\d\d)-([^/\[]*\[[^\]/]+\][0-9a-f]+)/\d{6}(?:\.gz)?\Z")
_NOT_LOGS = re.compile(
    r"/BedrockModelInvocationLogs/(?:.*/)?data/|(?:\A|/)(?:amazon-bedrock-logs-permission-check|aws-logs-write-test)\Z|/\Z"
)


@dataclass(slots=True)
class _Lane:
    """Keys that sort as their objects came, since a date leads them; or not, when `dated` is false."""

    prefix: str
    dated: bool
    plain: bool = False  # YYYY/MM/DD, so that a day's first key can be foretold


class S3Source(FilesSource):
    """Reads every object below a prefix once. The cursor is, per lane of dated keys, the key to list from."""

    kind = "s3"

    def __init__(
        self, settings: SourceSettings, *, client: Any = None, opener: Callable[[SourceSettings], Any] | None = None
    ) -> None:
        super().__init__(settings, final=True)
        assert settings.bucket is not None, "settings give every s3 source a bucket"
        self._bucket = settings.bucket
        self._client = client
        self._opener = opener or open_s3
        self._lanes: dict[str, str] = {}  # where this pass began to list each lane
        self._started: dict[str, str] = {}  # where the next one will
        self._since_ms = 0
        self._bodies = MovedBodies(self._client_now)

    def read(self, cursor: Cursor | None, now: datetime) -> Iterator[Batch]:
        """Yield what is new below the prefix, in order of key."""
        told = cursor or {}
        self._cursor, self._touched, self._finished = FileCursor(told), {}, {}
        self._tell.begin(round(now.timestamp() * 1000))
        self._newest_ms = None
        self._lanes = dict(told.get("lanes", {}))
        self._started = dict(self._lanes)
        first_ms = self._tell.now_ms - round(self._settings.since_days * 86_400_000)
        self._since_ms = int(told.get("since_ms", first_ms))
        listed = self._list()
        self._cursor.forget_gone(listed)
        for found in listed:
            if not self._cursor.is_done(found):
                yield from self._object(found)
        last = self._take()
        last.ends_scan = True
        last.cursor["lanes"] = self._started  # only now: what lies before these keys has been read
        reached, overlap_ms = self._reached(any_file=bool(listed)), self._settings.overlap_s * 1000
        last.complete_until_ms = min(reached or self._tell.now_ms, self._tell.now_ms - overlap_ms)
        yield last

    def hold(self, cursor: Cursor, events: Sequence[LogEvent], counted: Sequence[LogEvent] = ()) -> Cursor:
        """Move the cursor back to the first of these lines in each object; its lane is listed from there on."""
        held = super().hold(cursor, events)
        lanes = dict(cursor.get("lanes", {}))
        known = held["files"]
        for file_id in {event.position.file_id for event in events if event.position} & set(known):
            key = self._key_of(known[file_id][3])
            for lane, after in lanes.items():
                if key.startswith(lane) and key <= after:
                    lanes[lane] = _just_before(key)
        return {**held, "lanes": lanes, "since_ms": cursor.get("since_ms", self._since_ms)}

    # what is there

    def _list(self) -> list[Found]:
        """Return every object that may be new, in order of key; the next pass starts each lane at its recent ones."""
        recent_ms = self._tell.now_ms - round(RELIST_S * 1000)
        found: dict[str, Found] = {}
        for lane, direct in self._walk():
            objects = direct if lane is None else self._pages(lane.prefix, after=self._start(lane))
            after = None
            recent = False
            for item in objects:
                key, changed_ms = item["Key"], round(item["LastModified"].timestamp() * 1000)
                recent = recent or changed_ms >= recent_ms
                after = after if recent else key
                if changed_ms >= self._since_ms and item["Size"] and not _NOT_LOGS.search(key):
                    found[key] = Found(self._path_of(key), item["Size"], _stamp(item["LastModified"], item["ETag"]))
            if lane is not None and lane.dated and after is not None:
                self._started[lane.prefix] = after
        return [found[key] for key in sorted(found)]

    def _walk(self) -> Iterator[tuple[_Lane | None, list[Any]]]:
        """Yield the lanes below the prefix; objects that lie beside folders come with no lane."""
        waiting, looked = [self._settings.prefix], 0
        while waiting:
            prefix = waiting.pop(0)
            folders, objects = self._folders(prefix)
            looked += 1
            if any(_DATED.search(folder[len(prefix) :]) for folder in folders):
                plain = all(_PLAIN_YEAR.search(folder[len(prefix) :]) for folder in folders)
                yield _Lane(prefix, dated=True, plain=plain), []
            elif looked + len(waiting) + len(folders) > _MAX_LANES:
                yield _Lane(prefix, dated=False), []
            else:
                waiting.extend(folders)
                yield None, objects

    def _folders(self, prefix: str) -> tuple[list[str], list[Any]]:
        folders: list[str] = []
        objects: list[Any] = []
        for page in self._list_pages(Prefix=prefix, Delimiter="/"):
            folders.extend(item["Prefix"] for item in page.get("CommonPrefixes", []))
            objects.extend(page.get("Contents", []))
            if len(folders) > _MAX_LANES:
                break
        return folders, objects

    def _pages(self, prefix: str, *, after: str | None) -> Iterator[Any]:
        more = {"StartAfter": after} if after else {}
        for page in self._list_pages(Prefix=prefix, **more):
            yield from page.get("Contents", [])

    def _list_pages(self, **asked: Any) -> Iterator[Any]:
        token: dict[str, str] = {}
        while True:
            page = self._ask("list_objects_v2", **asked, **token)
            yield page
            if not page.get("IsTruncated"):
                return
            token = {"ContinuationToken": page["NextContinuationToken"]}

    def _start(self, lane: _Lane) -> str | None:
        """Return the key to list a lane from: where the last pass left it, else the first day that is wanted."""
        known = self._lanes.get(lane.prefix)
        if known is not None or not lane.plain:
            return known
        day = datetime.fromtimestamp(self._since_ms / 1000, UTC)
        return f"{lane.prefix}{day:%Y/%m/%d}"

    # one object

    def _object(self, found: Found) -> Iterator[Batch]:
        try:
            answer = self._client_now().get_object(Bucket=self._bucket, Key=self._key_of(found.path))
        except CachewiseError:
            raise
        except Exception as error:  # noqa: BLE001  # boto3 raises classes made at run time; every one is explained
            self._tell.batch.requests += 1
            if code_of(error) in GONE:
                return
            problem = unreadable(error, found.path)
            if problem is None:
                raise self._explained(error) from None
            self._tell.batch.problems.append(problem)
            return
        self._tell.batch.requests += 1
        yield from self._read_object(found, answer["Body"])

    def _read_object(self, found: Found, body: Any) -> Iterator[Batch]:
        pieces = chunks(cast(BinaryIO, _Reading(body, self._explained)))
        head, problem = b"", None
        try:
            for piece in pieces:
                head += piece
                if len(head) >= HEAD:
                    break
        except BadInput as error:
            problem = error  # what could be read of it is told all the same
        known = self._cursor.find(head[:HEAD], found, whole=True)
        refused = refused_head(head[:HEAD])
        if refused:
            self._refuse(found, known, refused)
            return
        file = self._opened(found, known, head[:HEAD], whole=True)
        export = _EXPORT.search(self._key_of(found.path))
        if export:
            stream = f"{export[1]}/{export[2]}/{export[3]}/{export[4]}"
            file.origin = self._tell.origin(self._settings.account, self._settings.log_group, stream)
        try:
            at = 0 if envelopes.is_document(head[:HEAD]) else file.known.at
            yield from self._pieces(file, _from(at, chained(head, pieces)), head[:HEAD])
        except BadInput as error:
            problem = error
        if problem is not None:
            self._tell.batch.problems.append(named(problem, found.path))
            self._tell.skip("truncated", file, found.size, again=file.offset < file.seen)
        file.ids = True  # an object does not change its content: nothing but its key and etag needs remembering
        self._settle(file)

    # AWS

    def _ask(self, operation: str, **asked: Any) -> Any:
        try:
            page = getattr(self._client_now(), operation)(Bucket=self._bucket, **asked)
        except CachewiseError:
            raise
        except Exception as error:  # noqa: BLE001  # as above
            raise self._explained(error) from None
        self._tell.batch.requests += 1
        self._tell.batch.retries += int(page.get("ResponseMetadata", {}).get("RetryAttempts", 0))
        return page

    def _client_now(self) -> Any:
        if self._client is None:
            self._client = self._opener(self._settings)
        return self._client

    def _explained(self, error: Exception) -> CachewiseError:
        settings = self._settings
        endpoint = settings.endpoint_url or (self._client.meta.endpoint_url if self._client is not None else None)
        explained = explain_s3(
            error, bucket=self._bucket, prefix=settings.prefix, region=settings.region, endpoint=endpoint,
            role_arn=settings.role_arn,
        )  # fmt: skip
        if isinstance(explained, FixSettings):
            self._client = None  # credentials may be mended while we run; sessions remember the old ones
        return explained

    def _path_of(self, key: str) -> str:
        return f"s3://{self._bucket}/{key}"

    def _key_of(self, path: str) -> str:
        return path[len(self._path_of("")) :]

    def _take(self) -> Batch:
        batch = super()._take()
        self._bodies.fill(batch.events, batch, now_ms=self._tell.now_ms)
        batch.cursor |= {"lanes": dict(self._lanes), "since_ms": self._since_ms}
        return batch


class _Reading:
    """The body of an object as something to read; a connection that breaks is explained."""

    def __init__(self, body: Any, explain: Callable[[Exception], CachewiseError]) -> None:
        self._body = body
        self._explain = explain

    def read(self, size: int) -> bytes:
        """Return the next bytes, none at the end."""
        try:
            data: bytes = self._body.read(size)
        except Exception as error:  # noqa: BLE001  # urllib3's and botocore's, whatever they are called
            raise self._explain(error) from None
        return data


def _stamp(changed: datetime, etag: str) -> int:
    """Return a modification time whose parts below a second tell one content from another written over it."""
    return int(changed.timestamp()) * 1_000_000_000 + zlib.crc32(etag.encode()) % 1_000_000_000


def _just_before(key: str) -> str:
    """Return a key to list after so that this one is listed."""
    return key[:-1]


def _from(at: int, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the bytes from an offset on."""
    passed = 0
    for piece in pieces:
        if passed + len(piece) > at:
            yield piece[max(0, at - passed) :]
        passed += len(piece)
