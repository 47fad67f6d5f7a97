"""`cachewise price`: JSON lines of usage in, JSON lines of prices out; a table on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import IO, Any

import click
import orjson

from core import settings as settings_module
from core.errors import BadInput, FixSettings
from core.pricing import PriceBook, PricedCall, load_book, price_usage
from core.usage import from_any
from core.usage.counts import shown

_MILLISECONDS_FROM = 100_000_000_000  # as seconds this is the year 5138, so larger numbers are milliseconds
_TIME_MEND = "Accepted: ISO 8601 such as 2026-11-20T09:30:00Z, or Unix seconds or milliseconds."


@click.command(name="price")
@click.argument("file", metavar="[FILE|-]", default="-")
@click.option("--json", "as_json", is_flag=True, help="JSON lines, also on a terminal.")
def command(file: str, as_json: bool) -> int:
    """Price JSON lines {"id", "provider", "model", "at", "usage"}; read from FILE, or from stdin.

    Optional per line: stop_reason, stop_category (or stop_details), has_output; `usage` may be the whole response.
    Lines that cannot be read are named on stderr and the exit code is 1; all others are priced.
    """
    book = load_book(settings_module.load().price_files)
    troubles = _Troubles()
    with _opened(file) as lines:
        priced = _priced(book, lines, troubles)
        if as_json or not sys.stdout.isatty():
            for item in priced:
                sys.stdout.write(orjson.dumps(item).decode() + "\n")
                sys.stdout.flush()
        else:
            _print_table(priced)
    troubles.report()
    return 1 if troubles.count else 0


class _Troubles:
    """Lines that could not be read: each is named as it comes, and counted."""

    def __init__(self) -> None:
        self.count = 0
        self.lines = 0

    def add(self, number: int, error: BadInput) -> None:
        """Name one line on stderr."""
        self.count += 1
        click.echo(f"line {number}: {error}", err=True)

    def report(self) -> None:
        """Say how many there were."""
        if self.count:
            click.echo(f"{self.count} of {self.lines} lines could not be read; all others were priced.", err=True)


def _priced(book: PriceBook, lines: Iterable[bytes], troubles: _Troubles) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(lines, start=1):
        line = line.removeprefix(b"\xef\xbb\xbf").strip() if number == 1 else line.strip()
        if not line:
            continue
        troubles.lines += 1
        try:
            yield price_line(book, line)
        except BadInput as error:
            troubles.add(number, error)


def price_line(book: PriceBook, line: bytes) -> dict[str, Any]:
    """Price one JSON line. Raises BadInput naming what is wrong with it."""
    try:
        item = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise BadInput(f"not JSON: {error}.", code="PRC-011", mend="Accepted: one JSON object per line.") from None
    if not isinstance(item, dict):
        raise BadInput(
            f"not an object but {type(item).__name__}.", code="PRC-011", mend="Accepted: one JSON object per line."
        )
    if item.get("usage") is None:
        raise BadInput("usage is missing.", code="PRC-012", mend="Give the usage object as the provider returned it.")
    ended = _Ending(item)
    call = price_usage(
        book,
        from_any(item["usage"]),
        provider=_text(item, "provider"),
        model=_text(item, "model", required=True) or "",
        at=_time(item.get("at")),
        stop_reason=ended.text("stop_reason"),
        stop_category=ended.text("stop_category") or ended.category(),
        has_output=ended.has_output(),
    )
    return _shown(item.get("id"), call, book)


class _Ending:
    """How a call ended, which decides whether a refusal is billed: told by the line, or by a whole response in it."""

    def __init__(self, item: Mapping[str, Any]) -> None:
        usage = item["usage"]
        self._told = (item, usage) if isinstance(usage, Mapping) and "usage" in usage else (item,)

    def text(self, key: str) -> str | None:
        """Return the first that is told."""
        return next((told for table in self._told if (told := _text(table, key)) is not None), None)

    def category(self) -> str | None:
        """Return the category that the API's `stop_details` names."""
        details = (table.get("stop_details") for table in self._told)
        found = (_text(item, "category") for item in details if isinstance(item, Mapping))
        return next((told for told in found if told is not None), None)

    def has_output(self) -> bool | None:
        """Say whether an answer came, as told or as the response's content shows; None: output tokens decide."""
        for table in self._told:
            told = table.get("has_output")
            if isinstance(told, bool):
                return told
            if told is not None:
                raise BadInput(
                    f"has_output = {shown(told)} is not usable.", code="PRC-012", mend="Accepted: true, false."
                )
        content = self._told[-1].get("content")
        return bool(content) if isinstance(content, list) else None


def _text(item: Mapping[str, Any], key: str, *, required: bool = False) -> str | None:
    value = item.get(key)
    if value is None and not required:
        return None
    if not isinstance(value, str) or (required and not value.strip()):
        raise BadInput(
            f"{key} is missing." if value is None else f"{key} = {shown(value)} is not usable.",
            code="PRC-012",
            mend="Accepted: a non-empty string.",
        )
    return value


def _time(value: object) -> datetime:
    """Read the time of the call; one without a zone is UTC."""
    try:
        if isinstance(value, str):
            at = datetime.fromisoformat(value)
            return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value / 1000 if abs(value) >= _MILLISECONDS_FROM else value, UTC)
    except (ValueError, OverflowError, OSError):
        pass
    said = "at is missing." if value is None else f"at = {shown(value)} is not a time."
    raise BadInput(said, code="PRC-012", mend=_TIME_MEND)


def _shown(identity: Any, call: PricedCall, book: PriceBook) -> dict[str, Any]:
    return {
        "id": identity,
        "status": call.status,
        "cost_usd": _dollars(call.cost_usd),
        "no_cache_usd": _dollars(call.no_cache_cost_usd),
        "gross_savings_usd": _dollars(call.gross_savings_usd),
        "write_premium_usd": _dollars(call.write_premium_usd),
        "net_savings_usd": _dollars(call.net_savings_usd),
        "input_cost_usd": _dollars(call.input_cost_usd),
        "cache_read_cost_usd": _dollars(call.cache_read_cost_usd),
        "cache_write_5m_cost_usd": _dollars(call.cache_write_5m_cost_usd),
        "cache_write_1h_cost_usd": _dollars(call.cache_write_1h_cost_usd),
        "output_cost_usd": _dollars(call.output_cost_usd),
        "tools_cost_usd": _dollars(call.tools_cost_usd),
        "model_id": call.model_id,
        "price_row": call.price_row,
        "price_book": book.version,
        "reason": call.reason,
    }


def _dollars(amount: Decimal | None) -> str | None:
    """Return a plain decimal string: never an exponent."""
    return None if amount is None else f"{amount:f}"


def _print_table(priced: Iterable[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("id", "status", box=None, pad_edge=False)
    for title in ("cost USD", "no-cache USD", "net savings USD"):
        table.add_column(title, justify="right")
    table.add_column("price row, or why there is none", overflow="fold")
    for item in priced:
        amounts = (_short(item[key]) for key in ("cost_usd", "no_cache_usd", "net_savings_usd"))
        notes = [text for text in (item["price_row"], item["reason"]) if text]
        table.add_row(str(item["id"]), item["status"], *amounts, "; ".join(notes))
    Console().print(table)


def _short(dollars: str | None) -> str:
    return "–" if dollars is None else dollars.rstrip("0").rstrip(".")


@contextmanager
def _opened(file: str) -> Iterator[IO[bytes]]:
    if file == "-":
        yield click.get_binary_stream("stdin")
        return
    try:
        handle = Path(file).open("rb")  # noqa: SIM115 # closed below, once it could be opened
    except OSError as error:
        raise FixSettings(
            f"{file} cannot be read: {error.strerror}.",
            code="PRC-010",
            mend="Name a file of JSON lines, or - for stdin.",
        ) from None
    with handle:
        yield handle
