"""A source's secrets: sealed at rest, several at a time while they rotate, never shown again."""

import base64
import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import orjson
from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings

SHORTEST = 24


class WeakSecret(ValueError):
    """A secret shorter than 24 bytes."""


class Unreadable(RuntimeError):
    """The sealed secrets were written under another SECRET_KEY."""


@dataclass(frozen=True, slots=True)
class Secret:
    """One secret and when it ends (None: the current one)."""

    value: str
    until: datetime | None = None


def new_secret() -> str:
    """A Standard Webhooks secret: `whsec_` and 32 random bytes."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


def seal(held: Sequence[Secret]) -> str:
    """The secrets as one encrypted text. Raises WeakSecret."""
    for secret in held:
        if len(secret.value.encode()) < SHORTEST:
            raise WeakSecret(f"A secret must have at least {SHORTEST} bytes.")
    rows = [{"value": s.value, "until": s.until.isoformat() if s.until else None} for s in held]
    return _box().encrypt(orjson.dumps(rows)).decode()


def unseal(sealed: str) -> list[Secret]:
    """What `seal` was given. Raises Unreadable."""
    if not sealed:
        return []
    try:
        rows = orjson.loads(_box().decrypt(sealed.encode()))
    except InvalidToken:
        raise Unreadable("The secrets were sealed under another SECRET_KEY.") from None
    return [
        Secret(row["value"], datetime.fromisoformat(row["until"]) if row["until"] else None)
        for row in rows
    ]


def current(held: Sequence[Secret], now: datetime) -> list[bytes]:
    """The secrets that count now."""
    return [s.value.encode() for s in held if s.until is None or s.until > now]


def _box() -> Fernet:
    digest = hashlib.sha256(b"throughline source secrets\0" + settings.SECRET_KEY.encode()).digest()
    return Fernet(base64.urlsafe_b64encode(digest))
