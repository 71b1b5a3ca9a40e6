"""What people decided about parked messages: discards, and copies with a corrected body."""

from typing import ClassVar

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models


class MessageDiscard(models.Model):
    """Parked messages that a person discarded together. `why` is that person's reason."""

    discarded_at = models.DateTimeField()
    discarded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    why = models.TextField()
    message_ids = ArrayField(models.BigIntegerField())
    undone_at = models.DateTimeField(null=True)
    undone_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )


class EditedMessage(models.Model):
    """A message that a person stored as a copy of a parked one, with an edited body.

    The original does not change. The copy has its time of receipt.
    """

    message_id = models.BigIntegerField(unique=True)
    original_id = models.BigIntegerField()
    edited_at = models.DateTimeField()
    edited_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    why = models.TextField()

    class Meta:
        indexes: ClassVar = [models.Index(fields=["original_id"], name="edited_message_original")]
