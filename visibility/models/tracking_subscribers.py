"""Addresses that receive an email when the headline of a tracking page changes."""

from datetime import datetime
from typing import ClassVar

from django.db import models

from visibility.models.tracking_links import TrackingLink

MAX_ADDRESS = 254


class TrackingSubscriber(models.Model):
    """An address that somebody entered on the page of a tracking link.

    It receives nothing but a request to confirm until `confirmed_at`. The addresses of its links
    contain `name` and a seal (`visibility/screens/tracking/email_updates.py`). The row is deleted
    when the link has ended, when the request expires, and when the person unsubscribes.
    """

    link = models.ForeignKey(TrackingLink, on_delete=models.CASCADE, related_name="subscribers")
    name = models.CharField(max_length=16, unique=True)
    address = models.CharField(max_length=MAX_ADDRESS)
    # When the request to confirm was made the last time, and how often.
    requested_at = models.DateTimeField()
    requests = models.SmallIntegerField(default=1)
    confirmed_at = models.DateTimeField(null=True)
    # The headline of the last email, and when it is compared with the page next.
    headline = models.TextField(default="")
    check_at = models.DateTimeField(null=True)
    # The email that waits to be sent; null without one.
    mail_due_at = models.DateTimeField(null=True)
    mail_attempts = models.SmallIntegerField(default=0)
    mail_error = models.CharField(max_length=300, default="")
    # When a mail server last accepted an email.
    sent_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["link", "address"], name="tracking_subscriber_unique")
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["mail_due_at"],
                name="tracking_subscriber_mail_due",
                condition=models.Q(mail_due_at__isnull=False),
            ),
            models.Index(
                fields=["check_at"],
                name="tracking_subscriber_check",
                condition=models.Q(check_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"subscriber {self.pk} of tracking link {self.link_id}"

    def is_confirmed(self) -> bool:
        """Whether the person opened the link in the email."""
        return self.confirmed_at is not None

    def was_requested_after(self, moment: datetime) -> bool:
        return self.requested_at > moment
