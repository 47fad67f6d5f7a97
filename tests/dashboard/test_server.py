"""The ASGI door: readiness looks at the tables, and no traceback reaches the screen."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.doors import HERE, door


def ready(client: tuple[str, int] = HERE) -> tuple[int, dict[str, Any]]:
    """Ask the readiness route."""
    answer = door(client).get("/readyz")
    return answer.status_code, answer.json()


def test_ready_with_tables(fleet: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Readable tables are named with their versions."""
    monkeypatch.setenv("CACHEWISE_STORE_PATH", str(fleet))

    status, body = ready()

    assert status == 200
    assert body["tables"]["calls"] is not None


def test_ready_before_the_first_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No tables yet is a state, not a fault."""
    monkeypatch.setenv("CACHEWISE_STORE_PATH", str(tmp_path / "nothing"))

    assert ready() == (200, {"status": "ok", "tables": dict.fromkeys(ready()[1]["tables"])})


def test_not_ready_with_broken_tables(broken: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unreadable tables make it 503, with code and mend."""
    monkeypatch.setenv("CACHEWISE_STORE_PATH", str(broken))

    status, body = ready()

    assert status == 503
    assert body["code"].startswith("STO-")
    assert body["mend"]


def test_not_ready_with_wrong_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """So do settings that cannot be used."""
    monkeypatch.setenv("CACHEWISE_STORE_ENGINE", "abacus")

    assert ready()[1]["code"] == "CFG-003"


@pytest.mark.parametrize("settings", ["broken", "fine"])
def test_elsewhere_only_the_state_is_told(
    settings: str, broken: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A load balancer learns whether it is ready; paths and tables are for this machine."""
    monkeypatch.setenv("CACHEWISE_STORE_PATH", str(broken if settings == "broken" else tmp_path / "nothing"))

    status, body = ready(("10.0.0.9", 5))

    assert (status, set(body)) == ((503, {"status", "code"}) if settings == "broken" else (200, {"status"}))


def test_alive_whatever_the_tables(broken: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Restarting the process mends no table: liveness does not look at them."""
    monkeypatch.setenv("CACHEWISE_STORE_PATH", str(broken))

    assert door(("10.0.0.9", 5)).get("/healthz").text == "ok\n"


def test_a_crash_of_ours_is_one_clear_line(caplog: pytest.LogCaptureFixture) -> None:
    """An unexpected error is shown with a code, and the log names it."""
    from streamlit.testing.v1 import AppTest

    def page() -> None:
        from dashboard import server

        assert server.on_script_error(ZeroDivisionError("secret detail"))

    app = AppTest.from_function(page).run()

    assert "DSH-500" in app.error[0].proto.title
    assert "secret detail" not in app.error[0].value
    assert "DSH-500: a page failed with ZeroDivisionError" in caplog.text
