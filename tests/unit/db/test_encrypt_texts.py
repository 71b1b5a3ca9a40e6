"""Encryption of stored texts."""

import pytest
from pytest_django.fixtures import Settings

from visibility.db.encrypt_texts import UnreadableCiphertext, decrypt_text, encrypt_text


def test_text_is_readable_for_its_purpose_only() -> None:
    sealed = encrypt_text(b"a secret", purpose="sources")
    assert "secret" not in sealed
    assert decrypt_text(sealed, purpose="sources") == b"a secret"
    with pytest.raises(UnreadableCiphertext):
        decrypt_text(sealed, purpose="subscriptions")


def test_another_key_or_a_damaged_text_is_refused(settings: Settings) -> None:
    sealed = encrypt_text(b"a secret", purpose="sources")
    settings.SECRET_KEY = "another key of at least 32 characters"
    for text in (sealed, sealed[:-4], "", "\u00e9"):
        with pytest.raises(UnreadableCiphertext):
            decrypt_text(text, purpose="sources")


def test_secrets_of_sources_of_older_releases_stay_readable(settings: Settings) -> None:
    settings.SECRET_KEY = "k" * 40
    old = (
        "gAAAAABrC3GsW9IzC4e29D_REIms9W6Ez_tB85Wlj72pQo-X0dTzesKjgPpl"
        "Jmlto3XrWVWKcWBYI3IEN2b9MFDWYBQQrnqBuA=="
    )
    assert decrypt_text(old, purpose="throughline source secrets") == b"a value"
