"""Believes an AWS load balancer that signed who is signed in: the header x-amzn-oidc-data.

AWS sets the header on every request and signs it (ES256) with a key it publishes for each region; the token's head
names the load balancer. Both are checked, because anything inside the network could send the header itself.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import urllib.error
import urllib.request
from collections.abc import Callable, MutableMapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from core.access_settings import AccessSettings
from core.errors import TryAgain
from dashboard.identity import SIGNED_OUT, Visitor, from_claims

_KEY_ID = re.compile(r"[0-9a-fA-F-]{8,64}")
_LONGEST = 16_384
_TIMEOUT_S = 5.0
_HALF = 32  # bytes of each number of an ES256 signature
_KEPT = "_alb_identity"

FetchKey = Callable[[str, str], bytes]


@lru_cache(maxsize=32)
def published_key(region: str, key_id: str) -> bytes:
    """Fetch one public key of AWS as PEM. Raises TryAgain with DSH-406."""
    url = f"https://public-keys.auth.elb.{region}.amazonaws.com/{key_id}"
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as answer:
            return bytes(answer.read(_LONGEST))
    except (OSError, urllib.error.URLError) as error:
        raise TryAgain(
            f"The load balancer's public key cannot be fetched ({type(error).__name__}).",
            code="DSH-406",
            mend=f"Allow https to public-keys.auth.elb.{region}.amazonaws.com.",
            about=(type(error).__name__,),
        ) from None


def visitor(
    tokens: Sequence[str],
    access: AccessSettings,
    *,
    now: datetime,
    keep: MutableMapping[str, Any],
    fetch: FetchKey = published_key,
) -> Visitor:
    """Return whom the load balancer names. Its token lives for minutes and comes with the first request of a session.

    So the verified claims are kept with the session, and count from then on for the longest session allowed.
    """
    if len(tokens) != 1:
        return SIGNED_OUT
    kept = keep.get(_KEPT)
    if kept is None or kept["token"] != tokens[0]:
        claims = verified(tokens[0], access, now=now, fetch=fetch)
        if claims is None:
            return SIGNED_OUT
        kept = {"token": tokens[0], "claims": {**claims, "iat": now.timestamp()}}
        keep[_KEPT] = kept
    return from_claims(kept["claims"], access, now)


def verified(token: str, access: AccessSettings, *, now: datetime, fetch: FetchKey) -> dict[str, Any] | None:
    """Return the claims of a token that this load balancer signed and that has not expired, else None."""
    parts = token.split(".")
    region = access.balancer_region
    if len(token) > _LONGEST or len(parts) != 3 or region is None:
        return None
    head, claims = _json(parts[0]), _json(parts[1])
    if head is None or claims is None or head.get("alg") != "ES256" or head.get("signer") != access.load_balancer:
        return None
    key_id, expires = head.get("kid"), head.get("exp", claims.get("exp"))
    if not isinstance(key_id, str) or not _KEY_ID.fullmatch(key_id):
        return None
    if isinstance(expires, bool) or not isinstance(expires, int | float) or expires <= now.timestamp():
        return None
    signed = f"{parts[0]}.{parts[1]}".encode()
    return claims if _is_signed(signed, _bytes(parts[2]), fetch(region, key_id)) else None


def _is_signed(signed: bytes, signature: bytes | None, pem: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    if signature is None or len(signature) != 2 * _HALF:
        return False
    numbers = (int.from_bytes(half, "big") for half in (signature[:_HALF], signature[_HALF:]))
    try:
        key = load_pem_public_key(pem)
        if not isinstance(key, ec.EllipticCurvePublicKey):
            return False
        key.verify(encode_dss_signature(*numbers), signed, ec.ECDSA(SHA256()))
    except (InvalidSignature, UnsupportedAlgorithm, ValueError):
        return False
    return True


def _bytes(text: str) -> bytes | None:
    """Decode a part of the token; AWS pads it, which other tokens are not."""
    try:
        return base64.b64decode(text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None


def _json(text: str) -> dict[str, Any] | None:
    raw = _bytes(text)
    try:
        value = None if raw is None else json.loads(raw)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
