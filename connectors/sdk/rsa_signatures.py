"""RSA signatures (PKCS #1 v1.5, SHA-256), with public keys as PEM or as a JSON Web Key Set.

A key set is a JSON document `{"keys": [...]}` (RFC 7517); keys of other kinds in it are left out.
"""

import base64
import binascii
import json
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from cryptography.exceptions import InvalidSignature as InvalidRsaSignature
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, RSAPublicNumbers
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from connectors.sdk.auth import InvalidSignature

MAX_KEYS_LENGTH = 20_000
MIN_KEY_BITS, MAX_KEY_BITS = 2048, 8192
# A form of one line has no line breaks, so a PEM text may have blanks in place of them.
PEM = re.compile(r"-----BEGIN PUBLIC KEY-----([A-Za-z0-9+/=\s]+)-----END PUBLIC KEY-----")
NO_KEY = "Enter public RSA keys: PEM texts, or the JSON document of a key set (JWKS)."


@lru_cache(maxsize=64)
def parse_public_keys(text: str) -> Mapping[str, RSAPublicKey]:
    """Return RSA keys by their key id. Keys of PEM texts have numbers. Raises ValueError."""
    if len(text) > MAX_KEYS_LENGTH:
        raise ValueError(f"The value is longer than {MAX_KEYS_LENGTH} characters.")
    keys = (
        _keys_of_key_set(text)
        if text.lstrip().startswith("{")
        else {str(number): _key_of_pem(pem) for number, pem in enumerate(PEM.findall(text))}
    )
    if not keys:
        raise ValueError(NO_KEY)
    for key in keys.values():
        if not MIN_KEY_BITS <= key.key_size <= MAX_KEY_BITS:
            raise ValueError(
                f"A key has {key.key_size} bits; use {MIN_KEY_BITS} to {MAX_KEY_BITS}."
            )
    return keys


def check_public_keys(text: str) -> str:
    """Return the text of public keys. Raises ValueError with a sentence for people."""
    parse_public_keys(text)
    return text


def verify_rsa_signature(
    keys: Mapping[str, RSAPublicKey], key_id: str, signature: bytes, signed: bytes
) -> None:
    """Check a signature by the key with this id, else by any key. Raises InvalidSignature."""
    for key in [keys[key_id]] if key_id in keys else keys.values():
        try:
            key.verify(signature, signed, PKCS1v15(), SHA256())
        except InvalidRsaSignature:
            continue
        return
    raise InvalidSignature("the signature does not match any public key of this source")


def verify_any_base64_signature(
    keys: Mapping[str, RSAPublicKey], signatures: Sequence[str], signed: bytes
) -> None:
    """Check that a signature in base64 fits any key. Raises InvalidSignature."""
    for text in signatures:
        try:
            signature = base64.b64decode(text.encode("ascii"), validate=True)
        except (UnicodeEncodeError, binascii.Error):
            raise InvalidSignature("the signature is not valid base64") from None
        try:
            verify_rsa_signature(keys, "", signature, signed)
        except InvalidSignature:
            continue
        return
    raise InvalidSignature("no signature matches a public key of this source")


def _key_of_pem(body: str) -> RSAPublicKey:
    try:
        key = load_der_public_key(base64.b64decode("".join(body.split()), validate=True))
    except (ValueError, binascii.Error, UnsupportedAlgorithm):
        raise ValueError("A PEM text is not a public key.") from None
    if not isinstance(key, RSAPublicKey):
        raise ValueError("A PEM text is not an RSA key.")
    return key


def _keys_of_key_set(text: str) -> dict[str, RSAPublicKey]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("The key set is not valid JSON.") from None
    entries = document.get("keys", [document])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ValueError("The key set has no list of keys.")
    return {
        str(entry.get("kid", number)): _key_of_jwk(entry)
        for number, entry in enumerate(entries)
        if entry.get("kty") == "RSA"
    }


def _key_of_jwk(entry: Mapping[str, Any]) -> RSAPublicKey:
    try:
        exponent, modulus = (_big_endian_number(entry[name]) for name in ("e", "n"))
        return RSAPublicNumbers(exponent, modulus).public_key()
    except (KeyError, TypeError, ValueError, AttributeError, UnsupportedAlgorithm):
        raise ValueError("An RSA key of the key set is invalid.") from None


def _big_endian_number(text: str) -> int:
    data = text.encode("ascii")
    return int.from_bytes(base64.urlsafe_b64decode(data + b"=" * (-len(data) % 4)))
