"""Send email through the server of the environment, or else the one that was entered.

Without either, Django's settings write emails to files.
"""

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage, get_connection

from visibility.db.derived_keys import KeyPurpose
from visibility.db.encrypt_texts import UnreadableCiphertext, decrypt_text, encrypt_text
from visibility.models.mail_server import MailSecurity, MailServer
from visibility.notify.channel import DeliveryFailed
from visibility.outbound.smtp_connection import GuardedSmtpBackend

FILE_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
PURPOSE = KeyPurpose.MAIL_SERVER_PASSWORD


def is_mail_server_in_environment() -> bool:
    """Whether EMAIL_HOST is set, which wins over the entered server."""
    return bool(settings.HAS_MAIL_SERVER) or settings.EMAIL_BACKEND != FILE_BACKEND


def stored_mail_server() -> MailServer | None:
    """The entered server, if it is the one in use."""
    return None if is_mail_server_in_environment() else MailServer.objects.first()


def has_mail_server() -> bool:
    """Whether email leaves this installation."""
    return bool(settings.HAS_MAIL_SERVER) or stored_mail_server() is not None


def seal_mail_password(password: str) -> str:
    """Encrypt the password; empty without one."""
    return encrypt_text(password.encode(), purpose=PURPOSE) if password else ""


def send_email(
    subject: str, body: str, to: str, *, headers: Mapping[str, str] | None = None
) -> str:
    """Send one plain-text email, and return the answer of the server. Raises DeliveryFailed.

    The answer is empty if the server of the environment accepted it, or a file was written.
    """
    server = stored_mail_server()
    password = ""
    try:
        if server is not None:
            password = open_mail_password(server)
        connection: Any = get_connection() if server is None else _connect(server, password)
        email = EmailMessage(
            subject=" ".join(subject.split())[:200],
            body=body,
            from_email=server.sender if server else settings.DEFAULT_FROM_EMAIL,
            to=[to],
            headers=dict(headers or {}),
            connection=connection,
        )
        accepted = email.send()
    except (OSError, ValueError) as error:  # SMTPException is an OSError
        text = f"{type(error).__name__}: {error}"
        raise DeliveryFailed(
            text.replace(password, "[secret]") if password else text,
            code=str(getattr(error, "smtp_code", "")),
        ) from error
    if accepted != 1:
        raise DeliveryFailed("No mail server accepted the message.")
    return str(getattr(connection, "answer", ""))


def open_mail_password(server: MailServer) -> str:
    """The stored password. Raises ValueError if SECRET_KEY is another one."""
    if not server.sealed_password:
        return ""
    try:
        return decrypt_text(server.sealed_password, purpose=PURPOSE).decode()
    except UnreadableCiphertext:
        raise ValueError(
            "the password was encrypted with another SECRET_KEY; enter it again"
        ) from None


def _connect(server: MailServer, password: str) -> GuardedSmtpBackend:
    return GuardedSmtpBackend(
        host=server.host,
        port=server.port,
        username=server.username,
        password=password,
        use_tls=server.security == MailSecurity.STARTTLS,
        use_ssl=server.security == MailSecurity.TLS,
        timeout=settings.EMAIL_TIMEOUT,
    )
