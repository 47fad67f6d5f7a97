"""The session a source reads AWS with: its own, for boto3's default one is not thread-safe; under a role if told so."""

from __future__ import annotations

from typing import Any

from core.settings import SourceSettings

CONNECT_TIMEOUT_S = 5
READ_TIMEOUT_S = 30
ATTEMPTS = 6
_ROLE_SECONDS = 3600
SESSION_NAME = "cachewise-collect"


def open_session(
    *,
    region: str | None,
    role_arn: str | None = None,
    external_id: str | None = None,
    endpoint_url: str | None = None,
) -> Any:
    """Return a boto3 session; under a role its credentials renew themselves for as long as the collector runs."""
    import boto3

    if role_arn is None:
        return boto3.session.Session(region_name=region)
    from botocore.credentials import DeferredRefreshableCredentials
    from botocore.session import get_session

    def lend() -> dict[str, str]:
        own: Any = boto3.session.Session(region_name=region)
        demanded = {"ExternalId": external_id} if external_id else {}
        answer = own.client("sts", region_name=region, endpoint_url=endpoint_url).assume_role(
            RoleArn=role_arn, RoleSessionName=SESSION_NAME, DurationSeconds=_ROLE_SECONDS, **demanded
        )["Credentials"]
        return {
            "access_key": answer["AccessKeyId"],
            "secret_key": answer["SecretAccessKey"],
            "token": answer["SessionToken"],
            "expiry_time": answer["Expiration"].isoformat(),
        }

    inner: Any = get_session()
    lent = DeferredRefreshableCredentials(method="assume-role", refresh_using=lend)
    inner._credentials = lent  # botocore has no public way to set credentials that renew themselves
    return boto3.session.Session(botocore_session=inner, region_name=region)


def open_s3(settings: SourceSettings) -> Any:
    """Return a client of S3 with a source's own rights."""
    from botocore.config import Config

    config = Config(
        connect_timeout=CONNECT_TIMEOUT_S,
        read_timeout=READ_TIMEOUT_S,
        retries={"mode": "adaptive", "total_max_attempts": ATTEMPTS},
    )
    session = open_session(
        region=settings.region,
        role_arn=settings.role_arn,
        external_id=settings.external_id,
        endpoint_url=settings.endpoint_url,
    )
    return session.client("s3", region_name=settings.region, endpoint_url=settings.endpoint_url, config=config)
