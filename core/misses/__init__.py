"""Why prompt tokens were not read from the Claude cache, and what that costs: the miss ledger."""

from core.misses.by_call import by_call, causes_by_id, read_whole
from core.misses.causes import BY_NAME, CAUSES, Cause
from core.misses.judge import Verdict, judge
from core.misses.ledger import SCHEMA, ledger, of_traffic
from core.misses.summary import CAUSE_ORDER, GROUPS, by_cause, by_engine, groups, recoverable, series, total

__all__ = [
    "BY_NAME",
    "CAUSES",
    "CAUSE_ORDER",
    "GROUPS",
    "SCHEMA",
    "Cause",
    "Verdict",
    "by_call",
    "by_cause",
    "by_engine",
    "causes_by_id",
    "groups",
    "judge",
    "ledger",
    "of_traffic",
    "read_whole",
    "recoverable",
    "series",
    "total",
]
