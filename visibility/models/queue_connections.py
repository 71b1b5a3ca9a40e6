"""The connections of sources to the queues of message brokers."""

from typing import ClassVar

from django.db import models

from visibility.models.sources_and_messages import Source


class QueueConnection(models.Model):
    """The connection of a source that receives from a queue, and who may open it.

    One process consumes at a time: it claims a session with the next number, and renews `due_at`
    as long as it consumes. A session stores nothing once a later one has started.
    """

    source = models.OneToOneField(Source, on_delete=models.PROTECT, primary_key=True)
    # When another session may start. Null: the source has no queue.
    due_at = models.DateTimeField(null=True)
    session = models.BigIntegerField(default=0, db_default=0)
    # Since when the session is connected; null: it is not.
    connected_at = models.DateTimeField(null=True)
    # How often it has connected since the settings of the queue were changed.
    connection_count = models.IntegerField(default=0, db_default=0)
    last_message_at = models.DateTimeField(null=True)
    # How many messages wait at the broker, and when they were counted; null: it does not tell.
    waiting_count = models.BigIntegerField(null=True)
    counted_at = models.DateTimeField(null=True)
    # Why messages are left at the broker for now; empty: they are not.
    paused_reason = models.TextField(default="", db_default="", blank=True)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["due_at"], name="queue_connection_due")]
