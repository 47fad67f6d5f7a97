"""The door to AWS for a clear: a client with the rights of the clear role, which is assumed for the action only."""

from __future__ import annotations

from typing import Any

from core import aws
from core.errors import CachewiseError, FixSettings
from core.settings import ClearSettings

_TIMEOUT_S = 10.0
_ATTEMPTS = 3
_SESSION = "cachewise-clear"
_BAD_ARGUMENT = frozenset({"ValidationException", "InvalidParameterValueException"})


def open_client(service: str, clear: ClearSettings) -> Any:
    """Return a boto3 client for one action, under `role_arn` where one is set."""
    from botocore.exceptions import BotoCoreError, ClientError

    doing = f"opening {service}" if clear.role_arn is None else f"assuming {clear.role_arn}"
    try:
        lent = None
        if clear.role_arn is not None:
            lent = aws.borrowed(
                clear.role_arn, name=_SESSION, timeout_s=_TIMEOUT_S, attempts=_ATTEMPTS, region=clear.region
            )
        return aws.client(service, timeout_s=_TIMEOUT_S, attempts=_ATTEMPTS, region=clear.region, credentials=lent)
    except (ClientError, BotoCoreError) as error:
        raise aws.explain(error, doing=doing, code="FLT-403", permission="sts:AssumeRole on that role") from error


def aws_code(error: Exception) -> str:
    """Return AWS's own code of an error, or the name of its type."""
    response = getattr(error, "response", None)
    code = response.get("Error", {}).get("Code") if isinstance(response, dict) else None
    return str(code or type(error).__name__)


def explained(error: Exception, *, doing: str, code: str, permission: str, check: str) -> CachewiseError:
    """Return the error an operator can act on; an argument that AWS refuses is a setting, named by `check`."""
    if aws_code(error) in _BAD_ARGUMENT:
        # The message is left out: for Lambda it may quote the environment it was given.
        return FixSettings(
            f"AWS refused the arguments of {doing} ({aws_code(error)}).",
            code=code,
            mend=check,
            about=(aws_code(error),),
        )
    if aws_code(error).startswith("KMS"):
        return FixSettings(
            f"The key of {doing} refused ({aws_code(error)}).",
            code=code,
            mend=f"Allow {permission}.",
            about=(aws_code(error),),
        )
    return aws.explain(error, doing=doing, code=code, permission=permission)
