"""Replays: parked messages that a person returned to the queue together."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models


class MessageReplay(models.Model):
    """The messages of one replay. Its result is the present state of these messages."""

    requested_at = models.DateTimeField()
    # Null: the command line.
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True)
    message_ids = ArrayField(models.BigIntegerField())
    # Selected messages that were not queued: no longer parked, or without a payload.
    skipped_count = models.IntegerField(default=0)
    # When a person stopped it; the messages that still waited then are parked as before.
    stopped_at = models.DateTimeField(null=True)
    stopped_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
