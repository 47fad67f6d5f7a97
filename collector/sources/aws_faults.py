"""What an AWS error means to an operator: a code, what happened, and the mend. Knows botocore by names only."""

from __future__ import annotations

from typing import Any, NamedTuple

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


class _Place(NamedTuple):
    """What was to be read, and where."""

    log_group: str
    region: str | None

    def __str__(self) -> str:
        """Return it for an English sentence."""
        return f"{self.log_group} in {self.region or 'no region'}"


def explain(
    error: Exception,
    *,
    log_group: str,
    region: str | None,
    endpoint: str | None,
    service: str = "CloudWatch Logs",
    role_arn: str | None = None,
    token: bool = False,
) -> CachewiseError:
    """Turn a boto3 exception into the error to show. Never quotes the request, which may hold credentials.

    `log_group` is what was to be read, `service` who was asked for it, `role_arn` the role it was to be read under,
    and `token` whether the request continued an earlier page.
    """
    name = type(error).__name__
    where = _Place(log_group, region)
    if name in _NO_CREDENTIALS:
        return FixSettings(
            f"There are no AWS credentials to read {where} with ({name}).",
            code="COL-401",
            mend="Set AWS_PROFILE, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run where a role is attached.",
            about=(*where, name),
        )
    if name in _SSO_EXPIRED:
        return _expired(where, name)
    if name in ("NoRegionError", "InvalidRegionError"):
        return FixSettings(
            f"No AWS region is set for {log_group}.",
            code="COL-405",
            mend='Add region = "ap-northeast-2" or so.',
            about=(log_group,),
        )
    if name in ("InvalidEndpointURLError", "UnknownEndpointError") or (
        name == "ValueError" and "endpoint" in str(error)
    ):
        return FixSettings(
            f'endpoint_url = "{endpoint}" is not a URL.',
            code="COL-406",
            mend="Write it as http://host:port.",
            about=(endpoint,),
        )
    if isinstance(error, CutOff):
        return TryAgain(
            f"An answer of {service} about {where} was cut off.",
            code="COL-510",
            mend="Nothing is lost, the next pass reads on from here; if it stays, look at the proxy in between.",
            about=(service, *where),
        )
    if name in _UNREACHABLE or isinstance(error, OSError):
        return TryAgain(
            f"{service} cannot be reached at {endpoint or region} ({name}).",
            code="COL-503",
            mend="Check network, region and endpoint_url; nothing is lost, the next pass reads on from here.",
            about=(service, endpoint or region, name),
        )
    if role_arn and getattr(error, "operation_name", "") == "AssumeRole":
        return no_role(error, role_arn)
    if token and code_of(error) == "InvalidParameterException" and "token" in str(error).lower():
        return TokenLost(
            f"CloudWatch Logs no longer knows the page token of {where}.",
            code="COL-509",
            mend="Nothing is lost; the next pass begins this stretch again.",
            about=where,
        )
    return _answered(error, where, service)


def worth_retrying(error: Exception) -> bool:
    """Say whether the same request may succeed in a few seconds: throttled, a fault of AWS's, or the network's."""
    response: Any = getattr(error, "response", None)
    if not isinstance(response, dict):
        return type(error).__name__ in _UNREACHABLE or isinstance(error, OSError | CutOff)
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return code_of(error) in _THROTTLED or status >= 500


class TokenLost(TryAgain):
    """The token of the next page is no longer known: reading must begin anew from where it came to."""


class CutOff(Exception):
    """The answer ended too early. boto3 does not say so: it hands out an answer without its members."""


def no_role(error: Exception, role_arn: str) -> CachewiseError:
    """Explain why the role cannot be assumed."""
    code = code_of(error)
    if code in _THROTTLED or worth_retrying(error):
        return TryAgain(
            f"STS does not lend {role_arn} for now ({code}).",
            code="COL-500",
            mend="The next pass asks again.",
            about=(role_arn, code),
        )
    return FixSettings(
        f"AWS denies assuming {role_arn} ({code}).",
        code="COL-415",
        mend="Check role_arn and external_id; allow sts:AssumeRole, and name the collector in the role's trust policy.",
        about=(role_arn, code),
    )


def code_of(error: Exception) -> str:
    """Return AWS's own code of an error, or the name of its type."""
    response: Any = getattr(error, "response", None)
    said = response.get("Error", {}) if isinstance(response, dict) else {}
    return str(said.get("Code", type(error).__name__))


def _answered(error: Exception, where: _Place, service: str) -> CachewiseError:
    """Explain what AWS answered."""
    code = code_of(error)
    if code in _EXPIRED:
        return _expired(where, code)
    if code in _INVALID:
        return FixSettings(
            f"AWS does not know the credentials used to read {where} ({code}).",
            code="COL-401",
            mend="Check the access key and its secret.",
            about=(*where, code),
        )
    if code in _DENIED:
        return FixSettings(
            f"AWS denies reading {where} ({code}).",
            code="COL-403",
            mend="Allow logs:FilterLogEvents on the log group's ARN followed by :*.",
            about=(*where, code),
        )
    if code == "ResourceNotFoundException":
        return FixSettings(
            f"There is no log group {where}.",
            code="COL-404",
            mend="Check log_group and region of the source.",
            about=where,
        )
    if code in _THROTTLED:
        return TryAgain(
            f"{service} throttles reading {where} ({code}).",
            code="COL-429",
            mend="Nothing is lost; the next pass reads on. Run fewer collectors on this account and region.",
            about=(service, *where, code),
        )
    return TryAgain(
        f"Reading {where} failed ({code}).",
        code="COL-500",
        mend="Nothing is lost; the next pass reads on from here.",
        about=(*where, code),
    )


def _expired(where: _Place, code: str) -> CachewiseError:
    return FixSettings(
        f"The AWS credentials used to read {where} have expired ({code}).",
        code="COL-402",
        mend="Log in again (aws sso login); stored data stays, the next pass reads on from here.",
        about=(*where, code),
    )
