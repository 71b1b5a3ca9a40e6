"""Email through the mail server of the environment, or the one that was entered."""

from email.utils import getaddresses
from typing import ClassVar

from connectors.sdk.settings import ParsedSettings, Setting
from visibility.notify.channel import Channel, OutgoingMessage
from visibility.notify.mail import is_mail_server_in_environment, send_email, stored_mail_server


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
        """Say that there is no mail server, if none is in the environment and none was entered."""
        if is_mail_server_in_environment() or stored_mail_server() is not None:
            return ""
        return (
            "No mail server is configured, so no email leaves this server. An administrator enters "
            "it under Mail server. Until then, emails are written to files in DATA_DIR/mail."
        )

    def send(self, message: OutgoingMessage, settings: ParsedSettings) -> str:
        """Send one email. Raises DeliveryFailed."""
        return send_email(
            message.subject,
            message.personal_text or message.text,
            settings.text("address"),
            headers={"Message-ID": f"<{message.id}@throughline>"},
        )
