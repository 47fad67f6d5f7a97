"""Tables on disk (Delta Lake) and the engine that queries them. The only door to deltalake and duckdb."""
