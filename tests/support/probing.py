"""A probe at a running simulator: settings, a fresh workspace, and what the simulator saw."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from core import probe
from core.settings import ProbeSettings, Settings
from core.store.lake import Lake
from simulator.messages import Simulator, new_service, running_simulator
from tests.support.prompts import new_key

START = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


@dataclass(slots=True)
class Laboratory:
    """A simulator, a data folder, and the settings that lead to both."""

    simulator: Simulator
    folder: Path
    monkeypatch: pytest.MonkeyPatch

    def settings(self, *, base_url: str | None = None, price_files: Sequence[str] = (), **keys: Any) -> Settings:
        """Return settings with these keys of [probe]."""
        url = base_url or self.simulator.url
        return Settings(
            store_path=str(self.folder),
            anthropic_base_url=url,
            bedrock_base_url=url,
            price_files=tuple(price_files),
            probe=ProbeSettings(**keys),
        )

    def probe(
        self, *names: str, settings: Settings | None = None, run: dict[str, Any] | None = None, **options: Any
    ) -> probe.ProbeReport:
        """Plan and run, each with its options."""
        planned = probe.plan(settings or self.settings(), names, **options)
        return probe.run(planned, **(run or {}))

    def only(self, name: str, **options: Any) -> Any:
        """Run one experiment and return its result."""
        (result,) = self.probe(name, **options).results
        return result

    @property
    def lake(self) -> Lake:
        """Where results are kept."""
        return Lake(self.folder / "tables")

    def billed(self) -> list[Any]:
        """The requests that the simulator answered with a message."""
        return [call for call in self.simulator.calls if call.status == 200]


@contextmanager
def laboratory(folder: Path, monkeypatch: pytest.MonkeyPatch, **service: Any) -> Iterator[Laboratory]:
    """Run a simulator and point the environment's key and addresses at it."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", new_key())
    monkeypatch.delenv("ANTHROPIC_BASE_URL", raising=False)
    with running_simulator(new_service(**service)) as simulator:
        monkeypatch.setenv("ANTHROPIC_BEDROCK_BASE_URL", simulator.url)
        monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "token")
        monkeypatch.setenv("AWS_REGION", "us-east-1")
        yield Laboratory(simulator, folder, monkeypatch)
