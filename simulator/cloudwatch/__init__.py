"""A hostile CloudWatch Logs: the real wire protocol, faults by a seeded plan, and the truth kept beside it."""
