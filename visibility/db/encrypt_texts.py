"""Encrypt texts before they are stored, with keys that are derived from SECRET_KEY.

Texts that were encrypted with a key of SECRET_KEY_FALLBACKS are readable, too.
"""

import base64
from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from visibility.db.derived_keys import derive_keys


class UnreadableCiphertext(ValueError):
    """The text is damaged, or was encrypted with another SECRET_KEY or for another purpose."""


def encrypt_text(content: bytes, *, purpose: str) -> str:
    """Return the ciphertext. Each purpose has its own key, so its texts cannot be exchanged."""
    return _fernets(purpose)[0].encrypt(content).decode()


def decrypt_text(ciphertext: str, *, purpose: str) -> bytes:
    """Return what `encrypt_text` encrypted for this purpose. Raises UnreadableCiphertext."""
    try:
        return MultiFernet(_fernets(purpose)).decrypt(ciphertext.encode())
    except InvalidToken:
        raise UnreadableCiphertext("damaged, or encrypted with another SECRET_KEY") from None


def is_encrypted_with_newest_key(ciphertext: str, *, purpose: str) -> bool:
    """Whether SECRET_KEY alone decrypts the text."""
    try:
        _fernets(purpose)[0].decrypt(ciphertext.encode())
    except InvalidToken:
        return False
    return True


def _fernets(purpose: str) -> Sequence[Fernet]:
    """One for each secret key, that of SECRET_KEY first."""
    return [Fernet(base64.urlsafe_b64encode(key)) for key in derive_keys(purpose)]
