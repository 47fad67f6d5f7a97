"""What a failure means to someone who probes: one of the probe's own codes, and whether it can have cost anything."""

from __future__ import annotations

from typing import Literal

from core.errors import CachewiseError
from core.probe.model import Problem

Billing = Literal["free", "unknown"]
_CODES = {
    "SVC-430": "PRB-400",  # the request was refused
    "SVC-431": "PRB-401",  # the key or role was refused
    "SVC-438": "PRB-401",
    "SVC-439": "PRB-401",
    "SVC-432": "PRB-404",  # unknown model or address
    "SVC-433": "PRB-429",
    "SVC-434": "PRB-529",
    "SVC-436": "PRB-529",
    "SVC-435": "PRB-503",  # no network
}
_NEVER_SENT = frozenset({"ConnectError", "ConnectTimeout", "UnsupportedProtocol", "ProxyError"})
_UNBILLED_5XX = 529


def problem_of(error: Exception) -> Problem:
    """Return the verdict's reason. The message of an error that is not ours is not repeated: it may hold anything."""
    if isinstance(error, CachewiseError):
        return Problem(_CODES.get(error.code, error.code), one_line(error), error.about)
    if _is_unsigned(error):
        return Problem("PRB-401", "There are no AWS credentials or no region for Bedrock. Configure both.")
    return Problem("PRB-499", f"The probe broke ({type(error).__name__}): a bug of ours. Please report it.")


def one_line(error: CachewiseError) -> str:
    """Return message and mend as sentences; a message that quotes a server may lack its full stop."""
    message = error.message if error.message.endswith((".", "!", "?")) else f"{error.message}."
    return f"{message} {error.mend}".strip()


def billing_of(error: Exception) -> Billing:
    """Say whether a failed request can have been billed: refused ones and unsent ones cannot.

    https://platform.claude.com/docs/en/api/errors
    """
    if not was_sent(error):
        return "free"
    status = getattr(_cause(error), "status_code", None)
    # a stream that breaks off is an error inside a 200: it has been billed up to there
    return "free" if status is not None and (400 <= status < 500 or status == _UNBILLED_5XX) else "unknown"


def was_sent(error: Exception) -> bool:
    """Say whether the request can have left this machine."""
    cause = _cause(error)
    if type(cause.__cause__).__name__ in _NEVER_SENT or _is_unsigned(cause):
        return False
    return not isinstance(cause, CachewiseError)  # ours without a cause: refused before sending


def _cause(error: Exception) -> BaseException:
    return error if error.__cause__ is None else error.__cause__


def _is_unsigned(error: BaseException) -> bool:
    """Say whether a request could not be signed for AWS, and so was not sent: the SDK raises built-in errors there."""
    package = type(error).__module__.partition(".")[0]
    return package == "botocore" or (package == "builtins" and "AWS" in str(error))
