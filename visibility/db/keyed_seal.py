"""Seal texts with a keyed hash: only a process with the SECRET_KEY can write a valid seal."""

import hashlib
import hmac

from django.conf import settings


def seal_text(text: str, *, purpose: str) -> str:
    """HMAC-SHA256 of the text, in hex. Each purpose has its own key."""
    key = hashlib.sha256(f"{purpose}\0{settings.SECRET_KEY}".encode()).digest()
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
