"""What is recorded about sources: planned maintenance, fields of messages, requests of polls."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from visibility.models.sources_and_messages import Source


class SourceMaintenance(models.Model):
    """Planned maintenance of a source; it ends at `ends_at`, or earlier at `ended_at`."""

    source = models.ForeignKey(Source, on_delete=models.PROTECT, db_index=False)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    why = models.CharField(max_length=500)
    planned_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    planned_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    ended_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(ends_at__gt=models.F("starts_at")), name="source_maintenance_order"
            )
        ]
        indexes: ClassVar = [
            models.Index(fields=["source", "-ends_at"], name="source_maintenance_source")
        ]


class RequestCount(models.Model):
    """How many requests polls of a source sent in a minute. Stored for some days."""

    source = models.ForeignKey(Source, on_delete=models.PROTECT, db_index=False)
    minute = models.DateTimeField()
    count = models.IntegerField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["source", "minute"], name="request_count_unique")
        ]
        indexes: ClassVar = [models.Index(fields=["minute"], name="request_count_minute")]


class SourceField(models.Model):
    """A field that sampled messages of a source had: its path and type, never a value.

    `event_type`: the first type of events of these messages; empty if no event could be read.
    """

    source = models.ForeignKey(Source, on_delete=models.PROTECT, db_index=False)
    event_type = models.CharField(max_length=40, default="", blank=True)
    path = models.CharField(max_length=200)
    kind = models.CharField(max_length=10)
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    # Every message of this kind so far had it.
    is_always_present = models.BooleanField(default=False, db_default=False)
    # The first message with it; null if only the sample of each minute saw it.
    first_message_id = models.BigIntegerField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["source", "event_type", "path", "kind"], name="source_field_unique"
            )
        ]


class FieldChangeKind(models.TextChoices):
    """How a field of messages changed."""

    APPEARED = "appeared"
    RETYPED = "retyped"
    MISSING = "missing"


class SourceFieldChange(models.Model):
    """A change of the fields of a source's messages, and the first message that shows it.

    It is open until a person accepts it. `kind_before`: the types that the field had. `is_read`:
    whether the connector reads the field; None if that is not known, as in EDI.
    """

    source = models.ForeignKey(Source, on_delete=models.PROTECT, db_index=False)
    event_type = models.CharField(max_length=40, default="", blank=True)
    path = models.CharField(max_length=200)
    change = models.CharField(max_length=10, choices=FieldChangeKind)
    kind = models.CharField(max_length=10, default="", blank=True)
    kind_before = models.CharField(max_length=40, default="", blank=True)
    is_read = models.BooleanField(null=True)
    message_id = models.BigIntegerField()
    seen_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True)
    accepted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["source", "event_type", "path", "change", "kind"],
                name="source_field_change_unique",
            )
        ]


class SourceFieldSample(models.Model):
    """How many messages of a source were sampled for their fields, by type of events.

    `read_paths`: what the connector reads of these messages, also what they lack.
    """

    source = models.ForeignKey(Source, on_delete=models.PROTECT, db_index=False)
    event_type = models.CharField(max_length=40, default="", blank=True)
    first_sampled_at = models.DateTimeField()
    last_sampled_at = models.DateTimeField()
    message_count = models.BigIntegerField()
    read_paths = models.JSONField(default=list, db_default=models.Value([], models.JSONField()))

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["source", "event_type"], name="source_field_sample_unique"
            )
        ]


class SentVersion(models.Model):
    """A version that messages of a source named, such as that of the API of a vendor."""

    source = models.ForeignKey(Source, on_delete=models.PROTECT, db_index=False)
    name = models.CharField(max_length=40)
    version = models.CharField(max_length=80)
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    message_count = models.BigIntegerField()
    first_message_id = models.BigIntegerField()
    last_message_id = models.BigIntegerField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["source", "name", "version"], name="sent_version_unique"
            )
        ]


class OutgoingRequest(models.Model):
    """A request of the poller of a source. Only the newest ones of each source are stored.

    `address` has no value of a query parameter and no secret. `status` is null if no response came;
    `error` then says why. `retry_at`: when the system asked to be called next.
    """

    source = models.ForeignKey(Source, on_delete=models.PROTECT, db_index=False)
    sent_at = models.DateTimeField()
    method = models.CharField(max_length=10)
    address = models.CharField(max_length=500)
    status = models.IntegerField(null=True)
    milliseconds = models.IntegerField()
    error = models.CharField(max_length=300, default="")
    retry_at = models.DateTimeField(null=True)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["source", "-id"], name="outgoing_request_source")]
