"""Can the price files be read, and when was the price book last held against the price pages?"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from collector.checkup.check import Check, of_error
from collector.checkup.said import say
from core.errors import CachewiseError
from core.pricing import load_book
from core.pricing.provenance import newest_check
from core.settings import Settings

OLD_DAYS = 90


def check_prices(settings: Settings, *, today: date) -> Iterator[Check]:
    """Yield the age of the book, and each price file that is laid over it."""
    checked = newest_check()
    age = (today - checked).days
    text = say("prices.checked", day=checked.isoformat(), age=age)
    if age > OLD_DAYS:
        yield Check("prices", say("subject.price_book"), "warn", text, say("prices.checked.mend"))
    else:
        yield Check("prices", say("subject.price_book"), "ok", text)
    try:
        book = load_book(settings.price_files)
    except CachewiseError as error:
        yield of_error("prices", ", ".join(settings.price_files), error)
        return
    if settings.price_files:
        own = sum(row.custom for row in book.rows)
        text = say("prices.own", rows=own, discounts=len(book.discounts), version=book.version)
        yield Check("prices", ", ".join(settings.price_files), "ok", text)
