"""RSA-SHA256 signatures (PKCS #1 v1.5), checked with public keys that are settings."""

import base64
import binascii
import re
from collections.abc import Sequence

from cryptography.exceptions import InvalidSignature as WrongSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key

from connectors.sdk.auth import InvalidSignature

PEM = re.compile(r"-----BEGIN PUBLIC KEY-----(.*?)-----END PUBLIC KEY-----", re.DOTALL)
MIN_BITS = 2048


def parse_rsa_public_keys(text: str) -> tuple[RSAPublicKey, ...]:
    """Parse public keys in PEM form; line breaks may have become spaces. Raises ValueError."""
    blocks = PEM.findall(text)
    if not blocks:
        raise ValueError("This is not a public key that begins with -----BEGIN PUBLIC KEY-----.")
    keys = []
    for block in blocks:
        try:
            key = load_der_public_key(base64.b64decode("".join(block.split()), validate=True))
        except (ValueError, binascii.Error):
            raise ValueError("The public key is damaged. Copy the file completely.") from None
        if not isinstance(key, RSAPublicKey) or key.key_size < MIN_BITS:
            raise ValueError(f"The public key is not an RSA key of at least {MIN_BITS} bits.")
        keys.append(key)
    return tuple(keys)


def check_rsa_sha256_signature(
    signatures: Sequence[str], keys: Sequence[RSAPublicKey], body: bytes
) -> None:
    """Check that any base64 signature fits the body and any key. Raises InvalidSignature."""
    for signature in signatures:
        try:
            given = base64.b64decode(signature.encode("ascii"), validate=True)
        except (UnicodeEncodeError, binascii.Error):
            raise InvalidSignature("the signature is not valid base64") from None
        for key in keys:
            try:
                key.verify(given, body, PKCS1v15(), hashes.SHA256())
            except WrongSignature:
                continue
            return
    raise InvalidSignature("the signature does not fit any public key of this source")
