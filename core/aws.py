"""What an AWS error means to an operator: try again, or change a setting. boto3 is imported when first needed."""

from __future__ import annotations

from typing import Any

from core.errors import CachewiseError, FixSettings, TryAgain

_REFUSED = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "UnrecognizedClientException"})
_ROLE_SECONDS = 900  # the shortest that STS grants
_MISSING = frozenset({"ResourceNotFoundException", "NoSuchBucket", "NoSuchKey"})


def client(service: str, *, timeout_s: float, attempts: int, region: str | None = None, credentials: Any = None) -> Any:
    """Open a boto3 client with its own session (the default one is not thread-safe) and short, named limits.

    `credentials` are those that STS lent, as `borrowed` returns them; None: the process's own.
    """
    import boto3
    from botocore.config import Config

    limits = Config(
        connect_timeout=timeout_s, read_timeout=timeout_s, retries={"mode": "standard", "total_max_attempts": attempts}
    )
    lent = (
        {}
        if credentials is None
        else {
            "aws_access_key_id": credentials["AccessKeyId"],
            "aws_secret_access_key": credentials["SecretAccessKey"],
            "aws_session_token": credentials["SessionToken"],
        }
    )
    opener: Any = boto3.session.Session(**lent)  # typed per service by the stubs; the service is a parameter here
    return opener.client(service, region_name=region, config=limits)


def borrowed(role_arn: str, *, name: str, timeout_s: float, attempts: int, region: str | None = None) -> Any:
    """Assume a role for as short as STS grants, which is longer than any action, and return its credentials."""
    sts = client("sts", timeout_s=timeout_s, attempts=attempts, region=region)
    return sts.assume_role(RoleArn=role_arn, RoleSessionName=name, DurationSeconds=_ROLE_SECONDS)["Credentials"]


def explain(error: Exception, *, doing: str, code: str, permission: str) -> CachewiseError:
    """Return the error an operator can act on; only AWS's error code is kept, never a value it may quote."""
    aws_code = _aws_code(error)
    if aws_code in _REFUSED:
        return FixSettings(
            f"AWS refused {doing} ({aws_code}).", code=code, mend=f"Allow {permission}.", about=(aws_code,)
        )
    if aws_code in _MISSING:
        return FixSettings(
            f"{doing} found nothing there ({aws_code}).", code=code, mend="Check name and region.", about=(aws_code,)
        )
    name = aws_code or type(error).__name__
    if aws_code is None and name in {"NoCredentialsError", "NoRegionError", "ProfileNotFound", "TokenRetrievalError"}:
        return FixSettings(
            f"{doing} has no AWS credentials or region ({name}).", code=code, mend="Configure AWS.", about=(name,)
        )
    return TryAgain(f"{doing} failed for now ({name}).", code=code, mend="Try again.", about=(name,))


def _aws_code(error: Exception) -> str | None:
    response = getattr(error, "response", None)
    if not isinstance(response, dict):
        return None
    code = response.get("Error", {}).get("Code")
    return str(code) if code else None
