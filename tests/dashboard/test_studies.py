"""The studies all viewers share: cheap ones are of the newest tables, costly ones may be a little older."""

import threading
import time

import pytest

from core.errors import TryAgain
from dashboard import studies
from dashboard.studies import Studies


def costly(made: list[str]) -> str:
    """Make a study that spends more of the processor than a cheap one may."""
    end = time.thread_time() + studies.CHEAP_S * 1.2
    while time.thread_time() < end:
        pass
    made.append("made")
    return f"study {len(made)}"


def wait_for(condition, message: str) -> None:
    """Wait until something in another thread has happened."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, message
        time.sleep(0.01)


def test_a_cheap_study_is_always_of_the_newest_tables() -> None:
    """At each new version of the tables it is made anew, and at the same version it is not."""
    made: list[str] = []
    desk = Studies(lambda scope: made.append(scope) or len(made))

    assert [desk.get("week", at).made for at in (1, 1, 2, 3)] == [1, 1, 2, 3]


def test_a_costly_study_is_shown_while_a_newer_one_is_made() -> None:
    """After a commit the study at hand comes at once; whoever asks when the newer one is done gets that."""
    made: list[str] = []
    desk = Studies(lambda scope: costly(made))
    first = desk.get("week", 1)

    assert desk.get("week", 2) is first
    wait_for(lambda: desk.get("week", 2).made == "study 2", "the newer study was not shown")

    assert desk.get("week", 2).number > first.number
    assert made == ["made", "made"]


def test_a_costly_study_is_never_too_old(monkeypatch: pytest.MonkeyPatch) -> None:
    """Past the age limit, who asks waits for a new one."""
    made: list[str] = []
    desk = Studies(lambda scope: costly(made))
    desk.get("week", 1)
    monkeypatch.setattr(studies, "OLDEST_S", 0.0)

    assert desk.get("week", 2).made == "study 2"


def test_those_who_ask_at_once_share_one_study() -> None:
    """Twenty viewers of the same scope cost one study."""
    made: list[str] = []
    desk = Studies(lambda scope: costly(made))
    viewers = [threading.Thread(target=desk.get, args=("week", 1)) for _ in range(20)]
    for viewer in viewers:
        viewer.start()
    for viewer in viewers:
        viewer.join()

    assert made == ["made"]


def test_a_renewal_that_fails_keeps_what_there_is(caplog: pytest.LogCaptureFixture) -> None:
    """A locked table in the background is a line in the log; the viewer keeps the older study."""
    made: list[str] = []

    def make(scope: str) -> str:
        if made:
            made.append("failed")
            raise TryAgain("locked", code="STO-001", mend="Wait.")
        return costly(made)

    desk = Studies(make)
    first = desk.get("week", 1)

    assert desk.get("week", 2) is first
    wait_for(lambda: "STO-001" in caplog.text, "the failure was not logged")
    assert desk.get("week", 2) is first


def test_only_the_last_few_scopes_are_kept() -> None:
    """Memory does not grow with every range somebody looks at."""
    made: list[str] = []
    desk = Studies(lambda scope: made.append(scope) or len(made), kept=2)
    for scope in ("day", "week", "month", "day"):
        desk.get(scope, 1)

    assert made == ["day", "week", "month", "day"]
