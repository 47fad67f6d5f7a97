"""The demo fleet: Lambda environments that serve engines, call a modelled Claude and write real-format log events."""
