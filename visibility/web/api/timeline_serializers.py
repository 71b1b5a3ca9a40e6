"""The shapes of what happened to an order: its timeline."""

from collections.abc import Collection
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from connectors.sdk.connector import Role
from connectors.sdk.events import (
    Attribute,
    EventType,
    Flag,
    Line,
    ObjectKind,
    iso,
    plain,
)
from visibility.timeline.enums import State
from visibility.timeline.model import Entry, Status, Timeline
from visibility.web.api.order_serializers import (
    ConflictShape,
    IdentifierShape,
    MilestoneShape,
    PromiseShape,
    Quantities,
)
from visibility.web.api.pagination import paged
from visibility.web.api.serializers import Moment, Money, Shape, Word
from visibility.web.permissions import Right

ATTRIBUTES: dict[str, Any] = {
    "type": "object",
    "propertyNames": {"enum": [name.value for name in Attribute]},
    "additionalProperties": {"type": "string"},
}
# What an event says that not everybody may read; free text may name a person.
GUARDED = {
    Attribute.TOTAL: Right.PRICES,
    Attribute.CUSTOMER_NAME: Right.CONTACTS,
    Attribute.DETAIL: Right.CONTACTS,
}


@extend_schema_field(ATTRIBUTES)
class Attributes(serializers.DictField):
    """Facts beside the event."""


class ObjectShape(Shape):
    """An object that an event names."""

    kind = Word(ObjectKind)
    identifiers = IdentifierShape(many=True)


class EventLineShape(Shape):
    """What an event says of one line, in the words of its source."""

    line_id = serializers.CharField()
    sku = serializers.CharField()
    unit = serializers.CharField()
    price = Money("price", required=False, allow_null=True)
    quantities = Quantities()


class EventShape(Shape):
    """One line of the timeline."""

    event_id = serializers.IntegerField()
    message_id = serializers.CharField()
    type = Word(EventType)
    raw_type = serializers.CharField()
    source = serializers.CharField()  # type: ignore[assignment]  # not DRF's `source`
    role = Word(Role)
    occurred_at = Moment()
    received_at = Moment()
    superseded = serializers.BooleanField(help_text="Taken back or replaced by a later telling.")
    repeats = serializers.IntegerField(help_text="How often the same was said again.")
    part = serializers.CharField()
    flags = serializers.ListField(child=Word(Flag))
    attributes = Attributes()
    objects = ObjectShape(many=True)
    lines = EventLineShape(many=True)

    @staticmethod
    def of(entry: Entry, timeline: Timeline, rights: Collection[Right]) -> dict[str, Any]:
        """The entry as plain values, without what the rights do not cover."""
        spoken, event = entry.spoken, entry.spoken.event
        currency = event.attributes.get(Attribute.CURRENCY) or timeline.attributes.get(
            Attribute.CURRENCY, ""
        )
        return {
            "event_id": spoken.event_id,
            "message_id": str(spoken.message_id),
            "type": event.type.value,
            "raw_type": event.raw_type,
            "source": spoken.source,
            "role": spoken.role.value,
            "occurred_at": iso(spoken.occurred_at),
            "received_at": iso(spoken.received_at),
            "superseded": entry.superseded,
            "repeats": entry.repeats,
            "part": event.part,
            "flags": sorted(flag.value for flag in spoken.flags),
            "attributes": {
                name.value: text
                for name, text in sorted(event.attributes.items())
                if name not in GUARDED or GUARDED[name] in rights
            },
            "objects": [
                {
                    "kind": ref.kind.value,
                    "identifiers": [
                        {
                            "kind": ref.kind.value,
                            "scheme": i.scheme.value,
                            "issuer": i.issuer,
                            "value": i.value,
                        }
                        for i in ref.identifiers
                    ],
                }
                for ref in event.objects
            ],
            "lines": [_line(line, currency, rights) for line in event.lines],
        }


def _line(line: Line, currency: str, rights: Collection[Right]) -> dict[str, Any]:
    price = None
    if line.price is not None:
        price = {"amount": plain(line.price), "currency": currency}
    return {
        "line_id": line.line_id,
        "sku": line.sku,
        "unit": line.unit,
        **({"price": price} if Right.PRICES in rights else {}),
        "quantities": {m.value: plain(q) for m, q in sorted(line.quantities.items())},
    }


class TimelineShape(Shape):
    """The timeline of an order, as it was known at a moment."""

    order = serializers.IntegerField()
    number = serializers.CharField()
    as_known_at = Moment()
    status = Word(Status)
    status_since = Moment(allow_null=True)
    answer = serializers.CharField()
    awaited = serializers.CharField()
    awaited_since = Moment(allow_null=True)
    awaited_due = Moment(allow_null=True)
    answer_for_customer = serializers.CharField(help_text="Without our own words and prices.")
    states = serializers.ListField(child=Word(State))
    conflicts = ConflictShape(many=True)
    promises = PromiseShape(many=True)
    milestones = MilestoneShape(many=True)
    entries = paged("TimelineEntries", EventShape(many=True))
