"""The `cachewise` command: one module per verb, found by name and imported when asked for."""

from __future__ import annotations

import importlib
import io
import logging
import sys

import click

from core.errors import CachewiseError

VERBS = (
    "run", "collect", "metrics", "price", "probe", "clear", "misses", "ttl", "regressions", "alerts", "report",
    "reconcile", "reprice", "compact", "expire", "doctor", "demo",
)  # fmt: skip


class Verbs(click.Group):
    """Loads `cli.<verb>` only when it is used, so that `--help` and small verbs stay quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name every verb, in the order of use."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the verb's module and return its `command`."""
        if cmd_name not in VERBS:
            return None
        command = importlib.import_module(f"cli.{cmd_name}").command
        assert isinstance(command, click.Command)
        return command


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="cachewise", prog_name="cachewise")
def cachewise() -> None:
    """What prompt caching on Claude really saves, why requests miss, and what it will cost."""


def main(args: list[str] | None = None) -> None:
    """Run a verb. Exit code 0 = done, 1 = failed, 2 = misuse; an error is one line that says what to do."""
    _never_fail_to_print()
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    try:
        code = cachewise.main(args=args, standalone_mode=False)
    except click.exceptions.Abort:
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except CachewiseError as error:
        click.echo(str(error), err=True)
        sys.exit(1)
    except BrokenPipeError:
        sys.exit(0)
    sys.exit(code if isinstance(code, int) else 0)


def _never_fail_to_print() -> None:
    """Let a terminal that knows no Korean or no emoji show a question mark instead of a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
