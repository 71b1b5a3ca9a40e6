"""Seal texts with a keyed hash: only a process with the SECRET_KEY can write a valid seal.

A new seal uses SECRET_KEY; one of SECRET_KEY_FALLBACKS is valid, too.
"""

import hashlib
import hmac
from collections.abc import Sequence

from visibility.db.derived_keys import KeyPurpose, derive_keys

LENGTH = 64


def seal_text(text: str, *, purpose: str) -> str:
    """HMAC-SHA256 of the text, in hex. Each purpose has its own key."""
    return seals_of_text(text, purpose=purpose)[0]


def seals_of_text(text: str, *, purpose: str) -> Sequence[str]:
    """The seal with each key, that of SECRET_KEY first."""
    return [
        hmac.new(key, text.encode(), hashlib.sha256).hexdigest() for key in derive_keys(purpose)
    ]


def is_valid_seal(seal: str, text: str, *, purpose: str, length: int = LENGTH) -> bool:
    """Whether any key made the seal, of which the first `length` characters are in use."""
    given = seal.encode("utf-8", "surrogatepass")
    valid = [
        hmac.compare_digest(expected[:length].encode(), given)
        for expected in seals_of_text(text, purpose=purpose)
    ]
    return any(valid)


def fingerprint_of_secret_key() -> str:
    """A name of SECRET_KEY from which nobody can compute it."""
    return seal_text("", purpose=KeyPurpose.FINGERPRINT)[:16]
