"""The door to Anthropic's Admin API: whose key, which address, and its errors as an operator can act on them.

The Admin key is read when a reconciliation runs, handed to the SDK, and kept nowhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from core import aws
from core.client.api_key import key_of
from core.errors import CachewiseError, FixSettings, TryAgain
from core.settings import Settings, admin_key

if TYPE_CHECKING:
    import anthropic

TIMEOUT_S = 60.0
RETRIES = 5
_NEEDED = (
    "Set ANTHROPIC_ADMIN_KEY to an Admin API key (sk-ant-admin01-…, Console → Settings → Admin keys) or to a key with "
    "read:analytics, or name its secret in [reconcile] secret_name; for Bedrock set [reconcile] regions."
)


def has_key(settings: Settings) -> bool:
    """Say whether an Admin key is configured; it is not read from Secrets Manager for that."""
    return admin_key() is not None or settings.reconcile.secret_name is not None


def no_key(settings: Settings) -> FixSettings:
    """Return the error that says what is needed."""
    what = "There is no Admin API key to read Anthropic's usage and cost reports with."
    return FixSettings(what, code="REC-402", mend=f"What is needed: {_NEEDED}")


def open_admin(settings: Settings) -> anthropic.Anthropic:
    """Open the SDK with the Admin key. It retries 429 and 5xx itself, as long as the provider asks it to wait."""
    import anthropic

    key = _key(settings)
    if settings.anthropic_base_url is None:
        return anthropic.Anthropic(api_key=key, timeout=TIMEOUT_S, max_retries=RETRIES)
    return anthropic.Anthropic(
        api_key=key, timeout=TIMEOUT_S, max_retries=RETRIES, base_url=settings.anthropic_base_url
    )


def _key(settings: Settings) -> str:
    found = admin_key()
    if found is not None:
        return found
    name = settings.reconcile.secret_name
    if name is None:
        raise no_key(settings)
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        reader = aws.client("secretsmanager", timeout_s=5, attempts=3, region=settings.reconcile.secret_region)
        answer = reader.get_secret_value(SecretId=name)
    except (ClientError, BotoCoreError) as error:
        permission = "secretsmanager:GetSecretValue on it"
        raise aws.explain(error, doing=f"Reading secret {name}", code="REC-439", permission=permission) from None
    return key_of(answer.get("SecretString"), name)


@contextmanager
def explained() -> Iterator[None]:
    """Turn the SDK's errors into ours; neither key nor URL is quoted."""
    import anthropic

    try:
        yield
    except anthropic.APIStatusError as error:
        raise _by_status(error.status_code) from None
    except anthropic.APIConnectionError as error:
        what = "timed out" if isinstance(error, anthropic.APITimeoutError) else "cannot be reached"
        raise TryAgain(f"Anthropic's Admin API {what}.", code="REC-503", mend="Check the network; try again.") from None
    except (anthropic.APIResponseValidationError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise unreadable(type(error).__name__) from None


def unreadable(why: str) -> TryAgain:
    """Return the error for an answer in another form than the published one."""
    return TryAgain(
        f"Anthropic's Admin API answered in a form that is not the published one ({why}).",
        code="REC-502",
        mend='Try the other API with api = "legacy" or "analytics" in [reconcile]; if it stays, please report it.',
    )


def _by_status(status: int) -> CachewiseError:
    if status == 401:
        return FixSettings("Anthropic refused the Admin API key (401).", code="REC-401", mend=_NEEDED)
    if status == 403:
        return FixSettings(
            "The key may not read usage and cost (403).",
            code="REC-403",
            mend="Use an Admin API key, or a key with read:analytics; keys of individual accounts have no reports.",
        )
    if status == 404:
        return FixSettings(
            "There are no usage and cost reports at this address (404).",
            code="REC-404",
            mend="Check ANTHROPIC_BASE_URL; gateways and Claude Platform on AWS have no Admin API.",
        )
    if status == 429:
        return TryAgain(
            "Anthropic's Admin API throttles, after several tries.", code="REC-429", mend="Try again in some minutes."
        )
    if status >= 500:
        return TryAgain(
            f"Anthropic's Admin API answered {status}, after several tries.",
            code="REC-503",
            mend="Try again.",
            about=(status,),
        )
    return FixSettings(
        f"Anthropic's Admin API refused the question ({status}).",
        code="REC-400",
        mend="Check workspace_ids and api_key_ids in [reconcile], and the range.",
        about=(status,),
    )
