"""Whatever goes wrong is a verdict with a code, a mend and what was spent; never a traceback, never a hidden retry."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from anthropic.lib.aws import _auth

from core import probe
from core.errors import FixSettings
from simulator.messages import Fault
from tests.support.probing import Laboratory, laboratory


def unused_address() -> str:
    """An address of this machine at which nobody listens."""
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{door.getsockname()[1]}"


def codes(report: probe.ProbeReport) -> list[tuple[str, str | None]]:
    """Verdicts and codes, in order."""
    return [(item.verdict, item.problem.code if item.problem else None) for item in report.results]


def test_a_refused_key(lab: Laboratory) -> None:
    """401: the first experiment fails, the next is not tried, the prompt store needs no key; nothing was spent."""
    lab.monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-wrong-key")
    report = lab.probe()

    assert codes(report) == [("failed", "PRB-401"), ("not_run", "PRB-401"), ("passed", None)]
    assert (report.spent_usd, report.spent_exact, lab.billed()) == (0, True, [])
    assert report.results[0].problem is not None
    assert "sk-ant-wrong" not in str(report)


def test_no_key(lab: Laboratory) -> None:
    """Neither the environment nor the settings name one: the message says where to put it."""
    lab.monkeypatch.delenv("ANTHROPIC_API_KEY")
    planned = probe.plan(lab.settings())

    assert planned.problem is not None
    assert planned.problem.code == "PRB-401"
    assert "ANTHROPIC_API_KEY" in planned.problem.message


def test_no_network(lab: Laboratory) -> None:
    """Nobody answers at the address: nothing was sent, nothing was spent."""
    report = lab.probe("write_then_read", settings=lab.settings(base_url=unused_address()))

    assert codes(report) == [("failed", "PRB-503")]
    assert (report.spent_usd, report.simulated) == (0, None)


@pytest.mark.parametrize(("kind", "code"), [("rate_limit", "PRB-429"), ("overloaded", "PRB-529")])
def test_a_busy_server(lab: Laboratory, kind: str, code: str) -> None:
    """429 and 529 are told at once, cost nothing, and are not tried again behind our back."""
    planned = probe.plan(lab.settings())
    lab.simulator.faults.add(Fault(kind, times=5))  # type: ignore[arg-type]
    report = probe.run(planned)

    assert codes(report)[:2] == [("failed", code), ("not_run", code)]
    assert report.spent_usd == 0
    assert [call.status for call in lab.simulator.calls] == [429 if kind == "rate_limit" else 529]


def test_bedrock_without_credentials(lab: Laboratory) -> None:
    """The SDK cannot sign: nothing leaves this machine, and the message says what is missing."""
    lab.monkeypatch.delenv("AWS_BEARER_TOKEN_BEDROCK")
    lab.monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_CONFIG_FILE"):
        lab.monkeypatch.delenv(name, raising=False)
    lab.monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(lab.folder / "none"))
    _auth._get_session.cache_clear()  # the SDK keeps the credentials that another test of this process had
    report = lab.probe("write_then_read", provider="bedrock")

    assert codes(report) == [("failed", "PRB-401")]
    assert (report.requests, report.spent_usd, lab.simulator.calls) == (0, 0, [])


def test_a_busy_server_in_the_middle(lab: Laboratory) -> None:
    """What was spent before the fault is told to the last digit."""
    planned = probe.plan(lab.settings(), ["write_then_read"])
    lab.simulator.faults.add(Fault("rate_limit", skip=1))
    report = probe.run(planned)

    assert codes(report) == [("failed", "PRB-429")]
    assert report.results[0].requests == 2
    assert 0 < report.spent_usd < planned.estimate_usd
    assert report.spent_exact


def test_a_lost_answer_counts_as_spent(lab: Laboratory) -> None:
    """A 500 may have been billed: its worst case is counted, and said to be "at most"."""
    planned = probe.plan(lab.settings(), ["write_then_read"])
    lab.simulator.faults.add(Fault("api_error"))
    report = probe.run(planned)

    assert codes(report) == [("failed", "PRB-529")]
    assert report.spent_usd > 0
    assert not report.spent_exact


def test_a_stream_that_breaks_off(lab: Laboratory) -> None:
    """A streamed answer that is cut counts with its worst case too."""
    planned = probe.plan(lab.settings(), ["ttft"])
    lab.simulator.faults.add(Fault("stream_cut", skip=2))
    report = probe.run(planned)

    assert report.results[0].verdict == "failed"
    assert report.results[0].problem is not None
    assert not report.spent_exact


def test_a_model_that_does_not_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is written and nothing says so: the verdict does, and names the published minimum."""
    with laboratory(tmp_path, monkeypatch, minimum_tokens=10**9) as lab:
        report = lab.probe(suite="full", budget_usd="0.2")

    told = dict(zip([item.experiment for item in report.results], codes(report), strict=True))
    assert told["write_then_read"] == told["saving"] == told["perturbation"] == ("failed", "PRB-411")
    assert told["ttl"] == told["ttft"] == told["minimum"] == ("failed", "PRB-411")
    assert "published minimum is 512" in str(report.results[0].problem)


def test_a_prefix_below_the_minimum(lab: Laboratory) -> None:
    """It is not sent at all: the provider would answer, bill, and say nothing."""
    report = lab.probe("write_then_read", prefix_tokens=300)

    assert codes(report) == [("failed", "PRB-412")]
    assert (report.spent_usd, lab.billed()) == (0, [])


def test_an_unknown_model(lab: Laboratory, tmp_path: Path) -> None:
    """A model with a price of one's own that the server does not know is the API's 404."""
    prices = tmp_path / "own.toml"
    prices.write_text(
        '[[models]]\nid = "claude-made-up"\n[[rows]]\nmodel = "claude-made-up"\nscope = "anthropic"\n'
        "from = 2026-01-01\ninput = 1\ncache_write_5m = 1.25\ncache_write_1h = 2\ncache_read = 0.1\noutput = 5\n"
    )
    report = lab.probe("write_then_read", settings=lab.settings(price_files=[str(prices)]), model="claude-made-up")

    assert codes(report) == [("failed", "PRB-404")]


def test_a_model_without_a_price(lab: Laboratory) -> None:
    """What it may cost is not known, so not even a token is counted."""
    report = lab.probe("write_then_read", model="claude-nobody-knows")

    assert codes(report) == [("failed", "PRB-410")]
    assert "claude-nobody-knows" in str(report.results[0].problem)
    assert lab.simulator.calls == []


def test_a_budget_that_does_not_reach(lab: Laboratory) -> None:
    """The plan says what is needed; nothing is begun that could not be finished."""
    planned = probe.plan(lab.settings(), model="claude-opus-4-5")
    report = probe.run(planned)

    assert not planned.fits
    assert codes(report) == [("not_run", "PRB-402"), ("not_run", "PRB-402"), ("passed", None)]
    assert (report.spent_usd, lab.billed()) == (0, [])
    assert lab.probe(model="claude-opus-4-5", budget_usd=planned.needed_usd).passed


def test_a_wish_to_stop(lab: Laboratory) -> None:
    """Before the next request the run ends; what was found is kept."""
    report = lab.probe(run={"stop": lambda: len(lab.billed()) >= 1})

    assert codes(report)[:2] == [("not_run", "PRB-408"), ("not_run", "PRB-408")]
    assert (len(lab.billed()), report.kept) == (1, True)


def test_no_room_to_wait(lab: Laboratory) -> None:
    """On a real clock the ladder is bounded; a plan for no waiting says so before anything is sent."""
    planned = probe.plan(lab.settings(), ["ttl"], max_wait_s=240, provider="bedrock")

    assert planned.simulated is None  # nobody has answered: planned as if the clock were real
    assert planned.experiments[0].wait_s == 240
    assert planned.experiments[0].requests == 4


@pytest.mark.parametrize(("options", "accepted"), [({"suite": "all"}, "seed, full"), ({"provider": "x"}, "anthropic")])
def test_a_name_that_does_not_exist(lab: Laboratory, options: dict[str, str], accepted: str) -> None:
    """The message names what is accepted."""
    with pytest.raises(FixSettings, match=f"PRB-403.*{accepted}"):
        probe.plan(lab.settings(), **options)  # type: ignore[arg-type]


def test_credentials_in_an_address_are_not_shown(lab: Laboratory) -> None:
    """The base URL is shown and kept without its user and password."""
    planned = probe.plan(lab.settings(base_url="http://user:secret@127.0.0.1:1/x"), ["prompt_store"])

    assert planned.target.is_foreign
    assert planned.target.shown_url == "http://127.0.0.1:1/x"


@pytest.mark.parametrize(
    "url", [None, "https://api.anthropic.com", "https://eu.api.anthropic.com/"], ids=["none", "own", "region"]
)
def test_the_providers_own_address_is_not_foreign(lab: Laboratory, url: str | None) -> None:
    """Only an address that is not Anthropic's is worth a warning."""
    settings = lab.settings()
    own = type(settings)(store_path=settings.store_path, anthropic_base_url=url)

    assert not probe.plan(own, ["prompt_store"]).target.is_foreign
