"""Is everything in order? One look at settings, endpoints, sources, log levels, tables and prices.

Works without network, credentials or data: what cannot be looked at is skipped and says why. Nothing is changed, and
neither secrets nor values of environment variables are told.
"""

from collector.checkup.check import Check, Status, ended_badly, in_words
from collector.checkup.examine import examine
from collector.checkup.report import latest, remember
from collector.checkup.said import say, skip_reason

__all__ = ["Check", "Status", "ended_badly", "examine", "in_words", "latest", "remember", "say", "skip_reason"]
