"""What every answer tells the browser, and which requests are refused before anything looks at them."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from streamlit import config

from dashboard import headers
from tests.support.doors import ELSEWHERE, HERE, door


@contextmanager
def allowing(*hosts: str) -> Iterator[None]:
    """Answer to these names only."""
    config.set_option("server.allowedHosts", list(hosts))
    try:
        yield
    finally:
        config.set_option("server.allowedHosts", [])


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/nowhere", "/_stcore/health"])
def test_every_answer_is_dressed(path: str) -> None:
    """Ours and Streamlit's, good and bad: policy, no sniffing, no frame, no referrer, no features."""
    told = door(ELSEWHERE).get(path).headers

    assert told["content-security-policy"] == headers.content_security_policy()
    assert told["x-content-type-options"] == "nosniff"
    assert told["x-frame-options"] == "DENY"
    assert told["referrer-policy"] == "same-origin"
    assert "camera=()" in told["permissions-policy"]
    assert "strict-transport-security" not in told


def test_the_policy_admits_no_script_but_streamlits() -> None:
    """Scripts come from here or are the one of the page, by hash; nothing inline, nothing evaluated, no frame."""
    policy = dict(part.split(" ", 1) for part in headers.content_security_policy().split("; "))

    assert policy["script-src"].startswith("'self' 'sha256-")
    assert "unsafe" not in policy["script-src"]
    assert policy["frame-ancestors"] == policy["object-src"] == "'none'"
    assert "http" not in headers.content_security_policy()


@pytest.mark.parametrize(
    ("base", "sent", "secure"),
    [
        ("http://localhost", {}, False),
        ("http://localhost", {"X-Forwarded-Proto": "http"}, False),
        ("http://localhost", {"X-Forwarded-Proto": "https"}, True),
        ("http://localhost", {"X-Forwarded-Proto": "HTTPS, http"}, True),
        ("https://localhost", {}, True),
    ],
)
def test_https_is_held_to(base: str, sent: dict[str, str], secure: bool) -> None:
    """Behind https the browser is told to stay there, and no cookie may go without it."""
    told = door(base_url=base).get("/cookie", headers=sent).headers

    assert ("strict-transport-security" in told) == secure
    assert told.get_list("set-cookie") == [
        "one=1; HttpOnly; Path=/; SameSite=lax" + ("; Secure" if secure else ""),
        "two=2; Path=/; SameSite=lax; Secure",
    ]


@pytest.mark.parametrize(
    ("host", "status"),
    [("cachewise.example.com", 200), ("a.internal:8501", 200), ("rebound.example", 421), ("localhost", 421)],
)
def test_other_names_are_refused(host: str, status: int) -> None:
    """Where names are configured, a request sent to another one gets nothing."""
    with allowing("cachewise.example.com", "*.internal"):
        assert door(ELSEWHERE).get("/cookie", headers={"Host": host}).status_code == status


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_a_health_check_needs_no_name(path: str) -> None:
    """A load balancer asks by address; what it learns is no secret."""
    with allowing("cachewise.example.com"):
        assert door(ELSEWHERE).get(path, headers={"Host": "10.0.0.5:8501"}).status_code == 200


@pytest.mark.parametrize("path", ["/_stcore/metrics", "/_stcore/agent/interact"])
@pytest.mark.parametrize(
    ("client", "sent", "status"),
    [
        (HERE, {}, 200),
        (HERE, {"X-Forwarded-For": "127.0.0.1"}, 404),
        (HERE, {"Host": "rebound.example"}, 404),
        (ELSEWHERE, {}, 404),
    ],
)
def test_streamlits_own_numbers_stay_here(
    path: str, client: tuple[str, int], sent: dict[str, str], status: int
) -> None:
    """Its session counts and its agent's door are for this machine, not for whoever comes through a proxy."""
    assert door(client).get(path, headers=sent).status_code == status
