"""Numbers and times as people read them, in Korean and English; the one place where unit, zone and form change.

Unknown is shown as a dash and never as zero; a tiny dollar amount never rounds down to $0.00.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from zoneinfo import ZoneInfo

from core.metrics.leading import others
from dashboard.i18n import Language, translate

UNKNOWN = "—"
IN_DAYS_MS = 72 * 3_600_000
"""From here on a time reads best in days."""
_NAME_LIMIT = 64
_CODE_LIMIT = 300
_DIME, _CENT, _FOUR_PLACES = Decimal("0.1"), Decimal("0.01"), Decimal("0.0001")
_SEEN_AT = {2: Decimal("0.005"), 4: Decimal("0.00005")}  # from here on an amount is not rounded to zero
_PRICE_PLACES = 6
_MICRO = Decimal("0.000001")
_STREAM = re.compile(r"\d{4}/\d\d/\d\d/.*\[.+\]([0-9a-f]{8})[0-9a-f]{24}")
_PUNCTUATION = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~$&\"'=^/@%;?,])")
_TICKS = re.compile(r"`+")

Number = int | float | Decimal


def money(value: Number | None, *, signed: bool = False) -> str:
    """Return dollars: two places from a dime up, four or six below it, "<$0.000001" rather than a false zero."""
    if value is None:
        return UNKNOWN
    amount = Decimal(str(value))
    sign = "-" if amount < 0 else "+" if signed and amount > 0 else ""
    size = abs(amount)
    if size and size < _MICRO:
        return f"{sign}<$0.000001"
    step = _CENT if not size or size >= _DIME else _FOUR_PLACES if size >= _CENT else _MICRO
    return f"{sign}${size.quantize(step, rounding=ROUND_HALF_EVEN):,f}"


def money_places(values: list[Number | None]) -> int:
    """Return how many decimal places a column needs so that its smallest non-zero amount is still seen.

    Among dollars, cents are enough as long as nothing becomes a false zero; a column of cents shows parts of them.
    """
    sizes = [abs(Decimal(str(value))) for value in values if value]
    smallest = min(sizes, default=Decimal(1))
    if max(sizes, default=Decimal(1)) >= 1:
        return next((places for places, size in _SEEN_AT.items() if smallest >= size), 6)
    return 2 if smallest >= _DIME else 4 if smallest >= _CENT else 6


def price_places(values: list[Number | None]) -> int:
    """Return how many places the prices of a column have: at least cents, and as many as its finest price."""
    known = [Decimal(str(value)) for value in values if value is not None]
    return next((n for n in range(2, _PRICE_PLACES) if all(value == round(value, n) for value in known)), _PRICE_PLACES)


def count(value: Number | None) -> str:
    """Return a whole number with thousands separators."""
    return UNKNOWN if value is None else f"{int(value):,}"


def compact(value: Number | None, lang: Language) -> str:
    """Return a large count in short form: 18.3M in English, 1,830만 in Korean."""
    if value is None:
        return UNKNOWN
    number = float(value)
    steps = ((1e8, "억"), (1e4, "만")) if lang == "ko" else ((1e9, "B"), (1e6, "M"), (1e3, "K"))
    for size, suffix in steps:
        if abs(number) >= size:
            return f"{_three_digits(number / size)}{suffix}"
    return f"{number:,.0f}"


def _three_digits(number: float) -> str:
    size = abs(number)
    return f"{number:,.{0 if size >= 99.95 else 1 if size >= 9.995 else 2}f}"


def tokens(value: Number | None, lang: Language) -> str:
    """Return a token count with its unit."""
    return UNKNOWN if value is None else translate(lang, "unit.tokens", n=compact(value, lang))


def percent(ratio: Number | None, *, places: int = 1) -> str:
    """Return a ratio as percent. A ratio that is not quite all or nothing is never rounded to 100 % or 0 %."""
    if ratio is None:
        return UNKNOWN
    value = float(ratio) * 100
    text = f"{value:.{places}f}%"
    edge = 10**-places
    if text == f"{100:.{places}f}%" and value < 100:
        return f">{100 - edge:.{places}f}%"
    if float(text[:-1]) == 0 and value:
        return f"<{edge:.{places}f}%" if value > 0 else f">-{edge:.{places}f}%"
    return text


def signed_percent(ratio: Number | None, *, places: int = 1) -> str:
    """Return a difference as percent with its sign; no difference at all is 0 %, and a tiny one has no sign."""
    if not ratio:
        return percent(ratio, places=places)
    size = percent(abs(ratio), places=places)
    return size if size.startswith("<") else ("+" if ratio > 0 else "−") + size


def points(now: Number | None, before: Number | None, lang: Language) -> str | None:
    """Return the difference of two ratios in percentage points, or None where one is unknown."""
    if now is None or before is None:
        return None
    gap = (float(now) - float(before)) * 100
    return f"{gap:+.1f}{translate(lang, 'unit.points')}"


def change(now: Number | None, before: Number | None) -> str | None:
    """Return the relative change in percent, or None where there is nothing to compare with."""
    if now is None or not before:
        return None
    share = (float(now) - float(before)) / abs(float(before)) * 100
    return f"{share:+,.1f}%" if abs(share) < 1000 else f"{share:+,.0f}%"


def fraction(numerator: Number | None, denominator: Number | None, lang: Language) -> str:
    """Return "16.8M / 50.3M": what a ratio was made of."""
    return f"{compact(numerator, lang)} / {compact(denominator, lang)}"


def times(value: Number | None) -> str:
    """Return a multiple, such as 12.4×."""
    return UNKNOWN if value is None else f"{float(value):,.1f}×"


def duration_ms(value: Number | None, lang: Language) -> str:
    """Return milliseconds in the unit that reads best: ms, seconds, minutes, hours or days."""
    if value is None:
        return UNKNOWN
    size = float(value)
    if size < 1000:
        return translate(lang, "unit.ms", n=f"{size:,.0f}" if size >= 10 or size == 0 else f"{size:.1f}")
    if size < 60_000:
        return translate(lang, "unit.seconds", n=f"{size / 1000:.2f}")
    if size < 3_600_000:
        return translate(lang, "unit.minutes", n=_tenths(size / 60_000))
    if size < IN_DAYS_MS:
        return translate(lang, "unit.hours", n=_tenths(size / 3_600_000))
    return translate(lang, "unit.days", n=_tenths(round(size / 86_400_000, 1)))


def _tenths(number: float) -> str:
    """Return a number with one place; a whole one, such as a lifetime of 1 h, has none."""
    return f"{number:,.{0 if number.is_integer() else 1}f}"


def days(value: float) -> str:
    """Return a number of days to the tenth, without a place that says nothing: 7, 6.1."""
    return _tenths(round(float(value), 1))


def relative(then: datetime | None, now: datetime, lang: Language) -> str:
    """Return how long ago a moment was: "3 min ago", "3분 전"."""
    if then is None:
        return UNKNOWN
    gap = now - then
    if gap < timedelta(seconds=60):
        return translate(lang, "ago.now")
    if gap < timedelta(hours=1):
        return translate(lang, "ago.minutes", n=int(gap.total_seconds() // 60))
    if gap < timedelta(days=2):
        return translate(lang, "ago.hours", n=int(gap.total_seconds() // 3600))
    return translate(lang, "ago.days", n=gap.days)


def moment(ts: datetime | None, zone: str) -> str:
    """Return a time in the viewer's zone, with the zone's short name."""
    if ts is None:
        return UNKNOWN
    return ts.astimezone(ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M %Z")


def clock(ts: datetime | None, zone: str) -> str:
    """Return the time of day to the second in the viewer's zone, with the zone's short name."""
    return UNKNOWN if ts is None else ts.astimezone(ZoneInfo(zone)).strftime("%H:%M:%S %Z")


def short_stream(name: str) -> str:
    """Return the part of a log stream's name that tells environments apart: its first eight hex digits."""
    found = _STREAM.fullmatch(name)
    return found[1] if found else name


def plain(name: object, lang: Language) -> str:
    """Return a name that came out of a log, shortened and without control characters; null reads "unknown"."""
    if name is None or name == "":
        return translate(lang, "unknown")
    rest = others(name)
    if rest is not None:
        return translate(lang, "all_others", n=count(rest))
    text = "".join(ch if ch.isprintable() else "�" for ch in str(name))
    return text if len(text) <= _NAME_LIMIT else f"{text[: _NAME_LIMIT - 1]}…"


def member(by: str, name: object, lang: Language) -> str:
    """Return the name of a group for reading; calls without a tenant are not unknown: nobody tagged them."""
    return translate(lang, "untagged") if by == "tenant" and not name else plain(name, lang)


def markdown_safe(text: str) -> str:
    """Escape text for Markdown: nothing in it can become a link, an image, HTML, math, an icon or a colour."""
    escaped = _PUNCTUATION.sub(r"\\\1", " ".join(text.split()))
    # Directives (:red[…]) and icons (:material/…:) are looked for after escapes are resolved: part the colon.
    return escaped.replace(":", ":\u2060")


def code_span(text: str) -> str:
    """Return text for Markdown as it is, in the letters of code: a path, a name, what somebody else's machine said."""
    line = " ".join("".join(ch if ch.isprintable() else " " for ch in text).split())
    line = line if len(line) <= _CODE_LIMIT else f"{line[: _CODE_LIMIT - 1]}…"
    fence = "`" * (max(map(len, _TICKS.findall(line)), default=0) + 1)
    pad = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{fence}{pad}{line}{pad}{fence}"


def plotly_safe(text: str) -> str:
    """Escape text for Plotly, which reads a little HTML and %{…} in labels."""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return text.replace("%{", "%\u2060{").replace("$", "&#36;")


def dollars_in_markdown(text: str) -> str:
    """Escape dollar signs of our own text, which Markdown would read as the start of a formula."""
    return text.replace("$", r"\$")
