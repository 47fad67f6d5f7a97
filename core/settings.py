"""The one reader of settings: cachewise.toml (or the file CACHEWISE_CONFIG names), then the environment over it."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Literal

from core.access_settings import AccessSettings, read_access
from core.alert_settings import ALERT_TABLES, AlertSettings, read_alerts
from core.errors import FixSettings
from core.reconcile_settings import ReconcileSettings, read_reconcile
from core.report_settings import ReportRule, read_reports

SourceKind = Literal["cloudwatch", "files", "s3"]
SOURCE_KINDS: tuple[str, ...] = ("cloudwatch", "files", "s3")
METRIC_ROLES = ("cost", "input", "output", "read", "write", "write_5m", "write_1h", "latency", "ttft")
"""What an embedded metric can mean: dollars, tokens, milliseconds."""
PROVIDERS = ("anthropic", "bedrock")
CACHE_TTLS = ("5m", "1h")
ClearMethod = Literal["epoch", "variable"]
CLEAR_METHODS: tuple[str, ...] = ("epoch", "variable")
DEFAULT_FILE = "cachewise.toml"


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


@dataclass(frozen=True, slots=True)
class ProbeSettings:
    """How the live probe asks Claude, and how much a run may spend. The key itself is never a setting."""

    provider: str = "anthropic"
    model: str | None = None  # None: a cheap one, see core.probe
    other_model: str | None = None  # for the experiment that changes the model; None: the cheapest that fits
    secret_name: str | None = None  # in Secrets Manager; ANTHROPIC_API_KEY goes over it
    budget_usd: Decimal = Decimal("0.05")  # of one run
    every_s: float | None = None  # how often the canary runs
    cache_ttl: str = "5m"
    prefix_tokens: int | None = None  # None: enough for the model's minimum
    max_wait_s: float = 360.0  # how long the TTL ladder may wait in real time
    prompt_table: str | None = None  # None: that of the first source that can be cleared
    prompt_key: str = "engine"
    prompt_engine: str | None = None  # whose prompt is read; None: an in-memory reader, labelled as such
    region: str | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that can be configured. Built once at the edge and passed down."""

    store_path: str = "data"
    store_engine: Literal["duckdb"] = "duckdb"
    sources: tuple[SourceSettings, ...] = ()
    price_files: tuple[str, ...] = ()
    port: int = 8501
    address: str = "127.0.0.1"
    demo: bool = False
    config_file: str | None = None
    aws_endpoint_url: str | None = None
    anthropic_base_url: str | None = None
    bedrock_base_url: str | None = None
    probe: ProbeSettings = field(default_factory=ProbeSettings)
    alerts: AlertSettings = field(default_factory=AlertSettings)
    reconcile: ReconcileSettings = field(default_factory=ReconcileSettings)
    reports: tuple[ReportRule, ...] = ()
    access: AccessSettings = field(default_factory=AccessSettings)

    @property
    def lake_path(self) -> str:
        """Where the tables live: the demo fleet's are kept apart from a real service's."""
        return f"{self.store_path.rstrip('/')}/demo/tables" if self.demo else f"{self.store_path.rstrip('/')}/tables"


def load(environ: Mapping[str, str] | None = None, *, folder: Path | None = None) -> Settings:
    """Read the settings file, lay the environment over it, check every key and value.

    Raises FixSettings naming the file, the key, the value and what is accepted.
    """
    env = os.environ if environ is None else environ
    path = _config_path(env, folder or Path.cwd())
    data = _read_toml(path) if path else {}
    _only_known(
        "",
        data,
        {"store", "sources", "prices", "dashboard", "probe", "reconcile", "reports", "access", *ALERT_TABLES},
        path,
    )
    store = _table(data, "store", {"path", "engine"}, path)
    prices = _table(data, "prices", {"files"}, path)
    dashboard = _table(data, "dashboard", {"port", "address"}, path)
    engine = env.get("CACHEWISE_STORE_ENGINE", store.get("engine", "duckdb"))
    if engine != "duckdb":
        raise FixSettings(
            f'store.engine = "{engine}" is not available.',
            code="CFG-003",
            mend='Accepted: "duckdb" (Spark arrives later).',
        )
    return Settings(
        store_path=env.get("CACHEWISE_STORE_PATH", str(store.get("path", "data"))),
        store_engine="duckdb",
        sources=tuple(_source(item, index, path) for index, item in enumerate(_sources(data, path))),
        price_files=_price_files(env, prices),
        port=_port(env.get("CACHEWISE_PORT", dashboard.get("port", 8501))),
        address=env.get("CACHEWISE_ADDRESS", str(dashboard.get("address", "127.0.0.1"))),
        demo=_switch("CACHEWISE_DEMO", env.get("CACHEWISE_DEMO", "false")),
        config_file=str(path) if path else None,
        aws_endpoint_url=env.get("AWS_ENDPOINT_URL") or env.get("AWS_ENDPOINT_URL_LOGS"),
        anthropic_base_url=env.get("ANTHROPIC_BASE_URL"),
        bedrock_base_url=env.get("ANTHROPIC_BEDROCK_BASE_URL"),
        probe=_probe(data, path),
        alerts=read_alerts(data, env, path),
        reconcile=read_reconcile(data, path),
        reports=read_reports(data, env, path),
        access=read_access(data, path),
    )


def api_key(environ: Mapping[str, str] | None = None) -> str | None:
    """Return the Anthropic API key of the environment. It is asked for when needed, and kept in no settings."""
    env = os.environ if environ is None else environ
    return env.get("ANTHROPIC_API_KEY", "").strip() or None


def admin_key(environ: Mapping[str, str] | None = None) -> str | None:
    """Return the Anthropic Admin API key of the environment. It is asked for when needed, and kept in no settings."""
    env = os.environ if environ is None else environ
    return env.get("ANTHROPIC_ADMIN_KEY", "").strip() or None


def _config_path(env: Mapping[str, str], folder: Path) -> Path | None:
    named = env.get("CACHEWISE_CONFIG")
    if named:
        path = Path(named)
        if not path.is_file():
            raise FixSettings(
                f"CACHEWISE_CONFIG names {named}, which is not a file.",
                code="CFG-001",
                mend="Create it or unset the variable.",
            )
        return path
    path = folder / DEFAULT_FILE
    return path if path.is_file() else None


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise FixSettings(
            f"{path} is not valid TOML: {error}.", code="CFG-002", mend="Mend the line it names."
        ) from None
    except OSError as error:
        raise FixSettings(
            f"{path} cannot be read: {error.strerror}.", code="CFG-002", mend="Check its permissions."
        ) from None


def _only_known(where: str, table: Mapping[str, Any], known: set[str], path: Path | None) -> None:
    for key in table:
        if key not in known:
            raise FixSettings(
                f'{path}: unknown key "{where}{key}".', code="CFG-004", mend=f"Accepted: {', '.join(sorted(known))}."
            )


def _table(data: Mapping[str, Any], name: str, known: set[str], path: Path | None) -> Mapping[str, Any]:
    table = data.get(name, {})
    if not isinstance(table, dict):
        raise FixSettings(f"{path}: {name} must be a table.", code="CFG-004", mend=f"Write [{name}] on its own line.")
    _only_known(f"{name}.", table, known, path)
    return table


def _sources(data: Mapping[str, Any], path: Path | None) -> list[dict[str, Any]]:
    items = data.get("sources", [])
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise FixSettings(
            f"{path}: sources must be a list of tables.", code="CFG-004", mend="Write [[sources]] for each."
        )
    names = [item.get("name") for item in items]
    for name in names:
        if names.count(name) > 1:
            raise FixSettings(
                f'{path}: two sources are named "{name}".', code="CFG-005", mend="Give each source its own name."
            )
    return items


_SOURCE_KEYS = {
    "name",
    "kind",
    "log_group",
    "region",
    "account",
    "paths",
    "path",
    "overlap_s",
    "since_days",
    "endpoint_url",
    "defaults",
    "clear",
    "bucket",
    "prefix",
    "role_arn",
    "metrics",
    "external_id",
    "requests_per_s",
    "rescan_hours",
    "rescan_days",
}
_CLEAR_KEYS = {item.name for item in fields(ClearSettings)}
_VARIABLE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]+")
_ROLE_ARN = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/\S+")
_DEFAULT_KEYS = {"provider", "model", "cache_ttl", "caching_enabled", "function_name"}


def _source(item: Mapping[str, Any], index: int, path: Path | None) -> SourceSettings:
    where = f"sources[{index}]."
    _only_known(where, item, _SOURCE_KEYS, path)
    name, kind = item.get("name"), item.get("kind")
    if not isinstance(name, str) or not name:
        raise FixSettings(f"{path}: {where}name is missing.", code="CFG-005", mend='Add name = "…".')
    if kind not in SOURCE_KINDS:
        raise FixSettings(
            f'{path}: source "{name}" has kind = {kind!r}.',
            code="CFG-006",
            mend=f"Accepted: {', '.join(SOURCE_KINDS)}.",
        )
    if kind == "cloudwatch" and not item.get("log_group"):
        raise FixSettings(
            f'{path}: source "{name}" has no log_group.', code="CFG-007", mend='Add log_group = "/aws/lambda/…".'
        )
    if kind == "s3" and not item.get("bucket"):
        raise FixSettings(f'{path}: source "{name}" has no bucket.', code="CFG-007", mend='Add bucket = "my-logs".')
    _role(item, f'source "{name}"', path)
    paths = item.get("paths", [item["path"]] if "path" in item else [])
    if kind == "files" and not paths:
        raise FixSettings(
            f'{path}: source "{name}" has no paths.', code="CFG-007", mend='Add paths = ["logs/*.log.gz"].'
        )
    return SourceSettings(
        name=name,
        kind=kind,
        log_group=item.get("log_group"),
        region=item.get("region"),
        account=item.get("account"),
        paths=tuple(str(p) for p in paths),
        overlap_s=int(_positive(item.get("overlap_s", 600), f"{where}overlap_s", path)),
        since_days=float(_positive(item.get("since_days", 7), f"{where}since_days", path)),
        endpoint_url=item.get("endpoint_url"),
        defaults=line_defaults(item.get("defaults", {}), where=where, path=path),
        clear=_clear(item["clear"], f"{where}clear", item.get("region"), path) if "clear" in item else None,
        bucket=item.get("bucket"),
        prefix=str(item.get("prefix", "")).lstrip("/"),
        role_arn=item.get("role_arn"),
        metrics=_metric_names(item.get("metrics", {}), f"{where}metrics", path),
        external_id=item.get("external_id"),
        requests_per_s=float(_positive(item.get("requests_per_s", 2), f"{where}requests_per_s", path)),
        rescan_hours=float(_positive(item.get("rescan_hours", 3), f"{where}rescan_hours", path)),
        rescan_days=float(_positive(item.get("rescan_days", 2), f"{where}rescan_days", path)),
    )


def _role(item: Mapping[str, Any], whose: str, path: Path | None) -> None:
    role = item.get("role_arn")
    if role is not None and not (isinstance(role, str) and _ROLE_ARN.fullmatch(role)):
        raise FixSettings(
            f"{path}: {whose} has role_arn = {role!r}.",
            code="CFG-017",
            mend="Accepted: arn:aws:iam::<account>:role/<name>.",
        )


def _metric_names(table: object, where: str, path: Path | None) -> tuple[tuple[str, str], ...]:
    """Check what a source's own metrics mean."""
    if not isinstance(table, dict):
        raise FixSettings(f"{path}: {where} must be a table.", code="CFG-004", mend="Write [sources.metrics] below it.")
    _only_known(f"{where}.", table, set(METRIC_ROLES), path)
    for role, name in table.items():
        if not isinstance(name, str) or not name.strip():
            raise FixSettings(
                f"{path}: {where}.{role} = {name!r}.", code="CFG-016", mend="Accepted: the name of a metric."
            )
    return tuple(sorted(table.items()))


def _clear(table: object, where: str, region: str | None, path: Path | None) -> ClearSettings:
    """Check and build how a source is cleared; what the chosen method needs must be there."""
    if not isinstance(table, dict):
        raise FixSettings(f"{path}: {where} must be a table.", code="CFG-004", mend="Write [sources.clear] below it.")
    _only_known(f"{where}.", table, _CLEAR_KEYS, path)
    method = table.get("method", "epoch")
    if method not in CLEAR_METHODS:
        raise FixSettings(
            f"{path}: {where}.method = {method!r}.", code="CFG-014", mend=f"Accepted: {', '.join(CLEAR_METHODS)}."
        )
    for key, value in table.items():
        if key not in ("epoch_seconds", "prompt_context") and not (isinstance(value, str) and value.strip()):
            raise FixSettings(f"{path}: {where}.{key} = {value!r}.", code="CFG-014", mend="Accepted: a text.")
    context = table.get("prompt_context", {})
    if not (isinstance(context, dict) and all(isinstance(value, str | int) for value in context.values())):
        raise FixSettings(
            f"{path}: {where}.prompt_context = {context!r}.",
            code="CFG-014",
            mend='Accepted: texts, whole numbers and switches, as in { location = "Seoul" }.',
        )
    needed = "prompt_table" if method == "epoch" else "function_name"
    if needed not in table:
        raise FixSettings(
            f'{path}: {where} has method = "{method}" and no {needed}.', code="CFG-014", mend=f'Add {needed} = "…".'
        )
    _matching(table, "variable", _VARIABLE_NAME, "a variable name such as PROMPT_CACHE_EPOCH", where, path)
    _matching(table, "role_arn", _ROLE_ARN, "arn:aws:iam::<account>:role/<name>", where, path)
    seconds = table.get("epoch_seconds", 30)
    if seconds != 0 or isinstance(seconds, bool):  # 0: the service looks before every request
        seconds = _positive(seconds, f"{where}.epoch_seconds", path)
    checked = {"epoch_seconds": float(seconds), "prompt_context": tuple(context.items())}
    return ClearSettings(**{"region": region, **table, **checked})


def _matching(
    table: Mapping[str, Any], key: str, form: re.Pattern[str], accepted: str, where: str, path: Path | None
) -> None:
    if key in table and not form.fullmatch(table[key]):
        raise FixSettings(f"{path}: {where}.{key} = {table[key]!r}.", code="CFG-014", mend=f"Accepted: {accepted}.")


_PROBE_KEYS = {item.name for item in fields(ProbeSettings)} - {"every_s"} | {"every"}
_AGE = re.compile(r"([0-9]{1,6})([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
SHORTEST_EVERY_S = 60.0


def every_seconds(text: str, *, where: str = "every") -> float:
    """Read how often the canary runs: 90s, 30m, 1h or 1d. Raises FixSettings for other forms and under a minute."""
    found = _AGE.fullmatch(text.strip())
    seconds = int(found[1]) * _SECONDS[found[2]] if found else 0
    if seconds < SHORTEST_EVERY_S:
        raise FixSettings(
            f"{where} = {text!r} is not an interval.", code="CFG-015", mend="Accepted: 90s, 30m, 1h, 1d; 60s at least."
        )
    return float(seconds)


def usd_amount(value: object, *, where: str) -> Decimal:
    """Read an amount of dollars above 0, exactly. Raises FixSettings."""
    try:
        amount = Decimal(str(value)) if isinstance(value, int | float | str | Decimal) else Decimal("NaN")
    except InvalidOperation:
        amount = Decimal("NaN")
    if isinstance(value, bool) or not amount.is_finite() or not 0 < amount <= 1000:
        raise FixSettings(f"{where} = {value!r}.", code="CFG-015", mend="Accepted: dollars above 0, such as 0.05.")
    return amount


def _probe(data: Mapping[str, Any], path: Path | None) -> ProbeSettings:
    """Check and build the [probe] table."""
    table = dict(_table(data, "probe", _PROBE_KEYS, path))
    for name, accepted in (("provider", PROVIDERS), ("cache_ttl", CACHE_TTLS)):
        if name in table and table[name] not in accepted:
            raise FixSettings(
                f"{path}: probe.{name} = {table[name]!r}.", code="CFG-015", mend=f"Accepted: {', '.join(accepted)}."
            )
    if "budget_usd" in table:
        table["budget_usd"] = usd_amount(table["budget_usd"], where=f"{path}: probe.budget_usd")
    if "every" in table:
        table["every_s"] = every_seconds(str(table.pop("every")), where=f"{path}: probe.every")
    if "max_wait_s" in table:
        table["max_wait_s"] = float(_positive(table["max_wait_s"], "probe.max_wait_s", path))
    if "prefix_tokens" in table:
        table["prefix_tokens"] = int(_positive(table["prefix_tokens"], "probe.prefix_tokens", path))
    for name in _PROBE_KEYS & table.keys() - {"budget_usd", "max_wait_s", "prefix_tokens"}:
        if not (isinstance(table[name], str) and table[name].strip()):
            raise FixSettings(f"{path}: probe.{name} = {table[name]!r}.", code="CFG-015", mend="Accepted: a text.")
    return ProbeSettings(**table)


def line_defaults(table: Mapping[str, Any], *, where: str = "", path: Path | None = None) -> LineDefaults:
    """Check and build the defaults of a source. Raises FixSettings with the accepted values."""
    _only_known(f"{where}defaults.", table, _DEFAULT_KEYS, path)
    provider = table.get("provider", "anthropic")
    if provider not in PROVIDERS:
        raise FixSettings(
            f"{path}: {where}defaults.provider = {provider!r}.",
            code="CFG-008",
            mend=f"Accepted: {', '.join(PROVIDERS)}.",
        )
    ttl = table.get("cache_ttl")
    if ttl is not None and ttl not in CACHE_TTLS:
        raise FixSettings(
            f"{path}: {where}defaults.cache_ttl = {ttl!r}.", code="CFG-009", mend="Claude knows only 5m and 1h."
        )
    return LineDefaults(
        provider=provider,
        model=table.get("model"),
        cache_ttl=ttl,
        caching_enabled=table.get("caching_enabled"),
        function_name=table.get("function_name"),
    )


def _positive(value: object, key: str, path: Path | None) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
        raise FixSettings(f"{path}: {key} = {value!r}.", code="CFG-010", mend="Accepted: a number above 0.")
    return int(value) if isinstance(value, int) else value


def _price_files(env: Mapping[str, str], prices: Mapping[str, Any]) -> tuple[str, ...]:
    named = env.get("CACHEWISE_PRICE_FILES")
    if named:
        return tuple(part for part in named.split(os.pathsep) if part)
    return tuple(str(item) for item in prices.get("files", []))


def _port(value: object) -> int:
    try:
        port = int(str(value))
    except ValueError:
        port = -1
    if not 0 < port < 65536:
        raise FixSettings(
            f"Port {value!r} is not usable.", code="CFG-011", mend="Accepted: 1 to 65535, such as PORT=8501."
        )
    return port


def _switch(key: str, value: str) -> bool:
    lowered = value.strip().lower()
    if lowered in ("1", "true", "yes", "on"):
        return True
    if lowered in ("", "0", "false", "no", "off"):
        return False
    raise FixSettings(f"{key} = {value!r} is not a switch.", code="CFG-012", mend="Accepted: true or false.")
