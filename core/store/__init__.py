"""Tables on disk (Delta Lake) and the engine that queries them. The only door to deltalake and duckdb."""

import os

# The Delta library's own allocator keeps what it freed for ten seconds and more; a collector that commits every second
# would grow by that much. Read by the library when it is loaded, so it is said before that.
os.environ.setdefault("_RJEM_MALLOC_CONF", "dirty_decay_ms:0,muzzy_decay_ms:0")
