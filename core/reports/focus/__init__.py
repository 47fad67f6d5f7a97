"""FOCUS: the FinOps Open Cost and Usage Specification, for the tools that finance already has.

The files are valid FOCUS 1.0. They also carry the columns by which later versions tell tokens and their prices, and
what each charge would have cost without a cache, as `x_` columns.
"""

from core.reports.focus.write import left_out, write_csv, write_parquet

__all__ = ["left_out", "write_csv", "write_parquet"]
