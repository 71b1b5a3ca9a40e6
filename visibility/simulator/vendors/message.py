"""A message before it is signed."""

import hashlib
import hmac
from collections.abc import Mapping
from typing import NamedTuple


class Message(NamedTuple):
    """What goes to the hook of `source`; `identity` is the sender's id of the delivery."""

    source: str
    body: bytes
    headers: Mapping[str, str]
    identity: str


def digest(secret: bytes, body: bytes) -> bytes:
    """HMAC-SHA256."""
    return hmac.digest(secret, body, hashlib.sha256)
