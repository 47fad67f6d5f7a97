"""`cachewise run`: dashboard and collector on the configured sources; with none configured, the demo fleet."""

from __future__ import annotations

import errno
import http
import http.client
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import FrameType

import click

from cli.supervisor import Child, Supervisor
from core import settings as settings_module
from core.access_settings import EVERYBODY, AccessSettings
from core.errors import FixSettings, TryAgain
from core.settings import Settings

SERVER = Path(__file__).parents[1] / "dashboard" / "server.py"
READY_WAIT_S = 60.0
LOOK_AT_ROOM_S = 10.0
ANY_ADDRESS = ("0.0.0.0", "::")  # noqa: S104 - compared with, never bound by default
SIMULATED_KEY = "sk-ant-sim-demo"  # accepted by the simulated API only
SIMULATED_ADMIN_KEY = "sk-ant-sim-admin-demo"
SETTINGS_WRONG = 78
"""The exit code where settings must be mended first (EX_CONFIG of sysexits.h): starting again changes nothing."""
LOOPBACK = ("127.0.0.1", "localhost", "::1")


@click.command(name="run")
@click.option("--port", type=click.IntRange(1, 65535), help="Port of the dashboard (default 8501).")
@click.option("--address", help="Address to listen on (default 127.0.0.1: this machine only).")
@click.option("--demo", is_flag=True, help="Use the demo fleet even when sources are configured.")
@click.option("--no-collector", is_flag=True, help="Serve the dashboard alone; collect elsewhere.")
@click.option("--json", "as_json", is_flag=True, help="Say what was started as one JSON line.")
def command(port: int | None, address: str | None, demo: bool, no_collector: bool, as_json: bool) -> int:
    """Run the dashboard and the collector until Ctrl-C."""
    try:
        settings = settings_module.load()
    except FixSettings as error:
        click.echo(str(error), err=True)
        return SETTINGS_WRONG
    use_demo = demo or settings.demo or not settings.sources
    settings = replace(settings, demo=use_demo)
    port, address = port or settings.port, address or settings.address
    _port_is_free(address, port)
    children, environ = _children(settings, use_demo, address, port, no_collector), _environment(use_demo)
    if use_demo and not _reaches_claude(settings, environ):
        from cli.demo import demo_root

        children.insert(0, _simulated_claude(children[0].log.parent, demo_root(settings), environ))
    supervisor = Supervisor(children, environ, tell=partial(click.echo, err=True))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _stop)
    try:
        supervisor.start()
        _wait_until_ready(supervisor, address, port)
        _say_ready(address, port, use_demo, as_json, settings)
        _watch(supervisor, settings)
    except KeyboardInterrupt:
        click.echo("Stopping …", err=True)
    finally:
        supervisor.stop()
    return 0


def _stop(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _environment(demo: bool) -> dict[str, str]:
    environ = dict(os.environ)
    environ["CACHEWISE_DEMO"] = "true" if demo else "false"
    environ.setdefault("PYTHONUTF8", "1")
    return environ


def _children(settings: Settings, demo: bool, address: str, port: int, no_collector: bool) -> list[Child]:
    logs = Path(settings.store_path if "://" not in settings.store_path else "data") / "log"
    python = [sys.executable, "-m"]
    server = [
        *python, "streamlit", "run", str(SERVER),
        f"--server.port={port}", f"--server.address={address}", "--server.headless=true",
        *(f"--server.allowedHosts={host}" for host in settings.access.allowed_hosts),
    ]  # fmt: skip
    children = [Child("dashboard", server, logs / "dashboard.log", essential=True)]
    if demo and not no_collector:
        children.append(Child("demo fleet", [*python, "cli", "demo", "--json"], logs / "demo.log"))
    if not no_collector:
        children.append(Child("collector", [*python, "cli", "collect", "--follow", "--json"], logs / "collector.log"))
    if settings.reports and not demo:  # nobody's inbox is for made-up figures
        children.append(Child("reports", [*python, "cli", "report", "--follow"], logs / "reports.log"))
    if settings.probe.every_s:
        every = f"{settings.probe.every_s:.0f}s"
        children.append(Child("canary", [*python, "cli", "probe", "--every", every, "--json"], logs / "canary.log"))
    return children


def _reaches_claude(settings: Settings, environ: Mapping[str, str]) -> bool:
    """Say whether somebody configured whom a probe asks: a key, another address, or Bedrock."""
    return bool(
        environ.get("ANTHROPIC_API_KEY")
        or settings.anthropic_base_url
        or settings.probe.secret_name
        or settings.probe.provider == "bedrock"
    )


def _simulated_claude(logs: Path, fleet: Path, environ: dict[str, str]) -> Child:
    """Give the demo's probe and reconciliation somebody to ask, who costs nothing and says that it is simulated."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environ |= {
        "ANTHROPIC_BASE_URL": f"http://127.0.0.1:{port}",
        "ANTHROPIC_API_KEY": SIMULATED_KEY,
        "ANTHROPIC_ADMIN_KEY": SIMULATED_ADMIN_KEY,  # over a real one, which a simulator must never be sent
    }
    command = [sys.executable, "-m", "simulator.messages", "--port", str(port), "--fleet", str(fleet)]
    return Child("simulated Claude", command, logs / "claude.log")


def _port_is_free(address: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            busy = error.errno == errno.EADDRINUSE
            raise FixSettings(
                f"Port {port} on {address} is {'in use' if busy else f'not usable: {error.strerror}'}.",
                code="RUN-001",
                mend=f"Choose another: make run PORT={port + 1}.",
            ) from None


def _wait_until_ready(supervisor: Supervisor, address: str, port: int) -> None:
    host = "127.0.0.1" if address in ANY_ADDRESS else address
    deadline = time.monotonic() + READY_WAIT_S
    while time.monotonic() < deadline:
        _fail_if_ended(supervisor)
        if _healthy(host, port):
            return
        time.sleep(0.1)
    raise TryAgain(
        f"The dashboard did not answer on port {port} within {READY_WAIT_S:.0f} s.",
        code="RUN-002",
        mend="Read the dashboard.log beside the tables.",
    )


def _healthy(host: str, port: int) -> bool:
    connection = http.client.HTTPConnection(host, port, timeout=2)
    try:
        connection.request("GET", "/_stcore/health")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _watch(supervisor: Supervisor, settings: Settings) -> None:
    told, looked = False, -LOOK_AT_ROOM_S
    while True:
        _fail_if_ended(supervisor)
        if time.monotonic() - looked >= LOOK_AT_ROOM_S:
            told, looked = _say_room(settings.store_path, told), time.monotonic()
        time.sleep(0.5)


def _say_room(folder: str, told: bool) -> bool:
    """Say once that the disk is running out: the collector's own log may have no room left to say it."""
    from core.store.room import too_little_room

    left = None if "://" in folder else too_little_room(folder)
    if left is not None and not told:
        click.echo(
            f"STO-003: The disk of {folder} has {left / 1e6:.1f} MB left; where it is full, no call is stored. "
            "Free some space or set store.path to another disk.",
            err=True,
        )
    return left is not None


def _fail_if_ended(supervisor: Supervisor) -> None:
    ended = supervisor.check()
    if ended is not None:
        raise TryAgain(
            f"The {ended.name} {ended.ending()}: {ended.tail(3) or 'no output'}",
            code="RUN-003",
            mend=f"The whole log is in {ended.log}.",
        )


def _url(address: str, port: int) -> str:
    host = "localhost" if address in LOOPBACK else address
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _say_ready(address: str, port: int, demo: bool, as_json: bool, settings: Settings) -> None:
    url = _url(address, port)
    if as_json:
        click.echo(json.dumps({"url": url, "demo": demo, "tables": settings.lake_path}))
        return
    what = "demo data: a simulated fleet" if demo else f"sources: {', '.join(s.name for s in settings.sources)}"
    click.echo(f"Cachewise is at {url} ({what}). Ctrl-C stops it.")
    for line in meaning(address, settings.access):
        click.echo(line, err=True)


def meaning(address: str, access: AccessSettings) -> list[str]:
    """Say what listening on an address beyond this machine means for who sees and who acts."""
    if access.provider == "none":
        if address in LOOPBACK:
            return []
        return [
            f"No login is configured and {address} is not this machine alone: anyone who reaches it sees the figures.",
            "Probes, clears and checks are refused to everybody. Configure [access], see docs/access.md.",
        ]
    lines = [f"Login: {access.provider}; operators: {len(access.operators)}, viewers: {_viewers(access)}."]
    if access.provider == "proxy" and address not in LOOPBACK:
        names = ", ".join(header for _, header in access.headers)
        lines.append(f"Whoever reaches {address} past the proxy can send {names}: let the proxy alone through.")
    return lines


def _viewers(access: AccessSettings) -> str:
    return "everybody who signs in" if EVERYBODY in access.viewers else str(len(access.viewers))
