"""Email: one address, and no claim that a file was sent."""

from datetime import UTC, datetime

import pytest
from django.core import mail
from pytest_django.fixtures import Settings

from connectors.sdk.settings import ParsedSettings
from visibility.notify.channel import DeliveryFailed, OutgoingMessage
from visibility.notify.channels.email import FILE_BACKEND, Email
from visibility.notify.check_and_encrypt_channel_settings import parse_channel_settings_with_errors

MESSAGE = OutgoingMessage("7", "Late\norder", "Text", datetime(2026, 3, 4, tzinfo=UTC))


def settings_of(address: str) -> ParsedSettings:
    return parse_channel_settings_with_errors(Email(), {"address": address})


def test_message_goes_to_the_address_with_its_id() -> None:
    Email().send(MESSAGE, settings_of("ops@example.com"))
    sent = mail.outbox[-1]
    assert (sent.to, sent.subject) == (["ops@example.com"], "Late order")
    assert sent.extra_headers == {"Message-ID": "<7@throughline>"}


@pytest.mark.parametrize("address", ["ops@example.com", "Olga <olga@example.com>", "ops@mailhost"])
def test_one_address_is_valid(address: str) -> None:
    assert settings_of(address).errors == ()


@pytest.mark.parametrize("address", ["", "ops", "@example.com", "ops@", "a@b.c, d@e.f", "a@b\nc"])
def test_other_texts_are_refused_with_a_sentence(address: str) -> None:
    (error,) = settings_of(address).errors
    assert error.name == "address"
    assert error.sentence.endswith((".", "required."))


def test_without_a_mail_server_it_says_so(settings: Settings) -> None:
    assert Email().missing_server_sentence() == ""
    settings.EMAIL_BACKEND = FILE_BACKEND
    assert "No mail server is configured (EMAIL_HOST)" in Email().missing_server_sentence()


def test_unreachable_server_is_a_failed_delivery(settings: Settings) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9
    with pytest.raises(DeliveryFailed, match="ConnectionRefusedError"):
        Email().send(MESSAGE, settings_of("ops@example.com"))
