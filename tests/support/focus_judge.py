# /// script
# requires-python = ">=3.11"
# dependencies = [
#   "focus-validator==1.0.0",  # the FinOps Foundation's own judge of FOCUS files, rules for 1.0 included
#   "multimethod<2",           # its pandera breaks with 2
#   "pyarrow<22",              # the last that numpy 1.26 loads
# ]
# ///
"""Hold FOCUS files to the official validator, in an environment of its own; print failures as JSON, by file.

Run by tests/core/reports/test_focus.py with `uv run --frozen --offline --script`; see docs/decisions/091.
"""

import json
import os
import sys
from pathlib import Path

import focus_validator
from focus_validator.validator import Validator


def failures(path: str) -> dict[str, object]:
    """Return what the validator says of a file: its failed or broken checks, and how many passed."""
    judge = Validator(data_filename=path, output_destination=None, output_type="console", rules_version="1.0")
    judge.load()
    result = judge.spec_rules.validate(judge.focus_data)
    states = {name: check.status.value for name, check in result.checklist.items()}
    return {
        "bad": sorted(name for name, state in states.items() if state != "passed"),
        "passed": sum(state == "passed" for state in states.values()),
        "cases": [] if result.failure_cases is None else result.failure_cases.astype(str).to_dict("records")[:20],
    }


if __name__ == "__main__":
    files = [str(Path(name).resolve()) for name in sys.argv[1:]]
    os.chdir(Path(focus_validator.__file__).parents[1])  # it looks for its currency codes from there
    print(json.dumps({Path(name).name: failures(name) for name in files}))
