"""Requests to a source that stored no message: refused ones, and test events."""

from typing import Any, ClassVar

from django.db import models

from visibility.models.sources_and_messages import Source


class UnstoredRequest(models.Model):
    """A refused request or a test event. Only the newest of each source are stored.

    It is no message: nothing is processed, counted or shown on an order because of it.
    """

    source = models.ForeignKey(Source, on_delete=models.PROTECT, db_index=False)
    received_at = models.DateTimeField()
    # The HTTP status of the answer; 0: it was a message from a queue.
    status = models.IntegerField()
    # Why it was refused; empty if it was accepted.
    reason = models.TextField(default="")
    size = models.BigIntegerField(default=0)
    is_test = models.BooleanField(default=False)
    # What the connector read from a test event: `events`, `ignored`, `parked`.
    reading: Any = models.JSONField(default=dict)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["source", "-id"], name="unstored_request_source"),
        ]
