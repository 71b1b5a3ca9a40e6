"""The keys that are derived from SECRET_KEY and SECRET_KEY_FALLBACKS: one for each purpose."""

import hashlib
from collections.abc import Sequence
from enum import StrEnum

from django.conf import settings


class KeyPurpose(StrEnum):
    """What a key is for. Texts of one purpose cannot be used for another.

    `visibility/operations/key_replacement/registry.py` says for each what a new SECRET_KEY needs.
    """

    ACCOUNT_LINK = "account link"
    API_TOKEN = "api token"  # noqa: S105  # a purpose
    AUDIT_HEAD = "audit head"
    FINGERPRINT = "secret key fingerprint"
    IDENTITY_PROVIDER = "identity provider"
    MAIL_SERVER_PASSWORD = "throughline mail server password"  # noqa: S105  # a purpose
    SAML_SIGN_IN = "saml sign-in"
    SCREEN_LINK = "screen link"
    SECOND_FACTOR = "second factor"
    SETUP_LINK = "set-up link"
    SIGN_IN_THROTTLE = "sign-in throttle"
    SOURCE_SECRETS = "throughline source secrets"
    SUBSCRIPTION_SECRETS = "throughline subscription secrets"
    TRACKING_EMAIL_CONFIRMATION = "tracking email confirmation"
    TRACKING_EMAIL_FORM = "tracking email form"
    TRACKING_EMAIL_STOP = "tracking email stop"
    TRACKING_LINK = "tracking link"


def derive_keys(purpose: str) -> Sequence[bytes]:
    """The key of each secret key, that of SECRET_KEY first. Raises ValueError: unknown purpose."""
    name = KeyPurpose(purpose).value
    return [
        hashlib.sha256(f"{name}\0{key}".encode()).digest()
        for key in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    ]
