"""SMTP to the mail server that an administrator entered: to checked addresses only."""

import smtplib
from socket import socket
from typing import Any

from django.core.mail import EmailMessage
from django.core.mail.backends.smtp import EmailBackend

from visibility.outbound.address_guard import resolve_mail_server

MAX_ANSWER_LENGTH = 300


class _GuardedSmtp(smtplib.SMTP):
    """Connects to the addresses that were checked. `answer`: to the last message."""

    answer = ""

    def _get_socket(self, host: str, port: int, timeout: float) -> socket:
        last_error: OSError | None = None
        for address in resolve_mail_server(host, port):
            try:
                connected: socket = super()._get_socket(address, port, timeout)  # type: ignore[misc]  # not in the stubs
            except OSError as error:
                last_error = error
            else:
                return connected
        raise last_error or ConnectionError(f"{host} has no address")

    def data(self, msg: Any) -> tuple[int, bytes]:
        code, text = super().data(msg)
        self.answer = f"{code} {text.decode('utf-8', 'replace')}"[:MAX_ANSWER_LENGTH]
        return code, text


class _GuardedSmtpOverTls(smtplib.SMTP_SSL, _GuardedSmtp):
    """The same over TLS from the start: SMTP_SSL wraps the socket of `_GuardedSmtp`."""


class GuardedSmtpBackend(EmailBackend):
    """Django's backend with checked addresses. `answer`: of the server to the last message."""

    answer = ""

    @property
    def connection_class(self) -> type[smtplib.SMTP]:
        """The class of the connection."""
        return _GuardedSmtpOverTls if self.use_ssl else _GuardedSmtp

    def _send(self, email_message: EmailMessage) -> bool:
        is_sent = bool(super()._send(email_message))  # type: ignore[misc]  # not in the stubs
        self.answer = getattr(self.connection, "answer", "")
        return is_sent
