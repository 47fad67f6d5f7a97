"""One small lake for every format: a formula for an engine's name, Korean, an unknown engine, a model without price."""

from collections.abc import Iterator

import pytest

from core.pricing import default_book
from core.reports.request import Desk
from core.store.query import Reader
from tests.support.lakes import fill
from tests.support.rows import make_call, make_invocation, make_pass, make_unpriced_call

HOSTILE = '=HYPERLINK("http://evil","<script>alert(1)</script>")'


@pytest.fixture(scope="session")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """The tables and the built-in book; only read."""
    calls = [
        make_call(engine=HOSTILE, output_tokens=1),
        make_call(engine="튜터", cache_write_1h_tokens=10_000, prefix_fingerprint="p1"),
        make_call(engine="tutor", cache_read_tokens=10_000, prefix_fingerprint="p1", function_name="web"),
        make_call(engine=None, cache_read_tokens=3, told_by="text", model_known_by="defaults"),
        make_unpriced_call(engine="새 엔진"),
    ]
    folder = tmp_path_factory.mktemp("reports")
    lake = fill(folder, calls=calls, invocations=[make_invocation(engine="튜터")], ingest_passes=[make_pass()])
    with Reader(lake) as reader:
        yield Desk(reader, default_book())
