"""SQL is written for one database, and what writes it for others is loaded when somebody asks for it."""

from __future__ import annotations

import subprocess
import sys

LOOK = """
import sys
import ibis
from core.store.one_dialect import load_duckdb_alone

load_duckdb_alone()
table = ibis.table({"a": "int"}, name="t")
expression = table.filter(table.a > 1).aggregate(n=table.a.sum())
alone = ibis.to_sql(expression, dialect="duckdb", pretty=False)
print(sorted(name for name in sys.modules if name.endswith(("compilers.postgres", "compilers.bigquery"))))
print(len([name for name in sys.modules if name.startswith("sqlglot.dialects.")]))
print("SELECT" in ibis.to_sql(expression, dialect="postgres"))
import ibis.backends.sql.compilers as compilers
print(compilers.BigQueryCompiler.__name__, compilers.duckdb.DuckDBCompiler is compilers.DuckDBCompiler)
load_duckdb_alone()
print(alone == ibis.to_sql(expression, dialect="duckdb", pretty=False))
try:
    compilers.no_such_database
except AttributeError as error:
    print(error)
"""


def test_other_databases_are_loaded_only_when_they_are_asked_for() -> None:
    """DuckDB's SQL takes the dialects of DuckDB; the other nineteen are there as before once a name is used."""
    done = subprocess.run([sys.executable, "-c", LOOK], capture_output=True, text=True, check=True)

    before, dialects, other, names, same, unknown = done.stdout.splitlines()
    assert before == "[]"
    assert int(dialects) <= 3
    assert (other, same) == ("True", "True")
    assert names == "BigQueryCompiler True"
    assert "no_such_database" in unknown
