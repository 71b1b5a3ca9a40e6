"""A sender that signs webhooks by RSA, and publishes its key as PEM and as JWKS."""

import base64
import json

from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


class RsaSender:
    """One key pair."""

    def __init__(self, key_id: str, bits: int = 2048) -> None:
        self.key_id = key_id
        self.key = rsa.generate_private_key(65537, bits)

    @property
    def pem(self) -> str:
        """The public key as PEM."""
        public = self.key.public_key()
        return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    @property
    def jwk(self) -> dict[str, str]:
        """The public key as a JSON Web Key."""
        numbers = self.key.public_key().public_numbers()
        return {
            "kty": "RSA",
            "kid": self.key_id,
            "use": "sig",
            "e": base64url(numbers.e),
            "n": base64url(numbers.n),
        }

    def sign(self, signed: bytes) -> str:
        """The signature in base64."""
        return base64.b64encode(self.key.sign(signed, padding.PKCS1v15(), SHA256())).decode()


def base64url(number: int) -> str:
    data = number.to_bytes((number.bit_length() + 7) // 8)
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def key_set(*senders: RsaSender) -> str:
    """A key set that also has a key of another kind."""
    numbers = ec.generate_private_key(ec.SECP256R1()).public_key().public_numbers()
    other = {"kty": "EC", "kid": "ec", "crv": "P-256", "x": base64url(numbers.x)}
    return json.dumps({"keys": [other | {"y": base64url(numbers.y)}, *(s.jwk for s in senders)]})
