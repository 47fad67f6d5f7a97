"""The table [reconcile] of cachewise.toml: whose bill the figures are held against. Read by core.settings only."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

from core.settings_tables import ROLE_ARN, ROLE_FORM, only, wrong

_wrong = wrong("REC-001")
Api = Literal["auto", "analytics", "legacy"]
APIS: tuple[str, ...] = ("auto", "analytics", "legacy")
_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d")
_TEXTS = ("secret_name", "secret_region")
_LISTS = ("workspace_ids", "api_key_ids", "regions")


@dataclass(frozen=True, slots=True)
class ReconcileSettings:
    """Where the provider's own figures are read. The Admin API key itself is never a setting."""

    api: Api = "auto"  # auto: the Analytics API, and the older Admin reports where it is not there
    secret_name: str | None = None  # in Secrets Manager; ANTHROPIC_ADMIN_KEY goes over it
    secret_region: str | None = None
    workspace_ids: tuple[str, ...] = ()  # only these of the organization; none: all
    api_key_ids: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()  # of Bedrock; none: Bedrock is not reconciled
    role_arn: str | None = None  # assumed for reading CloudWatch and Cost Explorer
    cost_explorer: bool = False  # AWS charges $0.01 for each request


def read_reconcile(data: Mapping[str, Any], path: Path | None) -> ReconcileSettings:
    """Check and build the table. Raises FixSettings naming key, value and what is accepted."""
    table = data.get("reconcile", {})
    if not isinstance(table, dict):
        raise _wrong(path, "reconcile must be a table", "Write [reconcile] on its own line.")
    known = {item.name for item in fields(ReconcileSettings)}
    only(_wrong, table, known, "reconcile", path)
    for key, value in table.items():
        if key in _LISTS:
            _check_list(key, value, path)
        elif key in _TEXTS and not (isinstance(value, str) and value.strip()):
            raise _wrong(path, f"reconcile.{key} = {value!r}", "Accepted: a text.")
    if table.get("api", "auto") not in APIS:
        raise _wrong(path, f"reconcile.api = {table['api']!r}", f"Accepted: {', '.join(APIS)}.")
    if not isinstance(table.get("cost_explorer", False), bool):
        raise _wrong(path, f"reconcile.cost_explorer = {table['cost_explorer']!r}", "Accepted: true or false.")
    role = table.get("role_arn")
    if role is not None and not (isinstance(role, str) and ROLE_ARN.fullmatch(role)):
        raise _wrong(path, f"reconcile.role_arn = {role!r}", f"Accepted: {ROLE_FORM}.")
    read: dict[str, Any] = {key: tuple(value) if key in _LISTS else value for key, value in table.items()}
    return ReconcileSettings(**read)


def _check_list(key: str, value: object, path: Path | None) -> None:
    if not isinstance(value, list) or not all(isinstance(part, str) and part for part in value):
        raise _wrong(path, f"reconcile.{key} = {value!r}", 'Accepted: a list such as ["…"].')
    for part in value:
        if key == "regions" and not _REGION.fullmatch(part):
            raise _wrong(path, f"reconcile.regions has {part!r}", 'Accepted: regions such as "ap-northeast-2".')
