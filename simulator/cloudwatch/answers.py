"""What CloudWatch Logs, STS and Lambda answer: one function per operation, no sockets.

Operations and error codes: https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/Welcome.html
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote

from simulator.cloudwatch.faults import FaultPlan, RequestFault
from simulator.cloudwatch.log_groups import PAGE_BYTES, Event, LogGroup, LogGroups
from simulator.messages.clock import SimulatedClock

MAX_PAGE = 10_000
TOKEN_LIFE_MS = 24 * 3600 * 1000
DEFAULT_ACCOUNT = "123456789012"
ROLE_KEY = "ASIA"  # access keys lent for a role begin with it; the account follows
_JSON = "application/x-amz-json-1.1"
Params = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer. `cut` breaks the connection in the middle of the body."""

    status: int
    body: bytes
    content_type: str = _JSON
    cut: bool = False
    error: str | None = None  # where the protocol names the error in a header


@dataclass(frozen=True, slots=True)
class Refusal(Exception):
    """An AWS error: its code, its words, its status."""

    code: str
    message: str
    status: int = 400

    def answer(self) -> Answer:
        """Return it as the JSON protocol says it."""
        return Answer(self.status, json.dumps({"__type": self.code, "message": self.message}).encode())


@dataclass(slots=True)
class _Token:
    """Where a page ended, and what it was asked for."""

    asked: tuple[Any, ...]
    after: int
    issued_ms: int
    life: int
    page_before: int  # where the page that gave this token began


@dataclass(slots=True)
class Cloud:
    """One CloudWatch: its clock, its log groups, its faults, and what was asked of it."""

    clock: SimulatedClock
    groups: LogGroups = field(default_factory=LogGroups)
    faults: FaultPlan = field(default_factory=FaultPlan)
    functions: dict[str, dict[str, Any]] = field(default_factory=dict)
    roles: dict[str, str | None] = field(default_factory=dict)  # role ARN → the external id it demands
    seconds_per_request: float = 0.0  # how far the clock moves while a page is read
    requests: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)  # (account, operation, parameters)
    _tokens: dict[str, _Token] = field(default_factory=dict)
    _numbers: int = 0

    @property
    def now_ms(self) -> int:
        """Return the virtual time."""
        return round(self.clock.now().timestamp() * 1000)

    def logs(self, operation: str, params: Params, *, account: str, region: str) -> Answer:
        """Answer a request of the JSON 1.1 protocol."""
        with self.groups.lock:
            self.requests.append((account, operation, dict(params)))
            self.clock.advance(self.seconds_per_request)
            try:
                return self._logs(operation, params, account, region)
            except Refusal as refusal:
                return refusal.answer()

    def assume_role(self, form: str) -> Answer:
        """Answer STS: lend keys whose name tells the role's account."""
        asked = {key: values[0] for key, values in parse_qs(form).items()}
        role = asked.get("RoleArn", "")
        with self.groups.lock:
            self.requests.append(("", "AssumeRole", asked))
        wanted = self.roles.get(role, "")
        if role not in self.roles or (wanted is not None and asked.get("ExternalId") != wanted):
            words = f"not authorized to perform: sts:AssumeRole on resource: {role}"
            return _sts_error("AccessDenied", words)
        account = role.split(":")[4]
        return _sts_keys(f"{ROLE_KEY}{account}", role)

    def function(self, path: str) -> Answer:
        """Answer Lambda's GetFunctionConfiguration by its REST path."""
        name = unquote(path.split("/functions/", 1)[1].split("/", 1)[0])
        found = self.functions.get(name.rpartition(":function:")[2])  # the API takes an ARN too
        self.requests.append(("", "GetFunctionConfiguration", {"FunctionName": name}))
        if found is None:
            body = {"Type": "User", "Message": f"Function not found: {name}"}
            return Answer(404, json.dumps(body).encode(), "application/json", error="ResourceNotFoundException")
        return Answer(200, json.dumps({"FunctionName": name, **found}).encode(), "application/json")

    # Logs

    def _logs(self, operation: str, params: Params, account: str, region: str) -> Answer:
        outage = self.faults.outage(self.now_ms)
        if outage == "expired_credentials":
            raise Refusal("ExpiredTokenException", "The security token included in the request is expired")
        known: dict[str, Callable[[Params, str, str], Answer]] = {
            "FilterLogEvents": self._filter_log_events,
            "DescribeLogGroups": self._describe_log_groups,
            "DescribeLogStreams": self._describe_log_streams,
        }
        if operation not in known:
            raise Refusal("UnknownOperationException", f"{operation} is not simulated")
        if outage == "no_group":
            raise Refusal("ResourceNotFoundException", "The specified log group does not exist.")
        return known[operation](params, account, region)

    def _filter_log_events(self, params: Params, account: str, region: str) -> Answer:
        fault = self.faults.draw()
        _refuse(fault, self.faults)
        group = self._group(params, account, region)
        now_ms = self.now_ms
        start_ms, end_ms = int(params.get("startTime", 0)), int(params.get("endTime", now_ms))
        limit = int(params.get("limit", MAX_PAGE))
        if not 1 <= limit <= MAX_PAGE:
            raise Refusal("InvalidParameterException", f"limit {limit} is not between 1 and {MAX_PAGE}")
        asked = (group.arn, start_ms, end_ms, limit, params.get("logStreamNamePrefix"))
        told = params.get("nextToken")
        token = self._token(told, asked, group, now_ms, expire=fault == "expire_token")
        after = token.after if token else -1
        if fault == "empty":
            self.faults.did(fault)
            return _page([], self._issue(asked, after, after, group, now_ms))
        if fault == "repeat_token" and told:
            self.faults.did(fault)
            return _page([], told)
        if fault == "repeat_page" and token and token.page_before != after:
            self.faults.did(fault)
            again, _ = self._events(group, params, start_ms, end_ms, token.page_before, limit, now_ms)
            return _page([event for event in again if event.order <= after], told)
        size = min(limit, self.faults.largest_page)
        if fault == "partial":
            self.faults.did(fault)
            size = min(limit, self.faults.page_size())
        events, more = self._events(group, params, start_ms, end_ms, after, size, now_ms)
        following = self._issue(asked, events[-1].order, after, group, now_ms) if more and events else None
        page = _page(events, following)
        if fault in ("cut", "garbled"):
            self.faults.did(fault)
            half = page.body[: len(page.body) // 2]
            return Answer(200, page.body, cut=True) if fault == "cut" else Answer(200, half)
        return page

    def _events(
        self, group: LogGroup, params: Params, start_ms: int, end_ms: int, after: int, limit: int, now_ms: int
    ) -> tuple[list[Event], bool]:
        """Return a page of events, and whether more follow."""
        prefix, names = params.get("logStreamNamePrefix"), params.get("logStreamNames")
        found: list[Event] = []
        size = 0
        for event in group.between(start_ms, end_ms, after=after, now_ms=now_ms):
            if (prefix and not event.stream.startswith(prefix)) or (names and event.stream not in names):
                continue
            size += event.size
            if len(found) >= limit or (found and size > PAGE_BYTES):
                return found, True
            found.append(event)
        return found, False

    def _group(self, params: Params, account: str, region: str) -> LogGroup:
        name = params.get("logGroupIdentifier") or params.get("logGroupName")
        if not name:
            raise Refusal("InvalidParameterException", "logGroupName or logGroupIdentifier is required")
        if params.get("logGroupName", "").startswith("arn:") or str(name).endswith(":*"):
            raise Refusal("InvalidParameterException", f"{name} is neither a name nor an identifier of a log group")
        group = self.groups.find(name, account=account, region=region)
        if group is None:
            raise Refusal("ResourceNotFoundException", "The specified log group does not exist.")
        return group

    def _token(
        self, told: str | None, asked: tuple[Any, ...], group: LogGroup, now_ms: int, *, expire: bool
    ) -> _Token | None:
        if told is None:
            return None
        token = self._tokens.get(told)
        if token and expire:
            self.faults.did("expire_token")
            del self._tokens[told]
            token = None
        good = token and token.asked == asked and token.life == group.life
        if token is None or not good or now_ms - token.issued_ms > TOKEN_LIFE_MS:
            raise Refusal("InvalidParameterException", "The specified nextToken is invalid.")
        return token

    def _issue(self, asked: tuple[Any, ...], after: int, before: int, group: LogGroup, now_ms: int) -> str:
        self._numbers += 1
        name = f"Bxkq6kVGFtq2y_Moigeqscpo{self._numbers:012d}"
        self._tokens[name] = _Token(asked, after, now_ms, group.life, before)
        return name

    def _describe_log_groups(self, params: Params, account: str, region: str) -> Answer:
        prefix = params.get("logGroupNamePrefix", "")
        groups = [group for group in self.groups.of(account=account, region=region) if group.name.startswith(prefix)]
        told = [
            {
                "logGroupName": group.name,
                "creationTime": group.created_ms,
                "arn": f"{group.arn}:*",
                "logGroupArn": group.arn,
                "storedBytes": 0,
                "logGroupClass": "STANDARD",
            }
            for group in groups
        ]
        return _listed("logGroups", told, params)

    def _describe_log_streams(self, params: Params, account: str, region: str) -> Answer:
        group = self._group(params, account, region)
        prefix = params.get("logStreamNamePrefix", "")
        stale_ms = self.now_ms - 30 * 60_000  # "eventually consistent, typically within an hour"
        told = [
            {
                "logStreamName": name,
                "creationTime": events[0].ingested_ms,
                "firstEventTimestamp": events[0].timestamp_ms,
                "lastEventTimestamp": max([e.timestamp_ms for e in events if e.ingested_ms < stale_ms], default=None),
                "lastIngestionTime": max([e.ingested_ms for e in events if e.ingested_ms < stale_ms], default=None),
                "arn": f"{group.arn}:log-stream:{name}",
                "storedBytes": 0,
            }
            for name, events in sorted(group.streams(self.now_ms).items())
            if name.startswith(prefix)
        ]
        return _listed("logStreams", [{k: v for k, v in one.items() if v is not None} for one in told], params)


def _refuse(fault: RequestFault | None, faults: FaultPlan) -> None:
    if fault == "throttle":
        faults.did(fault)
        raise Refusal("ThrottlingException", "Rate exceeded")
    if fault == "server_error":
        faults.did(fault)
        raise Refusal("ServiceUnavailableException", "The service cannot complete the request.", 503)


def _page(events: list[Event], token: str | None) -> Answer:
    body: dict[str, Any] = {
        "events": [
            {
                "logStreamName": event.stream,
                "timestamp": event.timestamp_ms,
                "message": event.message,
                "ingestionTime": event.ingested_ms,
                "eventId": event.event_id,
            }
            for event in events
        ],
        "searchedLogStreams": [],
    }
    if token:
        body["nextToken"] = token
    return Answer(200, json.dumps(body, ensure_ascii=False).encode())


def _listed(name: str, told: list[dict[str, Any]], params: Params) -> Answer:
    limit, at = min(int(params.get("limit", 50)), 50), int(params.get("nextToken", 0))
    body: dict[str, Any] = {name: told[at : at + limit]}
    if at + limit < len(told):
        body["nextToken"] = str(at + limit)
    return Answer(200, json.dumps(body).encode())


def _sts_keys(access_key: str, role: str) -> Answer:
    body = f"""<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult>
<AssumedRoleUser><Arn>{role}/cachewise</Arn><AssumedRoleId>AROA:cachewise</AssumedRoleId></AssumedRoleUser>
<Credentials><AccessKeyId>{access_key}</AccessKeyId><SecretAccessKey>simulated</SecretAccessKey>
<SessionToken>simulated</SessionToken><Expiration>2999-01-01T00:00:00Z</Expiration></Credentials>
</AssumeRoleResult></AssumeRoleResponse>"""
    return Answer(200, body.encode(), "text/xml")


def _sts_error(code: str, words: str) -> Answer:
    body = (
        '<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type>'
        f"<Code>{code}</Code><Message>{words}</Message></Error></ErrorResponse>"
    )
    return Answer(403, body.encode(), "text/xml")
