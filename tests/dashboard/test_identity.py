"""Who somebody is: by claims of a token, by headers of a proxy, by a load balancer's signature, by being here."""

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from core.access_settings import AccessSettings
from dashboard import alb, auth
from dashboard.identity import SIGNED_OUT, from_claims, from_headers

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
ACCESS = AccessSettings(provider="oidc", operators=("kim@example.com",), viewers=("group:staff",))
BALANCER = "arn:aws:elasticloadbalancing:ap-northeast-2:123456789012:loadbalancer/app/cachewise/0123456789abcdef"


def claims(**overrides: Any) -> dict[str, Any]:
    """The claims of an operator who signed in an hour ago."""
    return {
        "sub": "u-1",
        "email": "kim@example.com",
        "name": "Kim",
        "iat": (NOW - timedelta(hours=1)).timestamp(),
    } | overrides


# by token


@pytest.mark.parametrize(
    ("told", "state", "role"),
    [
        ({}, "member", "operator"),
        ({"email": "lee@example.com", "groups": ["staff"]}, "member", "viewer"),
        ({"email": "lee@example.com", "groups": "x, staff"}, "member", "viewer"),
        ({"email": "lee@example.com"}, "stranger", None),
        ({"email_verified": True}, "member", "operator"),
        ({"email_verified": False}, "stranger", None),
        ({"email_verified": "false"}, "stranger", None),
        ({"email": ["kim@example.com"]}, "stranger", None),
        ({"email": "u-1", "sub": "kim@example.com"}, "stranger", None),
    ],
)
def test_claims_are_judged(told: dict[str, Any], state: str, role: str | None) -> None:
    """The e-mail address and the groups decide, and an address that nobody verified decides nothing."""
    who = from_claims(claims(**told), ACCESS, NOW)

    assert (who.state, who.role) == (state, role)


def test_a_subject_that_looks_like_an_address_is_no_address() -> None:
    """Whoever may choose a user id at the provider must not become an operator by it."""
    who = from_claims(claims(email="", sub="kim@example.com"), ACCESS, NOW)

    assert (who.state, who.role) == ("stranger", None)


@pytest.mark.parametrize(
    ("times", "counts"),
    [
        ({"iat": (NOW - timedelta(hours=11, minutes=59)).timestamp()}, True),
        ({"iat": (NOW - timedelta(hours=12, seconds=1)).timestamp()}, False),
        ({"iat": (NOW + timedelta(minutes=4)).timestamp()}, True),
        ({"iat": (NOW + timedelta(hours=1)).timestamp()}, False),
        ({"iat": None, "exp": (NOW + timedelta(minutes=1)).timestamp()}, True),
        ({"iat": None, "exp": (NOW - timedelta(minutes=1)).timestamp()}, False),
        ({"iat": None}, False),
        ({"iat": True}, False),
        ({"iat": "1"}, False),
        ({"iat": 1e300}, False),
    ],
)
def test_a_sign_in_ends(times: dict[str, Any], counts: bool) -> None:
    """After twelve hours, or where no time is told, one has to sign in again, whatever the cookie says."""
    who = from_claims(claims(**times), ACCESS, NOW)

    assert (who.state, who.role) == (("member", "operator") if counts else ("expired", None))


def test_a_name_is_one_printable_line() -> None:
    """A name goes to the screen and into the audit log: no line breaks, no reversed text, no novel."""
    who = from_claims(claims(name="Kim\n\u202eevil" + "x" * 500), ACCESS, NOW)

    assert who.name.startswith("Kimevil")
    assert len(who.name) == 100


# by headers


def headers(**told: list[str]) -> Callable[[str], list[str]]:
    """Headers with underscores for hyphens."""
    known = {name.replace("_", "-").lower(): values for name, values in told.items()}
    return lambda name: known.get(name.lower(), [])


def test_a_proxy_names_who_it_is() -> None:
    """Address, name and groups come from the configured headers."""
    told = headers(
        X_Forwarded_Email=["Lee@example.com"], X_Forwarded_Preferred_Username=["lee"], X_Forwarded_Groups=["a,staff"]
    )
    who = from_headers(told, ACCESS)

    assert (who.state, who.role, who.name, who.email) == ("member", "viewer", "lee", "Lee@example.com")


def test_without_the_header_nobody_is_signed_in() -> None:
    """Groups alone are nobody."""
    assert from_headers(headers(X_Forwarded_Groups=["staff"]), ACCESS) == SIGNED_OUT


def test_a_header_that_came_twice_is_believed_by_nobody() -> None:
    """A proxy that adds its header beside a client's own copy would let anyone be anyone."""
    told = headers(X_Forwarded_Email=["kim@example.com", "lee@example.com"])

    assert from_headers(told, ACCESS) == SIGNED_OUT


# by a load balancer


KEY = ec.generate_private_key(ec.SECP256R1())
ALB = AccessSettings(provider="alb", operators=("kim@example.com",), load_balancer=BALANCER)


def public(key: ec.EllipticCurvePrivateKey) -> bytes:
    """A key as AWS publishes it."""
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def token(key: ec.EllipticCurvePrivateKey = KEY, told: dict[str, Any] | None = None, **head: Any) -> str:
    """A token as a load balancer signs it: with padding, unlike other tokens."""
    front = {
        "typ": "JWT", "alg": "ES256", "kid": "0a1b2c3d-0000-0000-0000-000000000000", "signer": BALANCER,
        "exp": (NOW + timedelta(minutes=2)).timestamp(),
    } | head  # fmt: skip
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode() for part in (front, told or claims())]
    r, s = decode_dss_signature(key.sign(".".join(parts).encode(), ec.ECDSA(hashes.SHA256())))
    signature = base64.urlsafe_b64encode(r.to_bytes(32, "big") + s.to_bytes(32, "big")).decode()
    return ".".join([*parts, signature])


def asked(region: str, key_id: str) -> bytes:
    """Answer as the public-key endpoint of the load balancer's region does."""
    assert region == "ap-northeast-2"
    return public(KEY)


def by_alb(*tokens: str, now: datetime = NOW, keep: dict[str, Any] | None = None) -> Any:
    """Return whom the load balancer's header makes a visitor."""
    return alb.visitor(tokens, ALB, now=now, keep={} if keep is None else keep, fetch=asked)


def test_a_load_balancers_signature_is_believed() -> None:
    """The claims of a token it signed are the visitor's."""
    who = by_alb(token())

    assert (who.state, who.role, who.email) == ("member", "operator", "kim@example.com")


@pytest.mark.parametrize(
    "forged",
    [
        token(ec.generate_private_key(ec.SECP256R1())),
        token(signer=BALANCER.replace("cachewise", "another")),
        token(alg="none"),
        token(alg="HS256"),
        token(kid="../../elsewhere"),
        token(exp=(NOW - timedelta(seconds=1)).timestamp()),
        token(exp=None, told=claims()),
        token().rpartition(".")[0] + ".",
        token(told=claims(email="lee@example.com")).rpartition(".")[0] + "." + token().rpartition(".")[2],
        "a.b",
        "",
        "é.é.é",
        "x" * 20_000,
    ],
)
def test_a_forged_token_is_nobodys(forged: str) -> None:
    """Another key, another load balancer, another algorithm, an old token, swapped claims, rubbish."""
    assert by_alb(forged) == SIGNED_OUT


def test_two_tokens_are_nobodys() -> None:
    """Nor is a header that came twice."""
    assert by_alb(token(), token()) == SIGNED_OUT


def test_a_session_outlives_its_first_token_but_not_the_longest_session() -> None:
    """The token of the first request lives two minutes; a page stays open for hours, and not for ever."""
    signed, keep = token(), dict[str, Any]()
    assert by_alb(signed, keep=keep).role == "operator"

    assert by_alb(signed, keep=keep, now=NOW + timedelta(hours=11)).role == "operator"
    assert by_alb(signed, keep=keep, now=NOW + timedelta(hours=13)).state == "expired"
    assert by_alb(signed, now=NOW + timedelta(hours=11)) == SIGNED_OUT


# by being here


@pytest.mark.parametrize(
    ("bound", "told", "role"),
    [
        ("127.0.0.1", {"Host": "localhost:8501"}, "operator"),
        ("::1", {"Host": "[::1]:8501"}, "operator"),
        ("localhost", {"host": "127.0.0.1"}, "operator"),
        ("127.0.0.1", {"Host": "localhost", "X-Forwarded-For": "10.0.0.9"}, "viewer"),
        ("127.0.0.1", {"Host": "localhost", "X-Forwarded-Proto": "https"}, "viewer"),  # with its own name as Host
        ("127.0.0.1", {"Host": "localhost", "X-Forwarded-Email": "kim@example.com"}, "viewer"),
        ("127.0.0.1", {"Host": "localhost", "Via": "1.1 gateway"}, "viewer"),
        ("127.0.0.1", {"Host": "localhost", "CF-Connecting-IP": "192.0.2.1"}, "viewer"),
        ("127.0.0.1", {"Host": "rebound.example:8501"}, "viewer"),
        ("127.0.0.1", {"Host": "localhost.rebound.example"}, "viewer"),
        ("127.0.0.1", {"Host": "["}, "viewer"),
        ("127.0.0.1", {}, "viewer"),
        ("0.0.0.0", {"Host": "localhost"}, "viewer"),
        ("10.0.0.1", {"Host": "localhost"}, "viewer"),
        (None, {"Host": "localhost"}, "viewer"),
    ],
)
def test_only_a_local_viewer_is_operator(bound: str | None, told: dict[str, str], role: str) -> None:
    """Without a login, the operator sits at the machine itself: no proxy between, no foreign name leading here."""
    assert auth.local_role(bound_to=bound, headers=told) == role
