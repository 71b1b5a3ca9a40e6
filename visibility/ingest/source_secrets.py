"""Secrets of sources: encrypted at rest, shown once, several valid during a rotation."""

import base64
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import orjson

from visibility.db.derived_keys import KeyPurpose
from visibility.db.encrypt_texts import UnreadableCiphertext, decrypt_text, encrypt_text

MIN_SECRET_BYTES = 24
PURPOSE = KeyPurpose.SOURCE_SECRETS


class WeakSecret(ValueError):
    """A secret shorter than 24 bytes."""


class UnreadableSecrets(RuntimeError):
    """The stored secrets cannot be decrypted, usually because of another SECRET_KEY."""


@dataclass(frozen=True, slots=True)
class SourceSecret:
    """One secret and when it expires (None: the current secret).

    `setting` names the secret setting that it is the value of; empty: it is a secret of the source
    itself, which verifies webhooks and signs requests.
    """

    value: str
    until: datetime | None = None
    setting: str = ""


def new_secret() -> str:
    """Return a Standard Webhooks secret: `whsec_` and 32 random bytes in base64."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


def encrypt_secrets(all_secrets: Sequence[SourceSecret], *, short_allowed: bool = False) -> str:
    """Encrypt the secrets into one text. Raises WeakSecret.

    Vendors dictate the secrets of settings, so these may be short.
    """
    for secret in all_secrets:
        if not (short_allowed or secret.setting) and is_short(secret.value):
            raise WeakSecret(f"A secret needs at least {MIN_SECRET_BYTES} bytes.")
    rows = [
        {"value": s.value, "until": s.until.isoformat() if s.until else None}
        | ({"setting": s.setting} if s.setting else {})
        for s in all_secrets
    ]
    return encrypt_text(orjson.dumps(rows), purpose=PURPOSE)


def decrypt_secrets(sealed: str) -> list[SourceSecret]:
    """Decrypt the result of `encrypt_secrets`. Raises UnreadableSecrets."""
    if not sealed:
        return []
    try:
        rows = orjson.loads(decrypt_text(sealed, purpose=PURPOSE))
        return [
            SourceSecret(
                row["value"],
                datetime.fromisoformat(row["until"]) if row["until"] else None,
                row.get("setting", ""),
            )
            for row in rows
        ]
    except UnreadableCiphertext:
        raise UnreadableSecrets("the secrets were encrypted with another SECRET_KEY") from None
    except (ValueError, TypeError, KeyError):
        raise UnreadableSecrets("the stored secrets are damaged") from None


def unexpired_signing_secrets(all_secrets: Sequence[SourceSecret], now: datetime) -> list[bytes]:
    """Return the secrets of the source itself that are valid now."""
    return [
        s.value.encode()
        for s in all_secrets
        if not s.setting and (s.until is None or s.until > now)
    ]


def secret_setting_values_by_name(all_secrets: Sequence[SourceSecret]) -> Mapping[str, str]:
    """Return the values of the secret settings by name."""
    return {s.setting: s.value for s in all_secrets if s.setting}


def is_short(secret: str) -> bool:
    """Whether a secret is shorter than 24 bytes."""
    return len(secret.encode()) < MIN_SECRET_BYTES
