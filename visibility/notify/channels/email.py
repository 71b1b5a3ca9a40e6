"""E-mail by Django's mail settings."""

from smtplib import SMTPException
from typing import ClassVar

from django.conf import settings
from django.core.mail import EmailMessage

from visibility.notify.channel import Channel, Note, Undelivered


class Email(Channel):
    """Plain text mail; its Message-ID is the notification's, so that repeats can be told."""

    code: ClassVar[str] = "email"
    title: ClassVar[str] = "E-mail"

    def send(self, note: Note, address: str) -> None:
        """Send one mail. Raises Undelivered."""
        message = EmailMessage(
            subject=" ".join(note.subject.split())[:200],
            body=note.text,
            from_email=settings.DEFAULT_FROM_EMAIL,
            to=[address],
            headers={"Message-ID": f"<{note.id}@throughline>"},
        )
        try:
            message.send()
        except (SMTPException, OSError) as error:
            raise Undelivered(f"{type(error).__name__}: {error}") from error
