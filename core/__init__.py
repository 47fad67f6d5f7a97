"""The domain: usage, prices, caching rules, tables, metrics. Knows no collector, dashboard, cli or simulator."""
