"""A whole sign-in against a local OpenID Connect provider: viewer, operator, stranger, and signing out."""

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from dashboard.i18n import catalogue
from tests.e2e.conftest import serving
from tests.support import warm_lake
from tests.support.watching import Watch, answers

KO = catalogue("ko")
PEOPLE = (
    {"sub": "u-1", "email": "kim@example.com", "email_verified": True, "name": "Kim"},
    {"sub": "u-2", "email": "lee@example.com", "name": "Lee", "groups": ["staff"]},
    {"sub": "u-3", "email": "kim@example.com", "email_verified": False, "name": "Eve"},
)
KIM, LEE, EVE = (person["sub"] for person in PEOPLE)
SETTINGS = """
[access]
provider = "oidc"
operators = ["kim@example.com"]
viewers = ["group:staff"]
"""
SECRETS = """
[auth]
redirect_uri = "http://127.0.0.1:{{port}}/oauth2callback"
cookie_secret = "not-a-secret-but-long-enough-for-a-test"
client_id = "cachewise"
client_secret = "test"
server_metadata_url = "{provider}/.well-known/openid-configuration"
"""


@pytest.fixture(scope="module")
def provider() -> Iterator[str]:
    """An OpenID Connect provider of this machine with three people."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    people = [part for person in PEOPLE for part in ("--user-claims", json.dumps(person))]
    command = [sys.executable, "-m", "oidc_provider_mock", "--port", str(port), *people]
    url = f"http://127.0.0.1:{port}"
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            answers(f"{url}/.well-known/openid-configuration", process)
            yield url
        finally:
            process.kill()


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory, provider: str) -> Iterator[str]:
    """A dashboard over a warm fleet whose people sign in there."""
    folder = tmp_path_factory.mktemp("signing-in")
    (folder / "cachewise.toml").write_text(warm_lake.CONFIG + SETTINGS)
    (folder / ".streamlit").mkdir()
    (folder / ".streamlit" / "secrets.toml").write_text(SECRETS.format(provider=provider))
    warm_lake.fill(folder / "data")
    with serving(folder, {}) as address:
        yield address


def sign_in(page: Page, who: str) -> None:
    """Press the button, choose an account at the provider, and come back."""
    page.locator(".st-key-sign_in button").first.click()
    page.get_by_role("button", name=who, exact=True).first.click()
    expect(page.locator(".st-key-sign_out button").first).to_be_visible()


def sign_out(page: Page) -> None:
    """Sign out here and at the provider."""
    page.locator(".st-key-sign_out button").first.click()
    page.get_by_role("button", name="End session", exact=True).click()
    expect(page.locator(".st-key-sign_in button").first).to_be_visible()


def cookies(context: BrowserContext) -> dict[str, dict]:
    """The cookies that hold an identity."""
    return {item["name"]: item for item in context.cookies() if item["name"].startswith("_streamlit_user")}


def test_the_round_trip(page: Page, context: BrowserContext, url: str, provider: str, tmp_path: Path) -> None:
    """Nobody sees a figure unasked; a viewer looks, an operator may act, a stranger is refused; signing out ends it."""
    watch = Watch(page, own=(url, provider))
    page.goto(f"{url}/caches")
    expect(page.get_by_text(KO["access.signed_out.title"])).to_be_visible()
    expect(page.get_by_test_id("stMetric")).to_have_count(0)
    expect(page.get_by_test_id("stTopNav")).to_have_count(0)

    sign_in(page, LEE)
    expect(page.get_by_test_id("stSidebar").get_by_text(KO["access.role.viewer"], exact=True).first).to_be_visible()
    page.goto(f"{url}/caches")
    expect(page.get_by_text("DSH-403").first).to_be_visible()
    expect(page.locator(".st-key-preview button")).to_have_count(0)
    held = cookies(context)
    assert "_streamlit_user" in held
    assert all(item["httpOnly"] and item["sameSite"] == "Lax" for item in held.values())
    sign_out(page)
    assert cookies(context) == {}

    sign_in(page, KIM)
    page.goto(f"{url}/caches")
    expect(page.get_by_test_id("stSidebar").get_by_text(KO["access.role.operator"], exact=True).first).to_be_visible()
    page.locator(".st-key-preview button").first.click()
    expect(page.locator(".st-key-caches_typed input").first).to_be_visible()
    sign_out(page)

    page.locator(".st-key-sign_in button").first.click()
    page.get_by_role("button", name=EVE, exact=True).first.click()
    expect(page.get_by_text(KO["access.stranger.title"])).to_be_visible()
    expect(page.get_by_test_id("stMetric")).to_have_count(0)
    expect(page.get_by_test_id("stTopNav")).to_have_count(0)
    assert watch.troubles() == []
