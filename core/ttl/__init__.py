"""The TTL Lab: what each caching policy would have cost for the traffic that came."""

from core.ttl.lab import advise, best_policy, bursts, compare, crossover, gaps, lab, mix
from core.ttl.study import GAP_EDGES_MS, POLICIES, Arrivals, Lab, arrivals, of_traffic, study

__all__ = [
    "GAP_EDGES_MS",
    "POLICIES",
    "Arrivals",
    "Lab",
    "advise",
    "arrivals",
    "best_policy",
    "bursts",
    "compare",
    "crossover",
    "gaps",
    "lab",
    "mix",
    "of_traffic",
    "study",
]
