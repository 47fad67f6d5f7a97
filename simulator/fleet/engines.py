"""The demo fleet's engines: who they are, how busy, and what is wrong with some of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from core.caching.cache_model import Ttl

Dress = Literal["print", "logging"]
Rhythm = Literal["steady", "every_20_minutes", "sparse", "blasts"]


@dataclass(frozen=True, slots=True)
class Function:
    """One Lambda function: its log group and how it is set up."""

    name: str
    log_group: str
    source: str  # the name of the source that reads it
    memory_mb: int
    first_version: int
    tells_records: bool  # structured call records, or text lines only
    traced: bool  # X-Ray: REPORT has a second line


@dataclass(frozen=True, slots=True)
class Engine:
    """One engine: its prompt, its model, its TTL, its traffic and how it writes its lines."""

    name: str
    function: Function
    model: str
    ttl: Ttl
    prefix_tokens: int
    message_tokens: int  # median of the dynamic part, which follows the breakpoint
    output_tokens: int  # median
    weekday_calls: float  # requests on a working day; for other rhythms than "steady" see arrivals
    rhythm: Rhythm = "steady"
    dress: Dress = "logging"
    cost_lines: bool = True  # writes the 💰 line (beside the record, where there is one)
    brackets: bool = True  # [engine] in the prompt-store lines, or bare
    second_call_share: float = 0.0  # requests that call Claude twice
    metrics: bool = False  # its records are CloudWatch embedded-metric documents too
    tenants: tuple[str, ...] = ()  # whom its calls are charged to, as its records tag them; one twice has twice as many
    live: bool = False  # kept busy in live traffic whatever the hour in Seoul
    character: str = ""


WS = Function(
    name="bodo-ws",
    log_group="/aws/lambda/bodo-ws",
    source="bodo-ws",
    memory_mb=1024,
    first_version=11,
    tells_records=True,
    traced=False,
)
LEGACY = Function(
    name="bodo-legacy",
    log_group="/aws/lambda/bodo-legacy",
    source="bodo-legacy",
    memory_mb=512,
    first_version=3,
    tells_records=False,
    traced=True,
)
FUNCTIONS = (WS, LEGACY)

ENGINES: tuple[Engine, ...] = (
    Engine(
        "sales",
        WS,
        "claude-opus-4-5",
        "1h",
        6_240,
        310,
        260,
        640,
        live=True,
        tenants=("acme", "acme", "globex", "initech"),
        second_call_share=0.06,
        character="healthy: 1h TTL, steady traffic, reads nearly always",
    ),
    Engine(
        "support",
        WS,
        "claude-sonnet-5-5",
        "1h",
        8_910,
        420,
        330,
        700,
        dress="print",
        live=True,
        tenants=("acme", "globex"),
        second_call_share=0.12,
        character="healthy, its prompt revised once and the prompt store cleared for it",
    ),
    Engine(
        "tutor",
        WS,
        "claude-opus-4-5",
        "1h",
        7_380,
        520,
        480,
        430,
        live=True,
        tenants=("initech",),
        cost_lines=False,
        character="broken by a deploy: a changing timestamp entered its system prompt; writes always, reads never",
    ),
    Engine(
        "faq",
        WS,
        "claude-haiku-4-5",
        "1h",
        1_870,
        160,
        140,
        460,
        dress="print",
        live=True,
        cost_lines=False,
        character="below its model's cacheable minimum of 4,096 tokens: silently never cached",
    ),
    Engine(
        "summary",
        WS,
        "claude-haiku-5-5",
        "1h",
        2_640,
        2_900,
        210,
        300,
        live=True,
        cost_lines=False,
        brackets=False,
        character="cached well, but its cost is the dynamic tail after the breakpoint",
    ),
    Engine(
        "translate",
        WS,
        "claude-sonnet-5-5",
        "5m",
        5_120,
        240,
        250,
        48,
        rhythm="every_20_minutes",
        cost_lines=False,
        character="5m TTL but one request about every 20 minutes: the entry has always expired",
    ),
    Engine(
        "legal",
        WS,
        "claude-opus-5-5",
        "1h",
        14_200,
        900,
        850,
        4,
        rhythm="sparse",
        cost_lines=False,
        character="1h writes of a long prompt that hardly anyone reads: caching loses money",
    ),
    Engine(
        "survey",
        WS,
        "claude-sonnet-4-6",
        "1h",
        3_350,
        130,
        90,
        130,
        rhythm="blasts",
        dress="print",
        cost_lines=False,
        metrics=True,
        character="two blasts a day: many first requests at once, each writes the same prefix",
    ),
    Engine(
        "notice",
        LEGACY,
        "claude-opus-4-5",
        "1h",
        5_080,
        220,
        180,
        300,
        dress="print",
        live=True,
        brackets=False,
        character="healthy, told by text lines only",
    ),
    Engine(
        "counsel",
        LEGACY,
        "claude-opus-4-5",
        "1h",
        4_620,
        380,
        300,
        210,
        character="healthy by day, told by text lines only, with Lambda's dress",
    ),
    Engine(
        "memo",
        LEGACY,
        "claude-opus-4-5",
        "5m",
        4_310,
        260,
        150,
        90,
        character="runs a 5m TTL although its source's defaults say 1h: the dollar figure of its lines gives it away",
    ),
)
