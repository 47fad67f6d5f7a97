"""Serve the simulated Claude API as a process: `python -m simulator.messages --port 0` prints its URL."""

from __future__ import annotations

import json
from pathlib import Path

import click

from simulator.admin import Admin, routes
from simulator.admin.fleet import FleetBill
from simulator.messages.faults import Fault
from simulator.messages.latency import Latency
from simulator.messages.server import API_KEY, new_service, open_door, serve


@click.command()
@click.option("--port", default=0, show_default=True, help="Port on 127.0.0.1; 0 takes a free one.")
@click.option("--latency-scale", default=1.0, show_default=True, help="1 answers as slowly as a model, 0 at once.")
@click.option("--faults", type=click.Path(exists=True, path_type=Path), help="JSON file: a list of faults, in order.")
@click.option(
    "--fleet", type=click.Path(path_type=Path), help="Demo folder whose calls it bills in usage and cost reports."
)
@click.option("--output-tokens", type=int, help="Length of every answer; else it varies with the prompt.")
def main(port: int, latency_scale: float, faults: Path | None, fleet: Path | None, output_tokens: int | None) -> None:
    """Imitate the Claude Messages API with true prompt-cache semantics. Everything it says is made up."""
    plan = [Fault.from_json(entry) for entry in json.loads(faults.read_text())] if faults else []
    service = new_service(latency=Latency(scale=latency_scale), faults=plan, output_tokens=output_tokens)
    listener = open_door(port)
    click.echo(f"ANTHROPIC_BASE_URL=http://127.0.0.1:{listener.getsockname()[1]}")
    click.echo(f"ANTHROPIC_API_KEY={API_KEY}  # simulated: any key that starts like this is accepted")
    serve(service, listener, more=[] if fleet is None else routes(Admin(FleetBill(fleet))))


if __name__ == "__main__":
    main()
