"""Ingest: sources, parsers, correlation and the pipeline into the tables."""
