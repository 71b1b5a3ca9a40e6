"""Email through Django's mail settings."""

from email.utils import getaddresses
from smtplib import SMTPException
from typing import ClassVar

from django.conf import settings as django_settings
from django.core.mail import EmailMessage

from connectors.sdk.settings import ParsedSettings, Setting
from visibility.notify.channel import Channel, DeliveryFailed, OutgoingMessage

FILE_BACKEND = "django.core.mail.backends.filebased.EmailBackend"


def check_email_address(text: str) -> None:
    """Check the form of one address, such as `ops@example.com`. Raises ValueError."""
    addresses = [address for _, address in getaddresses([text])]
    if len(addresses) != 1 or not all(addresses[0].partition("@")) or not text.isprintable():
        raise ValueError(f"{text[:80]!r} is not an email address, such as ops@example.com.")


class Email(Channel):
    """Plain-text email. Its Message-ID is the message id, so that duplicates can be detected."""

    code: ClassVar[str] = "email"
    title: ClassVar[str] = "Email"
    description: ClassVar[str] = "A plain-text email to one address."
    settings: ClassVar[tuple[Setting, ...]] = (
        Setting(
            "address",
            "Who receives the messages. A mailing list has one address, too.",
            required=True,
            check=check_email_address,
            label="Email address",
        ),
    )

    def missing_server_sentence(self) -> str:
        """Say that there is no mail server, if EMAIL_HOST is not set."""
        if django_settings.EMAIL_BACKEND != FILE_BACKEND:
            return ""
        return (
            "No mail server is configured (EMAIL_HOST), so no email leaves this server. "
            "Emails are written to files in DATA_DIR/mail instead."
        )

    def send(self, message: OutgoingMessage, settings: ParsedSettings) -> None:
        """Send one email. Raises DeliveryFailed."""
        email = EmailMessage(
            subject=" ".join(message.subject.split())[:200],
            body=message.personal_text or message.text,
            from_email=django_settings.DEFAULT_FROM_EMAIL,
            to=[settings.text("address")],
            headers={"Message-ID": f"<{message.id}@throughline>"},
        )
        try:
            accepted = email.send()
        except (SMTPException, OSError, ValueError) as error:
            raise DeliveryFailed(f"{type(error).__name__}: {error}") from error
        if accepted != 1:
            raise DeliveryFailed("No mail server accepted the message.")
