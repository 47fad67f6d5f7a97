"""The alerts of cachewise.toml: rules, where they are sent, and the monthly budget. Read by core.settings only."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import time
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from core.settings_tables import only, wrong, zone_of

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

_wrong = wrong("ALR-001")
AlertMetric = Literal[
    "hit_rate", "request_hit_rate", "prompt_store_hit_rate", "cost_per_request", "cost", "error_rate",
    "budget", "source_behind", "probe_failed", "regression",
]  # fmt: skip
THRESHOLD_METRICS = (
    "hit_rate", "request_hit_rate", "prompt_store_hit_rate", "cost_per_request", "cost", "error_rate",
)  # fmt: skip
"""Those measured over a window, against `below` or `above` a number or against their own `baseline`."""
ALERT_METRICS: tuple[str, ...] = (*THRESHOLD_METRICS, "budget", "source_behind", "probe_failed", "regression")
ALERT_TABLES = ("alerts", "targets", "budget")
LOG_TARGET = "log"
TARGET_KINDS = ("webhook", "sns", "log")
_WINDOW = re.compile(r"([0-9]{1,4})([mhd])")
_SECONDS = {"m": 60, "h": 3600, "d": 86400}
_TOPIC = re.compile(r"arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[A-Za-z0-9_-]{1,256}")
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True)
class Quiet:
    """Hours of the day in which nobody wants to be told; what opens then is told when they end."""

    start: time
    end: time
    zone: str

    @property
    def zoneinfo(self) -> ZoneInfo:
        """Return the zone of the hours."""
        from zoneinfo import ZoneInfo

        return ZoneInfo(self.zone)


@dataclass(frozen=True, slots=True)
class AlertRule:
    """One rule: what is watched, when it is wrong, and who is told."""

    name: str
    metric: AlertMetric
    below: Decimal | None = None
    above: Decimal | None = None
    baseline: Decimal | None = None  # a share: 0.2 = a fifth worse than the same hours of the last four weeks
    window_s: float = 3600.0
    engines: tuple[str, ...] = ()  # none: every engine, each for itself
    together: bool = False  # one figure over the engines, in place of one each
    least_calls: int = 20  # fewer in the window say nothing
    quiet: Quiet | None = None
    targets: tuple[str, ...] = (LOG_TARGET,)


@dataclass(frozen=True, slots=True)
class AlertTarget:
    """Where messages go. The URL of a webhook is a secret: it is never shown or logged."""

    name: str
    kind: Literal["webhook", "sns", "log"]
    url: str | None = None  # None: the variable that should hold it is not set here
    topic_arn: str | None = None
    region: str | None = None
    url_env: str | None = None

    def __repr__(self) -> str:
        """Say what it is without its URL."""
        return f"AlertTarget(name={self.name!r}, kind={self.kind!r})"


@dataclass(frozen=True, slots=True)
class Budget:
    """What a month may cost, and whose months those are."""

    monthly_usd: Decimal
    zone: str = "UTC"


@dataclass(frozen=True, slots=True)
class AlertSettings:
    """All of it."""

    rules: tuple[AlertRule, ...] = ()
    targets: tuple[AlertTarget, ...] = ()
    budget: Budget | None = None

    def target(self, name: str) -> AlertTarget:
        """Return a target by its name; "log" is always there."""
        return next((item for item in self.targets if item.name == name), AlertTarget(LOG_TARGET, "log"))


DEMO: Mapping[str, Any] = {
    "budget": {"monthly_usd": "1200"},
    "alerts": [
        {"name": "got worse", "metric": "regression", "above": 1},
        {"name": "month", "metric": "budget"},
        {"name": "read share", "metric": "hit_rate", "baseline": 0.2, "window": "3h"},
    ],
}
"""What the demo fleet is watched by. Only the log is told: nobody's phone rings for made-up figures."""


def read_alerts(data: Mapping[str, Any], env: Mapping[str, str], path: Path | None) -> AlertSettings:
    """Check and build the alerts of a settings file. Raises FixSettings naming key, value and what is accepted."""
    targets = tuple(_target(name, item, env, path) for name, item in _named(data, "targets", path).items())
    budget = _budget(data.get("budget"), path)
    items = data.get("alerts", [])
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise _wrong(path, "alerts must be a list of tables", "Write [[alerts]] for each.")
    rules = tuple(_rule(item, index, {target.name for target in targets}, path) for index, item in enumerate(items))
    names = [rule.name for rule in rules]
    for name in names:
        if names.count(name) > 1:
            raise _wrong(path, f'two alerts are named "{name}"', "Give each its own name.")
    if budget is None and any(rule.metric == "budget" for rule in rules):
        raise _wrong(path, "an alert watches the budget and there is none", 'Add [budget] with monthly_usd = "500".')
    return AlertSettings(rules, targets, budget)


_RULE_KEYS = {
    "name", "metric", "below", "above", "baseline", "window", "engines", "together", "least_calls", "quiet", "zone",
    "targets",
}  # fmt: skip


def _rule(item: Mapping[str, Any], index: int, targets: set[str], path: Path | None) -> AlertRule:
    name, metric = item.get("name"), item.get("metric")
    if not isinstance(name, str) or not name.strip():
        raise _wrong(path, f"alerts[{index}].name is missing", 'Add name = "…".')
    where = f'alert "{name}"'
    only(_wrong, item, _RULE_KEYS, where, path)
    if metric not in ALERT_METRICS:
        raise _wrong(path, f"{where} has metric = {metric!r}", f"Accepted: {', '.join(ALERT_METRICS)}.")
    rule = AlertRule(
        name=name,
        metric=metric,
        below=_number(item, "below", where, path),
        above=_number(item, "above", where, path),
        baseline=_number(item, "baseline", where, path),
        window_s=_window(item.get("window", "20m" if metric == "source_behind" else "1h"), where, path),
        engines=_texts(item.get("engines", []), f"{where}: engines", path),
        together=_yes_or_no(item.get("together", False), f"{where}: together", path),
        least_calls=_whole(item.get("least_calls", 20), f"{where}: least_calls", path),
        quiet=_quiet(item, where, path),
        targets=_texts(item.get("targets", [LOG_TARGET]), f"{where}: targets", path) or (LOG_TARGET,),
    )
    _one_limit(rule, where, path)
    for target in rule.targets:
        if target != LOG_TARGET and target not in targets:
            accepted = ", ".join(sorted({*targets, LOG_TARGET}))
            raise _wrong(path, f'{where} is sent to "{target}", which is no target', f"Accepted: {accepted}.")
    return rule


def _one_limit(rule: AlertRule, where: str, path: Path | None) -> None:
    """See that a measured metric has exactly one limit, and the others none they do not know."""
    given = [name for name in ("below", "above", "baseline") if getattr(rule, name) is not None]
    if rule.metric in THRESHOLD_METRICS and len(given) != 1:
        raise _wrong(path, f"{where} has {' and '.join(given) or 'no limit'}", "Give one of below, above, baseline.")
    if rule.metric not in THRESHOLD_METRICS and set(given) - {"above"}:
        raise _wrong(path, f"{where} has {' and '.join(given)}", f"{rule.metric} knows only above, or no limit.")


def _target(name: str, item: object, env: Mapping[str, str], path: Path | None) -> AlertTarget:
    where = f"targets.{name}"
    if not isinstance(item, dict):
        raise _wrong(path, f"{where} must be a table", f"Write [targets.{name}] on its own line.")
    only(_wrong, item, {"kind", "url", "url_env", "topic_arn", "region"}, where, path)
    kind = item.get("kind")
    if kind not in TARGET_KINDS or name == LOG_TARGET:
        raise _wrong(
            path, f"{where} has kind = {kind!r}", f"Accepted: {', '.join(TARGET_KINDS)}; the name log is taken."
        )
    topic = item.get("topic_arn")
    if kind == "sns" and not (isinstance(topic, str) and _TOPIC.fullmatch(topic)):
        raise _wrong(path, f"{where} has topic_arn = {topic!r}", "Accepted: arn:aws:sns:<region>:<account>:<name>.")
    url = _url(item, env, where, path) if kind == "webhook" else None
    variable = item.get("url_env")
    return AlertTarget(name, kind, url, topic, item.get("region"), str(variable) if variable else None)


def _url(item: Mapping[str, Any], env: Mapping[str, str], where: str, path: Path | None) -> str | None:
    """Return a webhook's URL, from the file or the variable it names; messages never quote it.

    A variable that is not set is no mistake yet: who asks for figures need not hold the secret of who is told.
    """
    variable = item.get("url_env")
    url = env.get(str(variable), "") if variable else item.get("url", "")
    if variable and not url.strip():
        return None
    try:
        parts = urlsplit(str(url).strip())
        host = parts.hostname
    except ValueError:
        parts, host = urlsplit(""), None
    if (parts.scheme == "https" and host) or (parts.scheme == "http" and host in _LOOPBACK):
        return str(url).strip()
    told = f"the variable {variable} holds no usable URL" if variable else "url is not usable"
    raise _wrong(path, f"{where}: {told}", "Accepted: https://…, or http:// on this machine.")


def _budget(item: object, path: Path | None) -> Budget | None:
    if item is None:
        return None
    if not isinstance(item, dict):
        raise _wrong(path, "budget must be a table", "Write [budget] on its own line.")
    only(_wrong, item, {"monthly_usd", "zone"}, "budget", path)
    limit = _number(item, "monthly_usd", "budget", path)
    if limit is None or limit <= 0:
        raise _wrong(path, f"budget.monthly_usd = {item.get('monthly_usd')!r}", 'Accepted: dollars above 0, as "500".')
    return Budget(limit, _zone(item.get("zone", "UTC"), "budget.zone", path))


def _quiet(item: Mapping[str, Any], where: str, path: Path | None) -> Quiet | None:
    zone = _zone(item.get("zone", "UTC"), f"{where}: zone", path)
    text = item.get("quiet")
    if text is None:
        return None
    try:
        start, end = (time.fromisoformat(part.strip()) for part in str(text).split("-"))
        if start.tzinfo or end.tzinfo:
            raise ValueError(text)
    except ValueError:
        raise _wrong(
            path, f"{where} has quiet = {text!r}", 'Accepted: "22:00-08:00"; their zone is zone = "Asia/Seoul".'
        ) from None
    return Quiet(start, end, zone)


def _zone(name: object, where: str, path: Path | None) -> str:
    return zone_of(_wrong, name, f"{where} = {name!r} is no time zone", path)


def _window(text: object, where: str, path: Path | None) -> float:
    found = _WINDOW.fullmatch(str(text))
    seconds = int(found[1]) * _SECONDS[found[2]] if found else 0
    if not 300 <= seconds <= 31 * 86400:
        raise _wrong(path, f"{where} has window = {text!r}", "Accepted: 5m to 31d, such as 15m, 1h, 1d.")
    return float(seconds)


def _number(item: Mapping[str, Any], key: str, where: str, path: Path | None) -> Decimal | None:
    value = item.get(key)
    if value is None:
        return None
    try:
        number = Decimal(str(value)) if not isinstance(value, bool) else Decimal("NaN")
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or number < 0:
        raise _wrong(path, f"{where} has {key} = {value!r}", "Accepted: a number, 0 or more.")
    return number


def _texts(value: object, where: str, path: Path | None) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(part, str) and part for part in value):
        raise _wrong(path, f"{where} = {value!r}", 'Accepted: a list such as ["sales"].')
    return tuple(value)


def _yes_or_no(value: object, where: str, path: Path | None) -> bool:
    if not isinstance(value, bool):
        raise _wrong(path, f"{where} = {value!r}", "Accepted: true or false.")
    return value


def _whole(value: object, where: str, path: Path | None) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise _wrong(path, f"{where} = {value!r}", "Accepted: a whole number, 1 or more.")
    return value


def _named(data: Mapping[str, Any], name: str, path: Path | None) -> Mapping[str, Any]:
    table = data.get(name, {})
    if not isinstance(table, dict):
        raise _wrong(path, f"{name} must be a table", f"Write [{name}.NAME] for each.")
    return table
