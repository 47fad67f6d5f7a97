"""Names in logs that try to be something else: markup, links, images, formulas of three kinds, lines, reversed text."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from core.store.lake import Lake
from tests.support.collecting import DEFAULTS, collect
from tests.support.log_lines import dressed, record, rid, start

ELSEWHERE = "https://elsewhere.invalid"
MARKUP = (
    "<script>window.__pwned=1</script>",
    "</script><script>window.__pwned=2</script>",
    f'<img src="{ELSEWHERE}/a.png" onerror="window.__pwned=3">',
    f"![x]({ELSEWHERE}/b.png)",
    "[press](javascript:window.__pwned=4)",
    "$\\href{javascript:window.__pwned=5}{x}$",
    ":red[loud] :material/bolt:",
    f'<a href="{ELSEWHERE}">x</a>%{{y}}',
)
"""What a browser, Markdown, KaTeX, Streamlit or Plotly would act upon."""

FORMULAS = (
    f'=HYPERLINK("{ELSEWHERE}","x")',
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "+1+cmd",
    "-2+3",
    "\t=1+1",
    "＝1+1",
)
"""What a spreadsheet would compute."""

OTHERS = ("\u202egnp.exe", "one\ntwo,three\r\n=4", "nul\x00byte", "x" * 290, '"quoted","cells"', "{lang} {0} {{7*7}}")
NAMES = (*MARKUP, *FORMULAS, *OTHERS)


def fill(folder: Path) -> Lake:
    """Collect a log whose engines, models, tiers and reasons are hostile, through the real collector."""
    now = datetime.now(UTC)
    at = int(now.timestamp() * 1000) - 3_600_000
    lines = [start(rid(1))]
    for number, name in enumerate(NAMES):
        more = {"model": name} if number % 4 == 3 else {}
        lines += [
            record(
                f"msg_{number}_{n}",
                ms=at + number * 20_000 + n * 400_000,
                engine=name,
                read=3000 * n,
                tenant=name,
                **more,
            )
            for n in range(3)
        ]
        if "\n" not in name:
            lines.append(dressed(f"❌ Cache MISS for [{name}] - fetching from DB", at + number, rid(1)))
            lines.append(dressed(f"✅ Cache HIT for {name} - DB query skipped (permanent cache)", at + number, rid(1)))
        lines.append(
            record(f"msg_{number}_e", ms=at + number, engine=name, usage=None, status="error", error_type=name)
        )
    lines.append(f"{MARKUP[0]} is no line anybody knows {MARKUP[3]}")
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "hostile.log"
    log.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    lake = Lake(folder / "tables")
    collect(lake, log, now=now, defaults=DEFAULTS, name=MARKUP[0][:60])
    return lake
