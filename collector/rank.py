"""How much a telling knows: of two rows with one key, the higher rank stays (docs/decisions/032-what-outranks-what.md).

A rank grows as more of the log becomes visible and falls when a window cuts a request in two, so that what is told
last is what was told with the most in sight, in whatever order passes and re-scans come.

    ledger      who tells it: a text line 1, a record 3
    flagged     1 once an earlier copy of the line is in sight
    whole       0 nobody's, 1 a known request's, 2 with its START or its REPORT, 3 ended by the next, 4 with both
    evidence    how many of its lines are in sight; of a message that grows while it is written, how far it came.
                A request that never reported ends where the next begins: the sooner, the more is known

Above all of it stands how often another format told the same call and was joined with it (collector/ledger.py).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from collector.drafts import CallDraft, Invocation, StoreDraft
from collector.parsers.facts import CallRecord

TEXT_LEDGER, RECORD_LEDGER = 1, 3
JOINED = 1 << 24
_LEDGER, _ENDED, _FLAGGED, _WHOLE = 1 << 20, 1 << 19, 1 << 16, 1 << 13
_LINES = 1 << 4
_SPANS = _WHOLE // _LINES


def draft_rank(draft: CallDraft | StoreDraft, owner: Invocation, ledger: int) -> int:
    """Return the rank of a call or a prompt-store event."""
    if draft.event.partial:
        return min(len(draft.event.message), _LEDGER - 1)  # less than any whole line: the longer, the more is known
    seen = _seen(owner) if owner.request_id is not None else _known(draft)
    if owner.request_id is None and draft.invocation_id is not None:
        seen += _WHOLE
    return ledger * _LEDGER + draft.redelivery * _FLAGGED + seen


def invocation_rank(one: Invocation) -> int:
    """Return the rank of an invocation."""
    return _seen(one)


def whole_ranks(lines: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the ranks of requests of which START and REPORT were seen, by how many lines of theirs were."""
    return 4 * _WHOLE + np.minimum(lines, _WHOLE - 1)


def text_ranks(lines: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the ranks of what text lines of such requests tell."""
    return TEXT_LEDGER * _LEDGER + whole_ranks(lines)


def message_ranks(ended: NDArray[np.bool_], output: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the ranks of messages of sessions: a message that grows while it is written is told last when it ended."""
    return RECORD_LEDGER * _LEDGER + ended * _ENDED + np.minimum(output, _ENDED - 1)


def record_ranks(lines: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the ranks of what records in such requests tell."""
    return RECORD_LEDGER * _LEDGER + whole_ranks(lines)


def bare_ranks(ledger: int, engine: NDArray[np.int64], twin: NDArray[np.int64] | None = None) -> NDArray[np.int64]:
    """Return the ranks of lines outside any request: whether they have an engine and a twin, -1 where none."""
    known = (engine >= 0).astype(np.int64)
    return ledger * _LEDGER + known + (0 if twin is None else twin >= 0)


def _seen(one: Invocation) -> int:
    if one.started and one.report is None and one.end_ms is not None:
        steps = int(25 * math.log2(max(0, one.end_ms - one.start_ms) + 1))
        tightness = _SPANS - 1 - min(steps, _SPANS - 1)
        return 3 * _WHOLE + tightness * _LINES + min(one.lines, _LINES - 1)
    whole = 4 if one.started and one.report else 1 + one.started + (one.report is not None)
    return whole * _WHOLE + min(one.lines, _WHOLE - 1)


def _known(draft: CallDraft | StoreDraft) -> int:
    """Count what is known of a line outside any request; how many others stand around it says nothing."""
    if isinstance(draft, StoreDraft):
        return draft.fetch_ms is not None
    fact = draft.fact
    if isinstance(fact, CallRecord) and fact.told_by == "claude_code":
        output = fact.usage.output_tokens if fact.usage else 0
        return (fact.stop_reason is not None) * _ENDED + min(output, _ENDED - 1)
    return (draft.twin is not None) + (draft.engine is not None)
