"""Who may open the dashboard and who may act: the [access] table of cachewise.toml. Read by core.settings only."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from core.settings_tables import only, wrong

_wrong = wrong("CFG-018")
Provider = Literal["none", "oidc", "proxy", "alb"]
Role = Literal["viewer", "operator"]
ACCESS_PROVIDERS: tuple[str, ...] = ("none", "oidc", "proxy", "alb")
EVERYBODY = "*"
_GROUP = "group:"
_HEADERS = {
    "email": "X-Forwarded-Email",
    "name": "X-Forwarded-Preferred-Username",
    "groups": "X-Forwarded-Groups",
}
"""What oauth2-proxy sends; other proxies are told by [access.headers]."""
_KEYS = {
    "provider", "login", "operators", "viewers", "email_claim", "name_claim", "groups_claim", "max_session_hours",
    "allowed_hosts", "headers", "load_balancer", "sign_out",
}  # fmt: skip
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # a header's name, RFC 9110
_HOST = re.compile(r"(\*|(\*\.)?[A-Za-z0-9.:_-]+)")
_BALANCER = re.compile(r"arn:aws[a-z-]*:elasticloadbalancing:([a-z0-9-]+):\d{12}:loadbalancer/app/[^/\s]+/[0-9a-f]+")
_ENTRY = re.compile(r"\*|group:\S.*|@[^@\s]+|[^@\s]+@[^@\s]+")


@dataclass(frozen=True, slots=True)
class AccessSettings:
    """How people sign in, and the role of each. Secrets are not here: they are in .streamlit/secrets.toml."""

    provider: Provider = "none"
    login: str | None = None  # [auth.<login>] of secrets.toml; None: [auth] itself
    operators: tuple[str, ...] = ()
    viewers: tuple[str, ...] = ()
    email_claim: str = "email"
    name_claim: str = "name"
    groups_claim: str = "groups"
    max_session_hours: float = 12.0
    allowed_hosts: tuple[str, ...] = ()  # none: any name in the Host header
    headers: tuple[tuple[str, str], ...] = tuple(_HEADERS.items())  # (email | name | groups, header)
    load_balancer: str | None = None  # whose signature is believed
    sign_out: str | None = None  # where the proxy ends a session

    def role_of(self, email: str | None, groups: Collection[str]) -> Role | None:
        """Return the role of a signed-in person, or None for one who is not listed."""
        if _listed(self.operators, email, groups):
            return "operator"
        return "viewer" if EVERYBODY in self.viewers or _listed(self.viewers, email, groups) else None

    @property
    def balancer_region(self) -> str | None:
        """Return the region of the load balancer, where its public keys are."""
        found = _BALANCER.fullmatch(self.load_balancer or "")
        return found[1] if found else None


def _listed(entries: Collection[str], email: str | None, groups: Collection[str]) -> bool:
    if any(f"{_GROUP}{group}" in entries for group in groups):
        return True
    if email is None or not email.isascii():  # outside ASCII other letters become these when their case is folded
        return False
    mail = email.lower()
    domain = "@" + mail.rpartition("@")[2]
    return any(entry.lower() in (mail, domain) for entry in entries if not entry.startswith(_GROUP))


def metrics_token(environ: Mapping[str, str] | None = None) -> str | None:
    """Return the bearer token that opens /metrics from elsewhere. It is kept in no settings."""
    env = os.environ if environ is None else environ
    return env.get("CACHEWISE_METRICS_TOKEN", "").strip() or None


def read_access(data: Mapping[str, Any], path: Path | None) -> AccessSettings:
    """Check and build [access]. Raises FixSettings naming key, value and what is accepted."""
    table = data.get("access", {})
    if not isinstance(table, dict):
        raise _wrong(path, "access must be a table", "Write [access] on its own line.")
    only(_wrong, table, _KEYS, "access", path)
    provider = table.get("provider", "none")
    if provider not in ACCESS_PROVIDERS:
        raise _wrong(path, f"access.provider = {provider!r}", f"Accepted: {', '.join(ACCESS_PROVIDERS)}.")
    operators, viewers = (_people(table, name, path) for name in ("operators", "viewers"))
    if EVERYBODY in operators:
        raise _wrong(path, 'access.operators = ["*"]', "Name the operators; only viewers may be everybody.")
    if provider != "none" and not operators and not viewers:
        raise _wrong(path, f'access.provider = "{provider}" and nobody is listed', 'Add operators = ["you@…"].')
    if provider == "none" and (operators or viewers):
        raise _wrong(path, "access lists people but no way to sign in", 'Add provider = "oidc", see docs/access.md.')
    balancer = _text(table, "load_balancer", path)
    if provider == "alb" and not _BALANCER.fullmatch(balancer or ""):
        raise _wrong(path, f"access.load_balancer = {balancer!r}", "Accepted: the ARN of an application load balancer.")
    return AccessSettings(
        provider=provider,
        login=_login(table, path),
        operators=operators,
        viewers=viewers,
        email_claim=_text(table, "email_claim", path) or "email",
        name_claim=_text(table, "name_claim", path) or "name",
        groups_claim=_text(table, "groups_claim", path) or "groups",
        max_session_hours=_hours(table.get("max_session_hours", 12), path),
        allowed_hosts=_hosts(table, path),
        headers=_headers(table.get("headers", {}), path),
        load_balancer=balancer,
        sign_out=_sign_out(table, path),
    )


def _people(table: Mapping[str, Any], name: str, path: Path | None) -> tuple[str, ...]:
    items = _texts(table, name, path)
    for item in items:
        if not _ENTRY.fullmatch(item):
            accepted = "an e-mail address, @domain, group:name" + (' or "*"' if name == "viewers" else "")
            raise _wrong(path, f"access.{name} has {item!r}", f"Accepted: {accepted}.")
    return items


def _texts(table: Mapping[str, Any], name: str, path: Path | None) -> tuple[str, ...]:
    items = table.get(name, [])
    if not isinstance(items, list) or not all(isinstance(item, str) and item.strip() for item in items):
        raise _wrong(path, f"access.{name} = {items!r}", "Accepted: a list of texts.")
    return tuple(item.strip() for item in items)


def _hosts(table: Mapping[str, Any], path: Path | None) -> tuple[str, ...]:
    hosts = _texts(table, "allowed_hosts", path)
    for host in hosts:
        if not _HOST.fullmatch(host):
            raise _wrong(path, f"access.allowed_hosts has {host!r}", "Accepted: a host name, or *.domain.")
    return hosts


def _text(table: Mapping[str, Any], name: str, path: Path | None) -> str | None:
    value = table.get(name)
    if value is not None and not (isinstance(value, str) and value.strip()):
        raise _wrong(path, f"access.{name} = {value!r}", "Accepted: a text.")
    return value


def _login(table: Mapping[str, Any], path: Path | None) -> str | None:
    login = _text(table, "login", path)
    if login is not None and not re.fullmatch(r"[A-Za-z0-9-]+", login):
        raise _wrong(path, f"access.login = {login!r}", "Accepted: letters, digits and hyphens, as in [auth.okta].")
    return login


def _sign_out(table: Mapping[str, Any], path: Path | None) -> str | None:
    where = _text(table, "sign_out", path)
    if where is not None and not re.fullmatch(r"(https://|/(?!/))\S*", where):
        raise _wrong(path, f"access.sign_out = {where!r}", "Accepted: a path such as /oauth2/sign_out, or https://….")
    return where


def _hours(value: object, path: Path | None) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 720:
        raise _wrong(path, f"access.max_session_hours = {value!r}", "Accepted: hours above 0, 720 at most.")
    return float(value)


def _headers(table: object, path: Path | None) -> tuple[tuple[str, str], ...]:
    if not isinstance(table, dict):
        raise _wrong(path, "access.headers must be a table", "Write [access.headers] below [access].")
    only(_wrong, table, set(_HEADERS), "access.headers", path)
    for key, name in table.items():
        if not isinstance(name, str) or not _TOKEN.fullmatch(name):
            raise _wrong(path, f"access.headers.{key} = {name!r}", "Accepted: the name of a header.")
    return tuple((table or _HEADERS).items())
