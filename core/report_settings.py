"""The scheduled reports of cachewise.toml, [[reports]]: which period, in which formats, to where.

The URL of a webhook is a secret: it is never shown, logged or stored.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from core.settings_tables import ROLE_ARN, ROLE_FORM, only, wrong, zone_of

_wrong = wrong("REP-005")
Schedule = Literal["daily", "weekly", "monthly"]
SCHEDULES: tuple[Schedule, ...] = ("daily", "weekly", "monthly")
Place = Literal["folder", "s3", "webhook"]
REPORT_LANGUAGES = ("en", "ko")
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_BUCKET = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/(.*))?")
_KEYS = {"name", "schedule", "formats", "to", "to_env", "zone", "by", "lang", "region", "role_arn", "billing_account"}


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a report goes."""

    kind: Place
    where: str  # a folder, s3://bucket/prefix, or the secret URL of a webhook

    @property
    def shown(self) -> str:
        """Return it as it may be shown: of a webhook its host alone."""
        if self.kind != "webhook":
            return self.where
        parts = urlsplit(self.where)
        return f"{parts.scheme}://{parts.hostname}/…"

    @property
    def bucket(self) -> tuple[str, str]:
        """Return bucket and prefix, without slashes at its ends."""
        found = _BUCKET.fullmatch(self.where)
        assert found is not None
        return found[1], (found[2] or "").strip("/")

    def __repr__(self) -> str:
        """Say what it is without a secret."""
        return f"Destination({self.shown!r})"


@dataclass(frozen=True, slots=True)
class ReportRule:
    """One scheduled report."""

    name: str
    schedule: Schedule
    to: Destination
    formats: tuple[str, ...] = ("csv",)  # checked by core.reports.files; a webhook takes none
    zone: str = "UTC"
    by: tuple[str, ...] = ("day",)
    lang: Literal["en", "ko"] = "en"
    region: str | None = None  # of the bucket
    role_arn: str | None = None  # assumed for writing to it
    billing_account: str | None = None  # of FOCUS


def destination(text: str) -> Destination | None:
    """Read a destination: a folder, s3://bucket/prefix, or https://…; None where it is none of these."""
    if text.startswith("s3://"):
        return Destination("s3", text) if _BUCKET.fullmatch(text) else None
    if "://" in text:
        return Destination("webhook", text) if _usable(text) else None
    return Destination("folder", text) if text.strip() else None


def read_reports(data: Mapping[str, Any], env: Mapping[str, str], path: Path | None) -> tuple[ReportRule, ...]:
    """Check and build the scheduled reports. Raises FixSettings naming key, value and what is accepted."""
    items = data.get("reports", [])
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise _wrong(path, "reports must be a list of tables", "Write [[reports]] for each.")
    rules = tuple(_rule(item, index, env, path) for index, item in enumerate(items))
    names = [rule.name for rule in rules]
    for name in names:
        if names.count(name) > 1:
            raise _wrong(path, f'two reports are named "{name}"', "Give each its own name.")
    _check_places(rules, path)
    return rules


def _check_places(rules: Sequence[ReportRule], path: Path | None) -> None:
    """Refuse two reports of the same days in one place: files are named by their days, and one would be lost."""
    places: dict[tuple[str, str], str] = {}
    for rule in rules:
        if rule.to.kind == "webhook":
            continue
        other = places.setdefault((rule.to.where.rstrip("/"), rule.schedule), rule.name)
        if other != rule.name:
            raise _wrong(
                path,
                f'the {rule.schedule} reports "{other}" and "{rule.name}" both go to {rule.to.where}',
                "Give each a folder or prefix of its own: their files have the same names.",
            )


def _rule(item: Mapping[str, Any], index: int, env: Mapping[str, str], path: Path | None) -> ReportRule:
    name = item.get("name")
    if not isinstance(name, str) or not name.strip():
        raise _wrong(path, f"reports[{index}].name is missing", 'Add name = "…".')
    where = f'report "{name}"'
    only(_wrong, item, _KEYS, where, path)
    schedule, lang = item.get("schedule"), item.get("lang", "en")
    if schedule not in SCHEDULES:
        raise _wrong(path, f"{where} has schedule = {schedule!r}", f"Accepted: {', '.join(SCHEDULES)}.")
    if lang not in REPORT_LANGUAGES:
        raise _wrong(path, f"{where} has lang = {lang!r}", f"Accepted: {', '.join(REPORT_LANGUAGES)}.")
    role = item.get("role_arn")
    if role is not None and not (isinstance(role, str) and ROLE_ARN.fullmatch(role)):
        raise _wrong(path, f"{where} has role_arn = {role!r}", f"Accepted: {ROLE_FORM}.")
    return ReportRule(
        name=name,
        schedule=schedule,
        to=_destination(item, where, env, path),
        formats=_texts(item, "formats", ("csv",), where, path),
        zone=_zone(item.get("zone", "UTC"), where, path),
        by=_texts(item, "by", ("day",), where, path),
        lang=lang,
        region=item.get("region"),
        role_arn=role,
        billing_account=item.get("billing_account"),
    )


def _destination(item: Mapping[str, Any], where: str, env: Mapping[str, str], path: Path | None) -> Destination:
    """Read where it goes, from the file or the variable it names; a message never quotes what may be a secret."""
    variable = item.get("to_env")
    found = destination(str(env.get(str(variable), "") if variable else item.get("to", "")).strip())
    if found is None:
        told = f"the variable {variable} holds no usable destination" if variable else "to is not usable"
        raise _wrong(path, f"{where}: {told}", "Accepted: a folder, s3://bucket/prefix, or https://…")
    return found


def _usable(url: str) -> bool:
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return False
    return bool((parts.scheme == "https" and host) or (parts.scheme == "http" and host in _LOOPBACK))


def _texts(
    item: Mapping[str, Any], key: str, default: tuple[str, ...], where: str, path: Path | None
) -> tuple[str, ...]:
    value = item.get(key, list(default))
    if not isinstance(value, list) or not value or not all(isinstance(part, str) and part for part in value):
        raise _wrong(path, f"{where} has {key} = {value!r}", f"Accepted: a list such as {list(default)}.")
    return tuple(value)


def _zone(name: object, where: str, path: Path | None) -> str:
    return zone_of(_wrong, name, f"{where} has zone = {name!r}", path)
