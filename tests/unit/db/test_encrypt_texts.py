"""Encryption and seals of texts, with the secret key and with older ones."""

import pytest
from pytest_django.fixtures import Settings

from visibility.db.derived_keys import KeyPurpose
from visibility.db.encrypt_texts import (
    UnreadableCiphertext,
    decrypt_text,
    encrypt_text,
    is_encrypted_with_newest_key,
)
from visibility.db.keyed_seal import fingerprint_of_secret_key, is_valid_seal, seal_text

SOURCES, SUBSCRIPTIONS = KeyPurpose.SOURCE_SECRETS, KeyPurpose.SUBSCRIPTION_SECRETS
OTHER_KEY = "another key of at least 32 characters"


def test_text_is_readable_for_its_purpose_only() -> None:
    sealed = encrypt_text(b"a secret", purpose=SOURCES)
    assert "secret" not in sealed
    assert decrypt_text(sealed, purpose=SOURCES) == b"a secret"
    with pytest.raises(UnreadableCiphertext):
        decrypt_text(sealed, purpose=SUBSCRIPTIONS)


def test_another_key_or_a_damaged_text_is_refused(settings: Settings) -> None:
    sealed = encrypt_text(b"a secret", purpose=SOURCES)
    settings.SECRET_KEY = OTHER_KEY
    for text in (sealed, sealed[:-4], "", "\u00e9"):
        with pytest.raises(UnreadableCiphertext):
            decrypt_text(text, purpose=SOURCES)


def test_secrets_of_sources_of_older_releases_stay_readable(settings: Settings) -> None:
    settings.SECRET_KEY = "k" * 40
    old = (
        "gAAAAABrC3GsW9IzC4e29D_REIms9W6Ez_tB85Wlj72pQo-X0dTzesKjgPpl"
        "Jmlto3XrWVWKcWBYI3IEN2b9MFDWYBQQrnqBuA=="
    )
    assert decrypt_text(old, purpose="throughline source secrets") == b"a value"


def test_an_older_key_reads_and_the_newest_writes(settings: Settings) -> None:
    old_text = encrypt_text(b"a secret", purpose=SOURCES)
    old_seal = seal_text("a row", purpose=KeyPurpose.SCREEN_LINK)
    old_name = fingerprint_of_secret_key()
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = OTHER_KEY, [settings.SECRET_KEY]
    assert decrypt_text(old_text, purpose=SOURCES) == b"a secret"
    assert not is_encrypted_with_newest_key(old_text, purpose=SOURCES)
    with pytest.raises(UnreadableCiphertext):
        decrypt_text(old_text, purpose=SUBSCRIPTIONS)
    assert is_valid_seal(old_seal, "a row", purpose=KeyPurpose.SCREEN_LINK)
    assert is_valid_seal(old_seal[:40], "a row", purpose=KeyPurpose.SCREEN_LINK, length=40)
    for wrong in (old_seal[:40], "", "\udcff", old_seal[:-1] + "x"):
        assert not is_valid_seal(wrong, "a row", purpose=KeyPurpose.SCREEN_LINK)
    assert not is_valid_seal(old_seal, "a row", purpose=KeyPurpose.TRACKING_LINK)
    new_text = encrypt_text(b"a secret", purpose=SOURCES)
    new_seal = seal_text("a row", purpose=KeyPurpose.SCREEN_LINK)
    assert fingerprint_of_secret_key() != old_name
    settings.SECRET_KEY_FALLBACKS = []
    assert decrypt_text(new_text, purpose=SOURCES) == b"a secret"
    assert is_valid_seal(new_seal, "a row", purpose=KeyPurpose.SCREEN_LINK)
    assert not is_valid_seal(old_seal, "a row", purpose=KeyPurpose.SCREEN_LINK)


def test_a_purpose_that_is_not_listed_is_refused() -> None:
    with pytest.raises(ValueError, match="is not a valid KeyPurpose"):
        encrypt_text(b"text", purpose="something new")
    with pytest.raises(ValueError, match="is not a valid KeyPurpose"):
        seal_text("text", purpose="something new")
