"""Email: one address, and no claim that a file was sent."""

import socketserver
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from django.core import mail
from django.core.mail import EmailMessage
from pytest_django.fixtures import Settings

from connectors.sdk.settings import ParsedSettings
from visibility.notify.channel import DeliveryFailed, OutgoingMessage
from visibility.notify.channels.email import Email
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


def test_unreachable_server_is_a_failed_delivery(settings: Settings) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9
    with pytest.raises(DeliveryFailed, match="ConnectionRefusedError"):
        Email().send(MESSAGE, settings_of("ops@example.com"))


class SmtpSession(socketserver.StreamRequestHandler):
    """A mail server for one session; it refuses the command `refused`."""

    refused = ""
    accepted = 0

    def handle(self) -> None:
        self.wfile.write(b"220 ready\r\n")
        for line in self.rfile:
            command = line[:4].decode().upper().strip()
            if command == self.refused:
                self.wfile.write(b"550 no such mailbox\r\n")
            elif command == "DATA":
                self.wfile.write(b"354 go on\r\n")
                for text in self.rfile:
                    if text == b".\r\n":
                        break
                is_refused = self.refused == "BODY"
                type(self).accepted += not is_refused
                self.wfile.write(b"554 refused\r\n" if is_refused else b"250 accepted\r\n")
            else:
                self.wfile.write(b"250 ok\r\n")


@pytest.fixture
def server(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[SmtpSession]]:
    monkeypatch.setattr(SmtpSession, "refused", "")
    monkeypatch.setattr(SmtpSession, "accepted", 0)
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), SmtpSession) as listening:
        threading.Thread(target=listening.serve_forever, daemon=True).start()
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", listening.server_address[1]
        yield SmtpSession
        listening.shutdown()


def test_message_that_the_server_accepts_is_sent(server: type[SmtpSession]) -> None:
    Email().send(MESSAGE, settings_of("ops@example.com"))
    assert server.accepted == 1


@pytest.mark.parametrize(("command", "reason"), [("RCPT", "no such mailbox"), ("BODY", "refused")])
def test_message_that_the_server_refuses_is_a_failed_delivery(
    server: type[SmtpSession], monkeypatch: pytest.MonkeyPatch, command: str, reason: str
) -> None:
    monkeypatch.setattr(server, "refused", command)
    with pytest.raises(DeliveryFailed, match=reason):
        Email().send(MESSAGE, settings_of("ops@example.com"))


def test_message_that_no_server_took_is_a_failed_delivery(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(EmailMessage, "send", lambda _: 0)
    with pytest.raises(DeliveryFailed, match="No mail server accepted"):
        Email().send(MESSAGE, settings_of("ops@example.com"))


def test_email_has_the_text_for_its_reader() -> None:
    personal = replace(MESSAGE, personal_text="Customer: Acme")
    Email().send(personal, settings_of("ops@example.com"))
    assert mail.outbox[-1].body == "Customer: Acme"
