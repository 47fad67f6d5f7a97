"""The sources of cachewise.toml, [[sources]]: where log lines come from, what they leave unsaid, how to clear."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from core.errors import FixSettings
from core.settings_tables import ROLE_ARN, ROLE_FORM, only_known, positive, text_of, texts_of

SourceKind = Literal["cloudwatch", "files", "s3"]
SOURCE_KINDS: tuple[str, ...] = ("cloudwatch", "files", "s3")
METRIC_ROLES = ("cost", "input", "output", "read", "write", "write_5m", "write_1h", "latency", "ttft")
"""What an embedded metric can mean: dollars, tokens, milliseconds."""
PROVIDERS = ("anthropic", "bedrock")
CACHE_TTLS = ("5m", "1h")
ClearMethod = Literal["epoch", "variable"]
CLEAR_METHODS: tuple[str, ...] = ("epoch", "variable")
_VARIABLE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]+")


@dataclass(frozen=True, slots=True)
class LineDefaults:
    """What a text line does not say: provider, model, TTL and switches of the service that wrote it."""

    provider: str = "anthropic"
    model: str | None = None
    cache_ttl: str | None = None  # None: the split of writes between 5m and 1h is unknown
    caching_enabled: bool | None = None
    function_name: str | None = None


@dataclass(frozen=True, slots=True)
class ClearSettings:
    """How the prompt store of a source's service is cleared; the rights for it are not those of the collector."""

    method: ClearMethod = "epoch"
    prompt_table: str | None = None
    key_name: str = "engine"
    epoch_seconds: float = 30.0  # the service's PROMPT_EPOCH_SECONDS: how old its view of the epoch may be
    function_name: str | None = None
    alias: str | None = None  # None: traffic goes to $LATEST
    variable: str = "PROMPT_CACHE_EPOCH"
    role_arn: str | None = None  # assumed for the action only
    region: str | None = None  # None: the source's
    prompt_context: tuple[tuple[str, str | int | bool], ...] = ()  # the service's StaticContext, sent behind the prompt


@dataclass(frozen=True, slots=True)
class SourceSettings:
    """One configured source of log lines."""

    name: str
    kind: SourceKind
    log_group: str | None = None
    region: str | None = None
    account: str | None = None
    paths: tuple[str, ...] = ()
    overlap_s: int = 600
    since_days: float = 7.0
    endpoint_url: str | None = None
    defaults: LineDefaults = field(default_factory=LineDefaults)
    clear: ClearSettings | None = None
    bucket: str | None = None
    prefix: str = ""
    role_arn: str | None = None  # assumed for reading, when the logs lie in another account
    metrics: tuple[tuple[str, str], ...] = ()  # (role, metric name) beside the names that are recognised anyway
    external_id: str | None = None  # what the role's trust policy demands of whoever assumes it
    requests_per_s: float = 2.0  # shared by all sources of one account and region; the quota is 5, for everybody
    rescan_hours: float = 3.0  # every hour this much of the past is read again, for events that became visible late
    rescan_days: float = 2.0  # and every day this much


_SOURCE_KEYS = {item.name for item in fields(SourceSettings)} | {"path"}
_SOURCE_TEXTS = ("log_group", "region", "account", "endpoint_url", "bucket", "prefix", "external_id")
_CLEAR_KEYS = {item.name for item in fields(ClearSettings)}
_DEFAULT_KEYS = {item.name for item in fields(LineDefaults)}


def read_sources(data: Mapping[str, Any], path: Path | None) -> tuple[SourceSettings, ...]:
    """Check and build the [[sources]] tables. Raises FixSettings with what is accepted."""
    return tuple(_source(item, index, path) for index, item in enumerate(_tables(data, path)))


def _tables(data: Mapping[str, Any], path: Path | None) -> list[dict[str, Any]]:
    items = data.get("sources", [])
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise FixSettings(
            f"{path}: sources must be a list of tables.",
            code="CFG-004",
            mend="Write [[sources]] for each.",
            about=(path,),
        )
    names = [item.get("name") for item in items]
    for name in names:
        if names.count(name) > 1:
            raise FixSettings(
                f'{path}: two sources are named "{name}".',
                code="CFG-005",
                mend="Give each source its own name.",
                about=(path, name),
            )
    return items


def _source(item: Mapping[str, Any], index: int, path: Path | None) -> SourceSettings:
    where = f"sources[{index}]."
    only_known(where, item, _SOURCE_KEYS, path)
    name, kind = item.get("name"), item.get("kind")
    if not isinstance(name, str) or not name:
        raise FixSettings(
            f"{path}: {where}name is missing.", code="CFG-005", mend='Add name = "…".', about=(path, where)
        )
    if kind not in SOURCE_KINDS:
        raise FixSettings(
            f'{path}: source "{name}" has kind = {kind!r}.',
            code="CFG-006",
            mend=f"Accepted: {', '.join(SOURCE_KINDS)}.",
            about=(path, name, kind),
        )
    texts = {key: text_of(item, key, where, path) for key in _SOURCE_TEXTS}
    if kind == "cloudwatch" and not texts["log_group"]:
        raise FixSettings(
            f'{path}: source "{name}" has no log_group.',
            code="CFG-007",
            mend='Add log_group = "/aws/lambda/…".',
            about=(path, name),
        )
    if kind == "s3" and not texts["bucket"]:
        raise FixSettings(
            f'{path}: source "{name}" has no bucket.',
            code="CFG-007",
            mend='Add bucket = "my-logs".',
            about=(path, name),
        )
    _role(item, f'source "{name}"', path)
    paths = texts_of(item.get("paths", item.get("path", [])), f"{where}paths", path)
    if kind == "files" and not paths:
        raise FixSettings(
            f'{path}: source "{name}" has no paths.',
            code="CFG-007",
            mend='Add paths = ["logs/*.log.gz"].',
            about=(path, name),
        )
    return SourceSettings(
        name=name,
        kind=kind,
        paths=paths,
        overlap_s=int(positive(item.get("overlap_s", 600), f"{where}overlap_s", path)),
        since_days=float(positive(item.get("since_days", 7), f"{where}since_days", path)),
        defaults=line_defaults(item.get("defaults", {}), where=where, path=path),
        clear=_clear(item["clear"], f"{where}clear", texts["region"], path) if "clear" in item else None,
        prefix=(texts.pop("prefix") or "").lstrip("/"),
        role_arn=item.get("role_arn"),
        metrics=_metric_names(item.get("metrics", {}), f"{where}metrics", path),
        requests_per_s=float(positive(item.get("requests_per_s", 2), f"{where}requests_per_s", path)),
        rescan_hours=float(positive(item.get("rescan_hours", 3), f"{where}rescan_hours", path)),
        rescan_days=float(positive(item.get("rescan_days", 2), f"{where}rescan_days", path)),
        **texts,
    )


def _role(item: Mapping[str, Any], whose: str, path: Path | None) -> None:
    role = item.get("role_arn")
    if role is not None and not (isinstance(role, str) and ROLE_ARN.fullmatch(role)):
        raise FixSettings(
            f"{path}: {whose} has role_arn = {role!r}.",
            code="CFG-017",
            mend=f"Accepted: {ROLE_FORM}.",
            about=(path, whose, role),
        )


def _metric_names(table: object, where: str, path: Path | None) -> tuple[tuple[str, str], ...]:
    """Check what a source's own metrics mean."""
    if not isinstance(table, dict):
        raise FixSettings(
            f"{path}: {where} must be a table.",
            code="CFG-004",
            mend="Write [sources.metrics] below it.",
            about=(path, where),
        )
    only_known(f"{where}.", table, set(METRIC_ROLES), path)
    for role, name in table.items():
        if not isinstance(name, str) or not name.strip():
            raise FixSettings(
                f"{path}: {where}.{role} = {name!r}.",
                code="CFG-016",
                mend="Accepted: the name of a metric.",
                about=(path, where, role, name),
            )
    return tuple(sorted(table.items()))


def _clear(table: object, where: str, region: str | None, path: Path | None) -> ClearSettings:
    """Check and build how a source is cleared; what the chosen method needs must be there."""
    if not isinstance(table, dict):
        raise FixSettings(
            f"{path}: {where} must be a table.",
            code="CFG-004",
            mend="Write [sources.clear] below it.",
            about=(path, where),
        )
    only_known(f"{where}.", table, _CLEAR_KEYS, path)
    method = table.get("method", "epoch")
    if method not in CLEAR_METHODS:
        raise FixSettings(
            f"{path}: {where}.method = {method!r}.",
            code="CFG-014",
            mend=f"Accepted: {', '.join(CLEAR_METHODS)}.",
            about=(path, where, method),
        )
    for key, value in table.items():
        if key not in ("epoch_seconds", "prompt_context") and not (isinstance(value, str) and value.strip()):
            raise FixSettings(
                f"{path}: {where}.{key} = {value!r}.",
                code="CFG-014",
                mend="Accepted: a text.",
                about=(path, where, key, value),
            )
    context = table.get("prompt_context", {})
    if not (isinstance(context, dict) and all(isinstance(value, str | int) for value in context.values())):
        raise FixSettings(
            f"{path}: {where}.prompt_context = {context!r}.",
            code="CFG-014",
            mend='Accepted: texts, whole numbers and switches, as in { location = "Seoul" }.',
            about=(path, where, context),
        )
    needed = "prompt_table" if method == "epoch" else "function_name"
    if needed not in table:
        raise FixSettings(
            f'{path}: {where} has method = "{method}" and no {needed}.',
            code="CFG-014",
            mend=f'Add {needed} = "…".',
            about=(path, where, method, needed),
        )
    _matching(table, "variable", _VARIABLE_NAME, "a variable name such as PROMPT_CACHE_EPOCH", where, path)
    _matching(table, "role_arn", ROLE_ARN, ROLE_FORM, where, path)
    seconds = table.get("epoch_seconds", 30)
    if seconds != 0 or isinstance(seconds, bool):  # 0: the service looks before every request
        seconds = positive(seconds, f"{where}.epoch_seconds", path)
    checked = {"epoch_seconds": float(seconds), "prompt_context": tuple(context.items())}
    return ClearSettings(**{"region": region, **table, **checked})


def _matching(
    table: Mapping[str, Any], key: str, form: re.Pattern[str], accepted: str, where: str, path: Path | None
) -> None:
    if key in table and not form.fullmatch(table[key]):
        raise FixSettings(
            f"{path}: {where}.{key} = {table[key]!r}.",
            code="CFG-014",
            mend=f"Accepted: {accepted}.",
            about=(path, where, key, table[key]),
        )


def line_defaults(table: object, *, where: str = "", path: Path | None = None) -> LineDefaults:
    """Check and build the defaults of a source. Raises FixSettings with the accepted values."""
    if not isinstance(table, dict):
        raise FixSettings(
            f"{path}: {where}defaults must be a table.",
            code="CFG-004",
            mend='Accepted: { model = "claude-…" }.',
            about=(path, where),
        )
    only_known(f"{where}defaults.", table, _DEFAULT_KEYS, path)
    provider = table.get("provider", "anthropic")
    if provider not in PROVIDERS:
        raise FixSettings(
            f"{path}: {where}defaults.provider = {provider!r}.",
            code="CFG-008",
            mend=f"Accepted: {', '.join(PROVIDERS)}.",
            about=(path, where, provider),
        )
    ttl = table.get("cache_ttl")
    if ttl is not None and ttl not in CACHE_TTLS:
        raise FixSettings(
            f"{path}: {where}defaults.cache_ttl = {ttl!r}.",
            code="CFG-009",
            mend="Claude knows only 5m and 1h.",
            about=(path, where, ttl),
        )
    enabled = table.get("caching_enabled")
    if enabled is not None and not isinstance(enabled, bool):
        raise FixSettings(
            f"{path}: {where}defaults.caching_enabled = {enabled!r}.",
            code="CFG-012",
            mend="Accepted: true or false.",
            about=(path, where, enabled),
        )
    return LineDefaults(
        provider=provider,
        model=text_of(table, "model", f"{where}defaults.", path),
        cache_ttl=ttl,
        caching_enabled=enabled,
        function_name=text_of(table, "function_name", f"{where}defaults.", path),
    )
