"""The one reader of settings: cachewise.toml (or the file CACHEWISE_CONFIG names), then the environment over it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from core.access_settings import AccessSettings, read_access
from core.alert_settings import ALERT_TABLES, DEMO, AlertSettings, read_alerts
from core.errors import FixSettings
from core.probe_settings import ProbeSettings, every_seconds, read_probe, usd_amount
from core.reconcile_settings import ReconcileSettings, read_reconcile
from core.report_settings import ReportRule, read_reports
from core.settings_tables import only_known, table_of, texts_of
from core.source_settings import (
    CACHE_TTLS,
    CLEAR_METHODS,
    METRIC_ROLES,
    PROVIDERS,
    ClearMethod,
    ClearSettings,
    LineDefaults,
    SourceSettings,
    line_defaults,
    read_sources,
)

__all__ = [
    "CACHE_TTLS",
    "CLEAR_METHODS",
    "METRIC_ROLES",
    "PROVIDERS",
    "ClearMethod",
    "ClearSettings",
    "LineDefaults",
    "ProbeSettings",
    "Settings",
    "SourceSettings",
    "admin_key",
    "api_key",
    "every_seconds",
    "line_defaults",
    "load",
    "usd_amount",
]
DEFAULT_FILE = "cachewise.toml"


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
    only_known(
        "",
        data,
        {"store", "sources", "prices", "dashboard", "probe", "reconcile", "reports", "access", *ALERT_TABLES},
        path,
    )
    store = table_of(data, "store", {"path", "engine"}, path)
    prices = table_of(data, "prices", {"files"}, path)
    dashboard = table_of(data, "dashboard", {"port", "address"}, path)
    engine = env.get("CACHEWISE_STORE_ENGINE", store.get("engine", "duckdb"))
    if engine != "duckdb":
        raise FixSettings(
            f'store.engine = "{engine}" is not available.',
            code="CFG-003",
            mend='Accepted: "duckdb" (Spark arrives later).',
            about=(engine,),
        )
    demo = _switch("CACHEWISE_DEMO", env.get("CACHEWISE_DEMO", "false"))
    alerts = read_alerts(data, env, path)
    return Settings(
        store_path=env.get("CACHEWISE_STORE_PATH", str(store.get("path", "data"))),
        store_engine="duckdb",
        sources=read_sources(data, path),
        price_files=_price_files(env, prices, path),
        port=_port(env.get("CACHEWISE_PORT", dashboard.get("port", 8501))),
        address=env.get("CACHEWISE_ADDRESS", str(dashboard.get("address", "127.0.0.1"))),
        demo=demo,
        config_file=str(path) if path else None,
        aws_endpoint_url=env.get("AWS_ENDPOINT_URL") or env.get("AWS_ENDPOINT_URL_LOGS"),
        anthropic_base_url=env.get("ANTHROPIC_BASE_URL"),
        bedrock_base_url=env.get("ANTHROPIC_BEDROCK_BASE_URL"),
        probe=read_probe(data, path),
        alerts=read_alerts(DEMO, {}, None) if demo else alerts,
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
                about=(named,),
            )
        return path
    path = folder / DEFAULT_FILE
    return path if path.is_file() else None


def _read_toml(path: Path) -> dict[str, Any]:
    import tomllib  # where there is no file, none is read

    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise FixSettings(
            f"{path} is not valid TOML: {error}.", code="CFG-002", mend="Mend the line it names.", about=(path, error)
        ) from None
    except OSError as error:
        raise FixSettings(
            f"{path} cannot be read: {error.strerror}.",
            code="CFG-002",
            mend="Check its permissions.",
            about=(path, error.strerror),
        ) from None


def _price_files(env: Mapping[str, str], prices: Mapping[str, Any], path: Path | None) -> tuple[str, ...]:
    named = env.get("CACHEWISE_PRICE_FILES")
    if named:
        return tuple(part for part in named.split(os.pathsep) if part)
    return texts_of(prices.get("files", []), "prices.files", path)


def _port(value: object) -> int:
    try:
        port = int(str(value))
    except ValueError:
        port = -1
    if not 0 < port < 65536:
        raise FixSettings(
            f"Port {value!r} is not usable.",
            code="CFG-011",
            mend="Accepted: 1 to 65535, such as PORT=8501.",
            about=(value,),
        )
    return port


def _switch(key: str, value: str) -> bool:
    lowered = value.strip().lower()
    if lowered in ("1", "true", "yes", "on"):
        return True
    if lowered in ("", "0", "false", "no", "off"):
        return False
    raise FixSettings(
        f"{key} = {value!r} is not a switch.", code="CFG-012", mend="Accepted: true or false.", about=(key, value)
    )
