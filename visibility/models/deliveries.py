"""The delivery log of subscriptions: each attempt to send a message, with the answer."""

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models

from visibility.models.alerts import Subscription


class DeliveryAttempt(models.Model):
    """One attempt to send one message. Old ones are removed; see `delivery_log.py`."""

    subscription = models.ForeignKey(Subscription, on_delete=models.PROTECT, related_name="+")
    # The id of the message, as the receiver sees it: the same on every attempt.
    message_id = models.UUIDField()
    at = models.DateTimeField()
    # The number of the attempt, from 1; 0 for a test message.
    number = models.IntegerField()
    alerts = models.IntegerField()
    # The notifications that the message consisted of; none for a test message.
    notifications = ArrayField(models.BigIntegerField(), default=list)
    is_accepted = models.BooleanField()
    # The status code of the response, if there was one, and the answer or the error in words.
    code = models.CharField(max_length=10, default="", db_default="")
    answer = models.TextField(default="", db_default="")

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["subscription", "-id"], name="delivery_attempt_of"),
            models.Index(fields=["at"], name="delivery_attempt_at"),
        ]

    def __str__(self) -> str:
        return f"attempt {self.number} of {self.message_id}"
