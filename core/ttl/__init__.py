"""The TTL Lab: what each caching policy would have cost for the traffic that came."""

from core.ttl.arrivals import Arrivals, arrivals
from core.ttl.chunks import GAP_EDGES_MS
from core.ttl.lab import FEWEST_DAYS, advise, best_policy, bursts, compare, crossover, gaps, lab, mix
from core.ttl.study import POLICIES, Lab, of_traffic, study

__all__ = [
    "FEWEST_DAYS",
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
