"""Canonical events read from messages, and the objects they name."""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from django.db import models
from django.db.models.functions import Now

from connectors.sdk.events import CanonicalEvent
from visibility.models import choices
from visibility.models.objects_and_identifiers import BusinessObject
from visibility.models.sources_and_messages import Source


@dataclass(frozen=True, slots=True)
class EventToStore:
    """An event about to be stored; `text` is its JSON. `reader`: the connector and its version."""

    message_id: int
    source_id: int
    event: CanonicalEvent
    occurred_at: datetime
    received_at: datetime
    content_hash: str
    text: str
    reader: str = ""


class EventReader(models.Model):
    """A version of a connector that read messages, such as `shopify 0.2.0` or `north_3pl 4`."""

    # Events have its id: four bytes each.
    id = models.AutoField(primary_key=True)
    name = models.CharField(max_length=80, unique=True)


class Event(models.Model):
    """One canonical event. Partitioned by `occurred_at`; `(source, key, content_hash, occurred_at)`
    is unique. `superseded`: another version of its message counts instead. `reader`: the version of
    the connector that first read the event as it is.
    """

    id = models.BigIntegerField(primary_key=True)
    source = models.ForeignKey(Source, on_delete=models.PROTECT, db_index=False)
    key = models.TextField()
    content_hash = models.CharField(max_length=64)
    type = models.CharField(max_length=40, choices=choices.event_types)
    occurred_at = models.DateTimeField()
    received_at = models.DateTimeField()
    recorded_at = models.DateTimeField(db_default=Now())
    message_id = models.BigIntegerField()
    data = models.JSONField()
    superseded = models.BooleanField(default=False)
    # Null: stored by a release that did not record it.
    reader = models.ForeignKey(
        EventReader, null=True, on_delete=models.PROTECT, db_index=False, db_constraint=False
    )

    class Meta:
        managed = False
        db_table = "visibility_event"


class EventObjectLink(models.Model):
    """Links an event to an object (OCEL: E2O). `ref` is the index of the reference in the event."""

    object = models.ForeignKey(BusinessObject, on_delete=models.PROTECT, db_index=False)
    event_id = models.BigIntegerField()
    occurred_at = models.DateTimeField()
    ref = models.SmallIntegerField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["object", "event_id", "ref"], name="event_object_link_unique"
            )
        ]
        indexes: ClassVar = [models.Index(fields=["event_id"], name="event_object_link_event")]


class EventCorrection(models.Model):
    """`event_id` withdraws the events of its source with this key (`CanonicalEvent.corrects`).

    `correcting_key` is its own key. The database view `visibility_effective_event_correction`
    leaves out corrections that a newer version replaced.
    """

    # No constraint, as in Event: each insert would lock the row of the source.
    source = models.ForeignKey(
        Source, on_delete=models.PROTECT, db_index=False, db_constraint=False
    )
    key = models.TextField()
    correcting_key = models.TextField()
    event_id = models.BigIntegerField()
    occurred_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["source", "key", "event_id"], name="event_correction_unique"
            )
        ]
        indexes: ClassVar = [
            models.Index(fields=["source", "correcting_key"], name="event_correction_correcting")
        ]
