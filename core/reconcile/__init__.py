"""Reconciliation: the own figures held against the provider's usage and cost reports, day by model by token type."""

from core.reconcile.compare import compare
from core.reconcile.history import history, latest, to_json
from core.reconcile.model import GAPS, PROVIDERS, Line, Provider, Reconciliation, Totals
from core.reconcile.running import configured, demo_problem, run, spent_usd

__all__ = [
    "GAPS",
    "PROVIDERS",
    "Line",
    "Provider",
    "Reconciliation",
    "Totals",
    "compare",
    "configured",
    "demo_problem",
    "history",
    "latest",
    "run",
    "spent_usd",
    "to_json",
]
