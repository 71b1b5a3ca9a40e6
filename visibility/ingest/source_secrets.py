"""Secrets of sources: encrypted at rest, shown once, several valid during a rotation."""

import base64
import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import orjson
from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings

MIN_SECRET_BYTES = 24


class WeakSecret(ValueError):
    """A secret shorter than 24 bytes."""


class UnreadableSecrets(RuntimeError):
    """The stored secrets cannot be decrypted, usually because of another SECRET_KEY."""


@dataclass(frozen=True, slots=True)
class SourceSecret:
    """One secret and when it expires (None: the current secret)."""

    value: str
    until: datetime | None = None


def new_secret() -> str:
    """Return a Standard Webhooks secret: `whsec_` and 32 random bytes in base64."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


def encrypt_secrets(all_secrets: Sequence[SourceSecret]) -> str:
    """Encrypt the secrets into one text. Raises WeakSecret."""
    for secret in all_secrets:
        if len(secret.value.encode()) < MIN_SECRET_BYTES:
            raise WeakSecret(f"A secret needs at least {MIN_SECRET_BYTES} bytes.")
    rows = [
        {"value": s.value, "until": s.until.isoformat() if s.until else None} for s in all_secrets
    ]
    return _fernet().encrypt(orjson.dumps(rows)).decode()


def decrypt_secrets(sealed: str) -> list[SourceSecret]:
    """Decrypt the result of `encrypt_secrets`. Raises UnreadableSecrets."""
    if not sealed:
        return []
    try:
        rows = orjson.loads(_fernet().decrypt(sealed.encode()))
        return [
            SourceSecret(
                row["value"], datetime.fromisoformat(row["until"]) if row["until"] else None
            )
            for row in rows
        ]
    except InvalidToken:
        raise UnreadableSecrets("the secrets were encrypted with another SECRET_KEY") from None
    except (ValueError, TypeError, KeyError):
        raise UnreadableSecrets("the stored secrets are damaged") from None


def valid_secrets(all_secrets: Sequence[SourceSecret], now: datetime) -> list[bytes]:
    """Return the secrets that are valid now."""
    return [s.value.encode() for s in all_secrets if s.until is None or s.until > now]


def _fernet() -> Fernet:
    digest = hashlib.sha256(b"throughline source secrets\0" + settings.SECRET_KEY.encode()).digest()
    return Fernet(base64.urlsafe_b64encode(digest))
