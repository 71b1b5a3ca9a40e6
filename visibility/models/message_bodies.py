"""The bodies of messages, by month, and what is known of each month."""

from datetime import datetime, timedelta

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

# A condition in SQL on messages `m`: retention has removed the body.
BODY_IS_REMOVED = """EXISTS (
    SELECT FROM visibility_messagebodypartition removed WHERE removed.removed_at IS NOT NULL
        AND m.received_at >= removed.starts_at AND m.received_at < removed.ends_at)"""
# A partition is removed at the earliest so long after a check first listed it as removable.
NOTICE = timedelta(days=7)


class MessageBody(models.Model):
    """The bytes of one message as received. Partitioned by `received_at`, like the message."""

    message_id = models.BigIntegerField(primary_key=True)
    received_at = models.DateTimeField()
    body = models.BinaryField()

    class Meta:
        managed = False
        db_table = "visibility_message_body"


class MessageBodyMove(models.Model):
    """One row while bodies that an older version stored with their message are being moved.

    Messages from `next_id` to `last_id` are still to be looked at.
    """

    next_id = models.BigIntegerField()
    last_id = models.BigIntegerField()
    started_at = models.DateTimeField(db_default=Now())


class MessageBodyPartition(models.Model):
    """The bodies received in one month (UTC), as of the latest check; stays after their removal.

    `parked_count` leaves out messages of which another version is used. `open_order_ids` are the
    first few of `open_order_count` orders.
    """

    starts_at = models.DateTimeField(unique=True)
    ends_at = models.DateTimeField()
    message_count = models.BigIntegerField(default=0)
    byte_count = models.BigIntegerField(default=0)
    waiting_count = models.BigIntegerField(default=0)
    parked_count = models.BigIntegerField(default=0)
    open_order_count = models.BigIntegerField(default=0)
    open_order_ids = ArrayField(models.BigIntegerField(), default=list)
    # Bodies of older versions may be missing from it until all are moved.
    is_moving = models.BooleanField(default=False)
    checked_at = models.DateTimeField()
    removable_since = models.DateTimeField(null=True)
    removed_at = models.DateTimeField(null=True)
    # The policy that removed it.
    retention_days = models.IntegerField(null=True)

    def __str__(self) -> str:
        return f"{self.starts_at:%Y-%m}"

    @property
    def is_needed(self) -> bool:
        """Whether messages or orders still need the bodies, or some are not moved there yet."""
        counts = (self.waiting_count, self.parked_count, self.open_order_count)
        return self.is_moving or any(counts)

    @property
    def removal_due_at(self) -> datetime | None:
        """When the daily job removes it, if nothing needs it until then."""
        return self.removable_since + NOTICE if self.removable_since else None


def removed_bodies_of(received_at: datetime) -> MessageBodyPartition | None:
    """The removal of the bodies received at this time; None if they are stored."""
    return MessageBodyPartition.objects.filter(
        removed_at__isnull=False, starts_at__lte=received_at, ends_at__gt=received_at
    ).first()
