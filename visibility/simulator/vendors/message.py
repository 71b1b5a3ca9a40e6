"""A message of a simulated system, before it is signed."""

import hashlib
import hmac
from collections.abc import Mapping
from typing import NamedTuple


class SimulatedMessage(NamedTuple):
    """A request to the webhook of `source`; `identity` is the sender's ID of the delivery."""

    source: str
    body: bytes
    headers: Mapping[str, str]
    identity: str


def hmac_sha256(secret: bytes, body: bytes) -> bytes:
    """HMAC-SHA256."""
    return hmac.digest(secret, body, hashlib.sha256)
