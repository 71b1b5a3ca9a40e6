"""Encrypt texts before they are stored, with keys that are derived from SECRET_KEY."""

import base64
import hashlib

from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings


class UnreadableCiphertext(ValueError):
    """The text is damaged, or was encrypted with another SECRET_KEY or for another purpose."""


def encrypt_text(content: bytes, *, purpose: str) -> str:
    """Return the ciphertext. Each purpose has its own key, so its texts cannot be exchanged."""
    return _fernet_with_key_for_purpose(purpose).encrypt(content).decode()


def decrypt_text(ciphertext: str, *, purpose: str) -> bytes:
    """Return what `encrypt_text` encrypted for this purpose. Raises UnreadableCiphertext."""
    try:
        return _fernet_with_key_for_purpose(purpose).decrypt(ciphertext.encode())
    except InvalidToken:
        raise UnreadableCiphertext("damaged, or encrypted with another SECRET_KEY") from None


def _fernet_with_key_for_purpose(purpose: str) -> Fernet:
    key = f"{purpose}\0{settings.SECRET_KEY}".encode()
    return Fernet(base64.urlsafe_b64encode(hashlib.sha256(key).digest()))
