"""Clearing the prompt store in every warm environment: what is there, what a clear will do, the clear, the proof.

Nothing here clears the Claude cache, because nobody can: `claude_prefixes` tells when it expires by itself.
"""

from core.fleet.audit import Recorded, mark_clear, new_action, record, recorded_actions
from core.fleet.clear import Clear, check_confirmation, clear_prompt_store, function_state, past_clears, target_of
from core.fleet.holdings import ACTIVE, Environment, Holding, environments, holding_rows
from core.fleet.prefixes import NOBODY_CAN_CLEAR, ClaudePrefix, claude_prefixes, prefix_rows, rewrite_total
from core.fleet.preview import Note, Preview, clear_settings, preview
from core.fleet.table_drift import Compared, Comparison, Present, compare, read_table
from core.fleet.verify import Answer, Progress, follow

__all__ = [
    "ACTIVE",
    "NOBODY_CAN_CLEAR",
    "Answer",
    "ClaudePrefix",
    "Clear",
    "Compared",
    "Comparison",
    "Environment",
    "Holding",
    "Note",
    "Present",
    "Preview",
    "Progress",
    "Recorded",
    "check_confirmation",
    "claude_prefixes",
    "clear_prompt_store",
    "clear_settings",
    "compare",
    "environments",
    "follow",
    "function_state",
    "holding_rows",
    "mark_clear",
    "new_action",
    "past_clears",
    "prefix_rows",
    "preview",
    "read_table",
    "record",
    "recorded_actions",
    "rewrite_total",
    "target_of",
]
