"""[access] of cachewise.toml: who is listed, what is refused with the accepted values."""

from pathlib import Path

import pytest

from core import settings
from core.access_settings import AccessSettings, metrics_token
from core.errors import FixSettings

LISTED = AccessSettings(
    provider="oidc", operators=("Kim@example.com", "group:platform"), viewers=("lee@example.com", "@partner.example")
)


def read(folder: Path, text: str) -> AccessSettings:
    """Read a settings file with this text."""
    (folder / "cachewise.toml").write_text(text)
    return settings.load({}, folder=folder).access


@pytest.mark.parametrize(
    ("email", "groups", "role"),
    [
        ("kim@example.com", (), "operator"),
        ("KIM@EXAMPLE.COM", (), "operator"),
        ("someone@example.com", ("platform",), "operator"),
        (None, ("platform",), "operator"),
        ("lee@example.com", (), "viewer"),
        ("anybody@partner.example", (), "viewer"),
        ("kim@example.com.evil.example", (), None),
        ("kim@other.example", ("Platform", "group:platform", "*"), None),
        ("x@evil.partner.example", (), None),
        ("\u212aim@example.com", (), None),  # a Kelvin sign, which becomes a k when its case is folded
        ("", (), None),
        (None, (), None),
    ],
)
def test_the_role_of_a_person(email: str | None, groups: tuple[str, ...], role: str | None) -> None:
    """A role is given to whom is listed, by address, domain or group, and to nobody who only looks like it."""
    assert LISTED.role_of(email, groups) == role


def test_everybody_may_be_a_viewer() -> None:
    """ "*" lets everybody who signs in look, and nobody act."""
    access = AccessSettings(provider="oidc", viewers=("*",))

    assert access.role_of("stranger@elsewhere.example", ()) == "viewer"


def test_a_whole_table_is_read(tmp_path: Path) -> None:
    """Every key arrives, and what is left out has its default."""
    access = read(
        tmp_path,
        """
        [access]
        provider = "proxy"
        operators = ["kim@example.com"]
        viewers = ["*"]
        max_session_hours = 1.5
        allowed_hosts = ["cachewise.example.com", "*.internal"]
        sign_out = "/oauth2/sign_out"
        [access.headers]
        email = "X-Auth-Request-Email"
        """,
    )

    assert access == AccessSettings(
        provider="proxy",
        operators=("kim@example.com",),
        viewers=("*",),
        max_session_hours=1.5,
        allowed_hosts=("cachewise.example.com", "*.internal"),
        headers=(("email", "X-Auth-Request-Email"),),
        sign_out="/oauth2/sign_out",
    )
    assert read(tmp_path, "") == AccessSettings()


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('provider = "saml"', "none, oidc, proxy, alb"),
        ('provider = "oidc"', "nobody is listed"),
        ('operators = ["kim@example.com"]', "no way to sign in"),
        ('provider = "oidc"\noperators = ["*"]', "only viewers may be everybody"),
        ('provider = "oidc"\noperators = ["kim"]', "@domain"),
        ('provider = "oidc"\noperators = "kim@example.com"', "a list of texts"),
        ('provider = "oidc"\nviewers = ["*"]\nlogin = "my_okta"', "hyphens"),
        ('provider = "oidc"\nviewers = ["*"]\nmax_session_hours = 0', "above 0"),
        ('provider = "oidc"\nviewers = ["*"]\nmax_session_hours = true', "above 0"),
        ('provider = "oidc"\nviewers = ["*"]\nsign_out = "javascript:alert(1)"', "https"),
        ('provider = "oidc"\nviewers = ["*"]\nsign_out = "//evil.example"', "https"),
        ('provider = "oidc"\nviewers = ["*"]\nallowed_hosts = ["https://x.example"]', "a host name"),
        ('provider = "alb"\nviewers = ["*"]', "ARN of an application load balancer"),
        ('provider = "proxy"\nviewers = ["*"]\nheaders = { email = "X Forwarded" }', "name of a header"),
        ('provider = "proxy"\nviewers = ["*"]\nheaders = { mail = "X-Mail" }', "email, groups, name"),
        ('admins = ["kim@example.com"]', "Accepted: allowed_hosts"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, named: str) -> None:
    """A key or value that cannot be meant is refused with what is accepted; a typing error never opens the door."""
    with pytest.raises(FixSettings, match="CFG-018") as refused:
        read(tmp_path, f"[access]\n{text}\n")

    assert named in str(refused.value)
    assert named.removeprefix("Accepted: ") in " ".join(refused.value.about)  # what Korean has besides its own words


def test_a_blank_metrics_token_is_none() -> None:
    """An empty variable must not become a password."""
    assert metrics_token({"CACHEWISE_METRICS_TOKEN": " "}) is None
    assert metrics_token({"CACHEWISE_METRICS_TOKEN": " abc "}) == "abc"
