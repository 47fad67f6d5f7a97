"""Stand-ins with true behaviour: a fleet that writes logs, a Messages API, a hostile CloudWatch."""
