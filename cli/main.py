"""The `cachewise` command: one module per verb, found by name and imported when asked for."""

from __future__ import annotations

import atexit
import errno
import gc
import importlib
import io
import logging
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from types import FrameType
from typing import NoReturn

import click

from core.errors import CachewiseError, TryAgain

VERBS = {
    "run": "Run the dashboard and the collector until Ctrl-C.",
    "collect": "Ingest log lines from the configured sources, or from PATHs: files, folders, patterns, or - for stdin.",
    "metrics": "Print what caching cost and saved, how often it hit, and how long requests took.",
    "price": 'Price JSON lines {"id", "provider", "model", "at", "usage"}; read from FILE, or from stdin.',
    "probe": "Probe the Claude cache live: is it written and read, what does it save, what breaks it, how long does it"
    " live.",
    "clear": "Clear the prompt store in every warm environment: preview, typed confirmation, audit entry, proof.",
    "misses": "Say why prompt tokens were not read from the Claude cache, what it cost, and what to change.",
    "ttl": "Replay the calls that came under no caching, 5m, 1h, and 5m kept alive; say what each would cost a month.",
    "regressions": "Find read share, misses, cost and latency that left their own baseline, with time, size, dollars"
    " and cause.",
    "alerts": "Open and resolve alerts by the rules in cachewise.toml, and tell their targets.",
    "report": "Export the metrics, one row for each group and the total, exact to the last digit.",
    "reconcile": "Hold tokens, requests and dollars of the logs against Anthropic's usage and cost reports, or"
    " Bedrock's.",
    "reprice": "Price stored calls again with the present price book: preview by model, then one transaction for each"
    " date.",
    "compact": "Join small files; the collector does it by itself while it follows, this is for one-shot collecting.",
    "expire": "Drop rows of dates older than AGE from every table; the audit log and the collector's place stay.",
    "doctor": "Check everything that the figures depend on.",
    "demo": "Write the demo fleet's logs: history first, then live traffic until Ctrl-C.",
}
"""Every verb, in the order of use, with the first sentence of its help: to list them, none need be imported."""
_REFUSED = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF)


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

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the verbs with what they do."""
        with formatter.section("Commands"):
            formatter.write_dl(list(VERBS.items()))


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="cachewise", prog_name="cachewise")
def cachewise() -> None:
    """What prompt caching on Claude really saves, why requests miss, and what it will cost."""


def main(args: list[str] | None = None) -> None:
    """Run a verb. Exit code 0 = done, 1 = failed, 2 = misuse; an error is one line that says what to do."""
    if args is None:
        _stand_in_for_closed()
    _never_fail_to_print()
    if args is None:
        _be_quick()
        signal.signal(signal.SIGTERM, _end)
    with _ends_at_once() if args is None else nullcontext():
        _run(args)


def _run(args: list[str] | None) -> NoReturn:
    """Run a verb and leave with its exit code."""
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    try:
        code = cachewise.main(args=args, standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.Abort:
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except CachewiseError as error:
        click.echo(str(error), err=True)
        sys.exit(1)
    except BrokenPipeError:
        _give_up_output()
        sys.exit(0)
    except OSError as error:
        if not _output_refused(error):
            raise
        problem = TryAgain(
            f"The output cannot be written: {error.strerror}.", code="RUN-004",
            mend="Free some space, or let it be written elsewhere.",
        )  # fmt: skip
        click.echo(str(problem), err=True)
        sys.exit(1)
    sys.exit(code if isinstance(code, int) else 0)


def _output_refused(error: OSError) -> bool:
    """Say whether what a verb writes was not taken, by a disk or a closed output; if so, the rest is given up."""
    if error.filename is not None or error.errno not in _REFUSED:  # a name says that it is about something else
        return False
    _give_up_output()
    return True


def _give_up_output() -> None:
    """Let what stdout still holds go nowhere: it is flushed once more when Python ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _stand_in_for_closed() -> None:
    """Put something where the command was started with an input or output closed, as `>&-` does.

    Else the first file that is opened would get its number, and what is written there. The lowest free number is given
    out first, so each gets its own. A closed stdout refuses what is written to it, a closed stderr loses it.
    """
    if sys.stdin is None:
        sys.stdin = open(os.open(os.devnull, os.O_RDONLY))  # noqa: PTH123, SIM115  # stays open
    if sys.stdout is None:
        sys.stdout = open(os.open(os.devnull, os.O_RDONLY), "w")  # noqa: PTH123, SIM115
    if sys.stderr is None:
        sys.stderr = open(os.open(os.devnull, os.O_WRONLY), "w")  # noqa: PTH123, SIM115


def _be_quick() -> None:
    """Set up a process that is this command's own: most of what it makes, modules above all, it needs to its end."""
    gc.set_threshold(100_000, 50, 100)  # looking for cycles every 700 objects takes a tenth of the time
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # what numpy computes here is small: it need not start threads


@contextmanager
def _ends_at_once() -> Iterator[None]:
    """Let a process whose verb is done end as soon as threads are joined and what asked to be called at exit was.

    Taking apart a thousand modules whose memory the system takes back anyway costs as much as a commit. A verb that
    failed or was stopped ends the ordinary way, and so does a process that cannot print what it has to say.
    """
    done = False

    def leave() -> None:
        with suppress(OSError, ValueError):
            for stream in (sys.stdout, sys.stderr):
                if stream is not None:
                    stream.flush()
            if done:
                os._exit(0)

    atexit.register(leave)  # before whatever a verb registers, and so called after it
    try:
        yield
    except SystemExit as ending:
        done = not ending.code
        raise


def _end(number: int, frame: FrameType | None) -> NoReturn:
    """End a verb that was asked to stop as if it had failed: what it had put aside is cleared away."""
    sys.exit(128 + number)


def _never_fail_to_print() -> None:
    """Let a terminal that knows no Korean or no emoji show a question mark instead of a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
