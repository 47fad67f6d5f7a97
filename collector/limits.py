"""How long a line may be, whoever reads it."""

from __future__ import annotations

MAX_LINE = 1024 * 1024
"""A longer line is skipped as `too_long`: CloudWatch itself takes no event above 1 MB."""
