"""What an AWS error means to an operator: a code, what happened, and the mend. Knows botocore by names only."""

from __future__ import annotations

from typing import Any

from core.errors import CachewiseError, FixSettings, TryAgain

_EXPIRED = {"ExpiredTokenException", "ExpiredToken", "RequestExpired", "TokenRefreshRequired"}
_DENIED = {"AccessDeniedException", "AccessDenied", "UnauthorizedOperation", "NotAuthorized"}
_INVALID = {
    "UnrecognizedClientException",
    "InvalidClientTokenId",
    "InvalidAccessKeyId",
    "InvalidSignatureException",
    "SignatureDoesNotMatch",
}
_THROTTLED = {"ThrottlingException", "Throttling", "TooManyRequestsException", "LimitExceededException", "SlowDown"}
_NO_CREDENTIALS = {"NoCredentialsError", "PartialCredentialsError", "ProfileNotFound", "CredentialRetrievalError"}
_SSO_EXPIRED = {"TokenRetrievalError", "SSOTokenLoadError", "UnauthorizedSSOTokenError", "LoginRefreshRequired"}
_UNREACHABLE = {
    "EndpointConnectionError",
    "ConnectTimeoutError",
    "ReadTimeoutError",
    "ConnectionClosedError",
    "ProxyConnectionError",
    "SSLError",
    "HTTPClientError",
}


def explain(
    error: Exception,
    *,
    log_group: str,
    region: str | None,
    endpoint: str | None,
    service: str = "CloudWatch Logs",
) -> CachewiseError:
    """Turn a boto3 exception into the error to show. Never quotes the request, which may hold credentials.

    `log_group` is what was to be read, and `service` who was asked for it.
    """
    name = type(error).__name__
    where = f"{log_group} in {region or 'no region'}"
    if name in _NO_CREDENTIALS:
        return FixSettings(
            f"There are no AWS credentials to read {where} with ({name}).",
            code="COL-401",
            mend="Set AWS_PROFILE, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run where a role is attached.",
        )
    if name in _SSO_EXPIRED:
        return _expired(where, name)
    if name in ("NoRegionError", "InvalidRegionError"):
        return FixSettings(
            f"No AWS region is set for {log_group}.", code="COL-405", mend='Add region = "ap-northeast-2" or so.'
        )
    if name in ("InvalidEndpointURLError", "UnknownEndpointError") or (
        name == "ValueError" and "endpoint" in str(error)
    ):
        return FixSettings(
            f'endpoint_url = "{endpoint}" is not a URL.', code="COL-406", mend="Write it as http://host:port."
        )
    if name in _UNREACHABLE or isinstance(error, OSError):
        return TryAgain(
            f"{service} cannot be reached at {endpoint or region} ({name}).",
            code="COL-503",
            mend="Check network, region and endpoint_url; nothing is lost, the next pass reads on from here.",
        )
    return _answered(error, where, service)


def _answered(error: Exception, where: str, service: str) -> CachewiseError:
    """Explain what AWS answered."""
    response: Any = getattr(error, "response", None)
    said = response.get("Error", {}) if isinstance(response, dict) else {}
    code = str(said.get("Code", type(error).__name__))
    if code in _EXPIRED:
        return _expired(where, code)
    if code in _INVALID:
        return FixSettings(
            f"AWS does not know the credentials used to read {where} ({code}).",
            code="COL-401",
            mend="Check the access key and its secret.",
        )
    if code in _DENIED:
        return FixSettings(
            f"AWS denies reading {where} ({code}).",
            code="COL-403",
            mend="Allow logs:FilterLogEvents on the log group's ARN followed by :*.",
        )
    if code == "ResourceNotFoundException":
        return FixSettings(
            f"There is no log group {where}.", code="COL-404", mend="Check log_group and region of the source."
        )
    if code in _THROTTLED:
        return TryAgain(
            f"{service} throttles reading {where} ({code}).",
            code="COL-429",
            mend="Nothing is lost; the next pass reads on. Run fewer collectors on this account and region.",
        )
    return TryAgain(
        f"Reading {where} failed ({code}).", code="COL-500", mend="Nothing is lost; the next pass reads on from here."
    )


def _expired(where: str, code: str) -> CachewiseError:
    return FixSettings(
        f"The AWS credentials used to read {where} have expired ({code}).",
        code="COL-402",
        mend="Log in again (aws sso login); stored data stays, the next pass reads on from here.",
    )
