"""Codes of an authenticator app, as the tests compute them."""

import re
import time
from typing import Any

from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, hotp_value
from django.contrib.auth.models import User
from django.test import Client

PERIOD = 30


def set_up_app(user: User, secret: str = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP") -> str:  # noqa: S107
    """Give a user an authenticator app with this key; return the key."""
    TOTP.activate(user, secret)
    return secret


def code_of(secret: str, *, steps: int = 0) -> str:
    """The number that the app shows now, or so many steps of 30 seconds later."""
    return str(format_hotp_value(hotp_value(secret, int(time.time()) // PERIOD + steps)))


def sign_in(client: Client, name: str, password: str) -> Any:
    """Post the form of the sign-in page."""
    return client.post("/signin", {"username": name, "password": password})


def secret_on(page: str) -> str:
    """The key that the page to set up an app shows."""
    match = re.search(r"Key: <code>([A-Z2-7]+)</code>", page)
    assert match
    return match[1]
