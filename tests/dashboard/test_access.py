"""The door: signed out, too old, not listed, viewer, operator, nobody asked; in both languages."""

import time
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from dashboard import auth, data
from dashboard.i18n import catalogue
from tests.support import warm_lake
from tests.support.screens import APP, LANGUAGES, PATIENCE_S, bound_to, words

OIDC = """
[access]
provider = "oidc"
operators = ["kim@example.com"]
viewers = ["group:staff"]
"""
KIM = {"is_logged_in": True, "email": "kim@example.com", "name": "Kim [x](y)"}
LEE = {"is_logged_in": True, "email": "lee@example.com", "groups": ["staff"]}
STRANGER = {"is_logged_in": True, "email": "eve@example.com"}
both_languages = pytest.mark.parametrize("lang", LANGUAGES)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small warm fleet, only read here."""
    folder = tmp_path_factory.mktemp("door")
    warm_lake.fill(folder)
    return folder


@pytest.fixture
def settings(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A dashboard with an OIDC login."""
    monkeypatch.setenv("CACHEWISE_STORE_PATH", str(store))
    (tmp_path / "cachewise.toml").write_text(OIDC)
    return tmp_path


def opened(user: dict[str, Any], lang: str = "en", age_h: float = 1.0) -> AppTest:
    """Open the first page as this person, who signed in some hours ago."""
    app = AppTest.from_file(str(APP), default_timeout=PATIENCE_S)
    locale, zone = LANGUAGES[lang]
    app.context = {"locale": locale, "timezone": zone}
    app.user = user | ({"iat": time.time() - age_h * 3600} if user.get("is_logged_in") else {})
    return app.run()


def keys(app: AppTest) -> set[str | None]:
    """The keys of all buttons."""
    return {button.key for button in app.button}


@both_languages
@pytest.mark.parametrize(
    ("user", "age_h", "state", "offers"),
    [
        ({"is_logged_in": False}, 0, "signed_out", {"sign_in"}),
        (KIM, 13, "expired", {"sign_in"}),
        (STRANGER, 1, "stranger", {"sign_out"}),
    ],
)
def test_whoever_may_not_come_in_sees_why_and_nothing_else(
    settings: Path, user: dict[str, Any], age_h: float, state: str, offers: set[str], lang: str
) -> None:
    """Signed out, too old and not listed are three different notices; no figure, filter or source is drawn."""
    app = opened(user, lang, age_h)

    (box,) = [*app.info, *app.error]
    assert box.proto.title.startswith(catalogue(lang)[f"access.{state}.title"])
    assert keys(app) == offers
    assert not app.exception
    assert not app.metric
    assert not app.multiselect
    assert not app.get("plotly_chart")
    assert warm_lake.SOURCE not in words(app)


@pytest.mark.parametrize(("user", "role", "lang"), [(KIM, "operator", "en"), (LEE, "viewer", "ko")])
def test_whoever_is_listed_sees_the_figures_and_their_role(
    settings: Path, user: dict[str, Any], role: str, lang: str
) -> None:
    """Name and role stand in the sidebar beside a way to sign out; a name cannot draw anything."""
    app = opened(user, lang)

    assert not app.exception
    assert len(app.metric) >= 3
    assert "sign_out" in keys(app)
    told = "\n".join(item.value for item in app.sidebar.markdown)
    assert catalogue(lang)[f"access.role.{role}"] in told
    assert "[x](y)" not in told


def test_without_a_login_every_page_says_that_nobody_may_act(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bound to every interface, the figures are there and a notice beside them."""
    monkeypatch.setenv("CACHEWISE_STORE_PATH", str(store))

    with bound_to("0.0.0.0"):
        app = opened({})

    assert len(app.metric) >= 3
    assert catalogue("en")["access.open.notice"] in words(app)
    assert "sign_out" not in keys(app)


def test_on_this_machine_nothing_is_noticed(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The local operator is told so, without a warning."""
    monkeypatch.setenv("CACHEWISE_STORE_PATH", str(store))

    with bound_to("127.0.0.1"):
        app = opened({})

    assert catalogue("en")["access.local"] in words(app)
    assert catalogue("en")["access.open.notice"] not in words(app)


def test_headers_count_only_where_they_are_configured(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A header that names an operator is believed behind a configured proxy, and is noise without one."""
    monkeypatch.setenv("CACHEWISE_STORE_PATH", str(store))
    told = {"X-Forwarded-Email": ["kim@example.com"]}
    monkeypatch.setattr(auth, "request_values", lambda name: told.get(name, []))
    with bound_to("0.0.0.0"):
        assert catalogue("en")["access.open.notice"] in words(opened({}))

        (tmp_path / "cachewise.toml").write_text(
            '[access]\nprovider = "proxy"\noperators = ["kim@example.com"]\nsign_out = "/oauth2/sign_out"\n'
        )
        data.reopen()
        app = opened({})
        assert "kim@example.com" in words(app).replace("\\", "")
        assert catalogue("en")["access.role.operator"] in words(app)
        assert [link.proto.url for link in app.sidebar.get("link_button")] == ["/oauth2/sign_out"]

        told["X-Forwarded-Email"].append("eve@example.com")
        assert catalogue("en")["access.signed_out.title"] in words(opened({}))


def test_a_login_without_its_secrets_is_explained(settings: Path) -> None:
    """The provider is set and .streamlit/secrets.toml is not there: the door stays shut, and says what to write."""
    app = opened({})

    assert "DSH-405" in app.error[0].value
    assert not app.metric
    assert not app.exception


def test_a_page_left_open_closes_when_the_sign_in_is_too_old(settings: Path) -> None:
    """The next run of anything on the page leads back to the door."""
    app = opened(KIM)
    assert app.metric

    app.user = app.user | {"iat": time.time() - 13 * 3600}
    app.run()

    assert not app.metric
    assert keys(app) == {"sign_in"}
