"""The batches of sources with a schedule, and when they are expected."""

from typing import ClassVar

from django.db import models

from visibility.models.sources_and_messages import Source


class BatchSchedule(models.Model):
    """The settings of batches that are in effect for a source, and since when.

    Times before `expected_since` are not expected. Messages received since `read_since` are
    batches; those up to `read_until` are recorded.
    """

    source = models.OneToOneField(Source, on_delete=models.CASCADE, primary_key=True)
    settings = models.JSONField(default=dict)
    expected_since = models.DateTimeField()
    read_since = models.DateTimeField()
    read_until = models.DateTimeField()


class SourceBatch(models.Model):
    """The contents of one batch. `records` is null if it cannot be read; `problem` says why.

    `mismatch`: which declared count differs. `series`: what its number belongs to, such as the
    sender and receiver of interchanges. `file_state` identifies a file that is read twice because
    a process ended before it was moved.
    """

    source = models.ForeignKey(Source, on_delete=models.CASCADE, db_index=False)
    message_id = models.BigIntegerField(unique=True)
    received_at = models.DateTimeField()
    file_name = models.CharField(max_length=200, default="", blank=True)
    file_state = models.CharField(max_length=60, default="", blank=True)
    records = models.IntegerField(null=True)
    mismatch = models.CharField(max_length=400, default="", blank=True)
    series = models.CharField(max_length=120, default="", blank=True)
    number = models.CharField(max_length=60, default="", blank=True)
    problem = models.CharField(max_length=300, default="", blank=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["source", "-received_at", "-message_id"], name="source_batch")
        ]


class RepeatedBatch(models.Model):
    """A message of a source with a schedule that is equal to an earlier one, `message_id`."""

    source = models.ForeignKey(Source, on_delete=models.CASCADE, db_index=False)
    message_id = models.BigIntegerField()
    received_at = models.DateTimeField()
    file_name = models.CharField(max_length=200, default="", blank=True)
    file_state = models.CharField(max_length=60, default="", blank=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["source", "-received_at"], name="repeated_batch_source")
        ]
