"""What an S3 error means to an operator. What is the same for every service of AWS is explained by aws_faults."""

from __future__ import annotations

from collections.abc import Sequence

from collector.sources.aws_faults import code_of, explain, no_role
from core.errors import BadInput, CachewiseError, FixSettings

_DENIED = {"AccessDenied", "AllAccessDisabled", "403", "Forbidden"}
_MOVED = {"PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "301"}
GONE = {"NoSuchKey", "404"}
"""The object was deleted between being listed and being read."""
_ARCHIVED = "InvalidObjectState"


def operation_of(error: Exception) -> str:
    """Return which API was refused."""
    return str(getattr(error, "operation_name", ""))


def explain_s3(
    error: Exception, *, bucket: str, prefix: str, region: str | None, endpoint: str | None, role_arn: str | None
) -> CachewiseError:
    """Turn a boto3 exception into the error to show. Never quotes the request, which may hold credentials."""
    code, where = code_of(error), f"s3://{bucket}/{prefix}"
    if code == "NoSuchBucket":
        return FixSettings(
            f"There is no bucket {bucket}.",
            code="COL-411",
            mend="Check bucket and region of the source.",
            about=(bucket,),
        )
    if operation_of(error) == "AssumeRole":
        return no_role(error, str(role_arn))
    if code in _DENIED:
        return FixSettings(
            f"AWS denies reading {where} ({code}).",
            code="COL-412",
            mend="Allow s3:ListBucket on the bucket, s3:GetObject on its objects, and kms:Decrypt on their key.",
            about=(where, code),
        )
    if code in _MOVED:
        return FixSettings(
            f"The bucket {bucket} lies in another region than {region or 'the default one'} ({code}).",
            code="COL-413",
            mend="Set the region of the source to the bucket's.",
            about=(bucket, region, code),
        )
    return explain(error, log_group=where, region=region, endpoint=endpoint, service="S3")


def unreadable(error: Exception, path: str) -> CachewiseError | None:
    """Return the problem of one object that stops no other; None when the error is not about one object."""
    code = code_of(error)
    if code == _ARCHIVED:
        return BadInput(
            f"{path} is archived and cannot be read.",
            code="COL-414",
            mend="Restore it; the rest goes on without it.",
            about=(path,),
        )
    return None


def unread_bodies(error: Exception, paths: Sequence[str]) -> CachewiseError:
    """Return the problem of answers that Bedrock moved out of its log: the log's own counts stand without them."""
    what = "1 answer" if len(paths) == 1 else f"{len(paths):,} answers"
    return BadInput(
        f"{what} that Bedrock moved out of its log cannot be read, such as {paths[0]} ({code_of(error)}): for how long "
        "their cache writes live is not known.",
        code="COL-416",
        mend="Allow s3:GetObject on the prefix of large bodies; until then defaults.cache_ttl of the source is taken.",
        about=(paths[0], code_of(error)),
    )
