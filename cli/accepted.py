"""What options accept, said without loading what it is of: `--help` is quick. A test holds each against its home."""

from __future__ import annotations

REPORT_FORMATS = ("csv", "parquet", "xlsx", "html", "pdf", "focus", "focus-parquet")
ALLOCATION_RULES = ("by-reads", "first-toucher", "even")
PROBE_SUITES = ("seed", "full")
MISS_GROUPS = ("cause", "engine", "tenant", "model", "provider", "function_version", "source", "detail", "confidence")
