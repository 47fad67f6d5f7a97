"""The Anthropic API key, from Secrets Manager: read once per environment, never logged, read again after a refusal."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from typing import Any

from core import aws
from core.errors import FixSettings

REREAD_AFTER_S = 60.0  # a refused key may have been rotated; but a wrong one must not hammer Secrets Manager
_FIELDS = ("api_key", "ANTHROPIC_API_KEY", "anthropic_api_key")


class SecretApiKey:
    """The key behind one secret name. `client` is a boto3 Secrets Manager client; opened when first needed."""

    def __init__(self, secret_name: str, *, client: Any = None, clock: Callable[[], float] = time.time) -> None:
        self.secret_name = secret_name
        self._client = client
        self._clock = clock
        self._lock = threading.Lock()
        self._key: str | None = None
        self._read_at = 0.0

    def get(self) -> str:
        """Return the key; the first caller reads it, the others wait for that one read."""
        with self._lock:
            if self._key is None:
                self._key = key_of(self._read(), self.secret_name)
                self._read_at = self._clock()
            return self._key

    def forget(self) -> bool:
        """Drop a key that was refused, unless it has only just been read; say whether it was dropped."""
        with self._lock:
            old = self._key is not None and self._clock() - self._read_at >= REREAD_AFTER_S
            if old:
                self._key = None
            return old

    def _read(self) -> str | None:
        from botocore.exceptions import BotoCoreError, ClientError

        if self._client is None:
            self._client = aws.client("secretsmanager", timeout_s=3, attempts=3)
        try:
            answer: dict[str, Any] = self._client.get_secret_value(SecretId=self.secret_name)
        except (ClientError, BotoCoreError) as error:
            raise aws.explain(
                error,
                doing=f"reading secret {self.secret_name}",
                code="SVC-439",
                permission="secretsmanager:GetSecretValue on it",
            ) from error
        return answer.get("SecretString")


def key_of(secret: str | None, secret_name: str) -> str:
    """Take the key out of the secret: the plain string, or JSON with "api_key". The message never quotes it."""
    text = (secret or "").strip()
    if text.startswith("{"):
        try:
            fields = json.loads(text)
        except ValueError:
            fields = {}
        text = next((str(fields[name]).strip() for name in _FIELDS if fields.get(name)), "")
    if not text:
        raise FixSettings(
            f"Secret {secret_name} holds no API key.",
            code="SVC-438",
            mend='Store the key as a plain string or as {"api_key": "…"}.',
        )
    return text
