"""Who somebody is, from the claims of a token or the headers of a proxy: pure, so that every case can be tried.

What cannot be believed (an address nobody verified, a header that came twice) is no identity; it is never repaired.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from core.access_settings import AccessSettings, Role

State = Literal["local", "open", "signed_out", "expired", "stranger", "member"]
_NAME_LIMIT = 100
_SKEW = timedelta(minutes=5)
_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who looks at the dashboard. `local` is this machine's operator; `open` is anybody where there is no login."""

    state: State
    role: Role | None
    name: str = ""
    email: str = ""

    @property
    def shown(self) -> str:
        """Return what to call this person: the name, else the address."""
        return self.name or self.email


SIGNED_OUT = Visitor("signed_out", None)


def from_claims(claims: Mapping[str, Any], access: AccessSettings, now: datetime) -> Visitor:
    """Return the visitor that an identity token describes; one signed in too long ago has no role."""
    email = _text(claims.get(access.email_claim))
    if claims.get("email_verified") is False or claims.get("email_verified") == "false":
        email = ""  # anybody could have typed it
    groups = _groups(claims.get(access.groups_claim))
    name = _text(claims.get(access.name_claim))
    if not signed_in_until(claims, access, now) > now:
        return Visitor("expired", None, name, email)
    return _judged(email or _text(claims.get("sub")), name, email, groups, access)


def signed_in_until(claims: Mapping[str, Any], access: AccessSettings, now: datetime) -> datetime:
    """Return until when a sign-in counts: from its time on for the longest session, else until the token expires.

    A token that says neither, or was issued in the future, counts for nothing.
    """
    issued, expires = _moment(claims.get("iat")), _moment(claims.get("exp"))
    if issued is None:
        return expires or _NEVER
    if issued > now + _SKEW:
        return _NEVER
    return issued + timedelta(hours=access.max_session_hours)


def from_headers(values: Callable[[str], Sequence[str]], access: AccessSettings) -> Visitor:
    """Return the visitor that a trusted proxy names. `values` returns every value of a header."""
    told: dict[str, str] = {}
    for key, header in access.headers:
        found = values(header)
        if len(found) > 1:  # the proxy let a client's own copy through: nobody knows which is whose
            return SIGNED_OUT
        told[key] = _text(found[0]) if found else ""
    email = told.get("email", "")
    if not email:
        return SIGNED_OUT
    groups = [group.strip() for group in told.get("groups", "").split(",")]
    return _judged(email, told.get("name", ""), email, [group for group in groups if group], access)


def _judged(ident: str, name: str, email: str, groups: Sequence[str], access: AccessSettings) -> Visitor:
    role = access.role_of(email or None, groups)
    return Visitor("member" if role else "stranger", role, name or ident, email or ident)


def _groups(value: Any) -> list[str]:
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def _text(value: Any) -> str:
    """Return a claim as one short printable line; it goes to the screen and into the audit log."""
    if not isinstance(value, str):
        return ""
    return "".join(letter for letter in value if letter.isprintable()).strip()[:_NAME_LIMIT]


def _moment(value: Any) -> datetime | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return datetime.fromtimestamp(value, UTC)
    except (OverflowError, ValueError, OSError):
        return None
