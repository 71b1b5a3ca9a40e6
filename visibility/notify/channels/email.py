"""Email through Django's mail settings."""

from smtplib import SMTPException
from typing import ClassVar

from django.conf import settings
from django.core.mail import EmailMessage

from visibility.notify.channel import Channel, DeliveryFailed, OutgoingMessage


class Email(Channel):
    """Plain-text email. Its Message-ID is the message id, so that duplicates can be detected."""

    code: ClassVar[str] = "email"
    title: ClassVar[str] = "Email"

    def send(self, outgoing: OutgoingMessage, address: str) -> None:
        """Send one email. Raises Undelivered."""
        message = EmailMessage(
            subject=" ".join(outgoing.subject.split())[:200],
            body=outgoing.text,
            from_email=settings.DEFAULT_FROM_EMAIL,
            to=[address],
            headers={"Message-ID": f"<{outgoing.id}@throughline>"},
        )
        try:
            message.send()
        except (SMTPException, OSError) as error:
            raise DeliveryFailed(f"{type(error).__name__}: {error}") from error
