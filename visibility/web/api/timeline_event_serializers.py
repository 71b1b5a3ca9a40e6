"""Serializers of the timeline of an order."""

from collections.abc import Collection
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from connectors.sdk.connector import SourceRole
from connectors.sdk.event_codec import format_decimal, format_rfc3339
from connectors.sdk.events import Attribute, EventLine, EventType, Flag, ObjectKind
from visibility.timeline.model import Status, Timeline, TimelineEntry
from visibility.timeline.state_and_flag_enums import OrderState
from visibility.web.api.common_serializers import (
    EnumField,
    MoneyField,
    PermissionFilteredSerializer,
    Rfc3339Field,
)
from visibility.web.api.order_serializers import (
    ConflictSerializer,
    IdentifierSerializer,
    MilestoneSerializer,
    PromiseSerializer,
    QuantitiesField,
)
from visibility.web.api.pagination import page_serializer
from visibility.web.permissions import Permission

ATTRIBUTES_SCHEMA: dict[str, Any] = {
    "type": "object",
    "propertyNames": {"enum": [name.value for name in Attribute]},
    "additionalProperties": {"type": "string"},
}
# Attributes that need a permission. The free text `detail` may contain personal data.
RESTRICTED_ATTRIBUTES = {
    Attribute.TOTAL: Permission.PRICES,
    Attribute.CUSTOMER_NAME: Permission.CONTACTS,
    Attribute.DETAIL: Permission.CONTACTS,
}


@extend_schema_field(ATTRIBUTES_SCHEMA)
class EventAttributesDictField(serializers.DictField):
    """Attributes of an event by name."""


class TimelineObjectSerializer(PermissionFilteredSerializer):
    """A business object that an event refers to."""

    kind = EnumField(ObjectKind)
    identifiers = IdentifierSerializer(many=True)


class TimelineLineSerializer(PermissionFilteredSerializer):
    """An order line of an event, as reported by the source."""

    line_id = serializers.CharField()
    sku = serializers.CharField()
    unit = serializers.CharField()
    price = MoneyField("price", required=False, allow_null=True)
    quantities = QuantitiesField()


class TimelineEventSerializer(PermissionFilteredSerializer):
    """An event of the timeline."""

    event_id = serializers.IntegerField()
    message_id = serializers.CharField()
    type = EnumField(EventType)
    raw_type = serializers.CharField()
    source = serializers.CharField()  # type: ignore[assignment]  # not DRF's `source`
    role = EnumField(SourceRole)
    occurred_at = Rfc3339Field()
    received_at = Rfc3339Field()
    superseded = serializers.BooleanField(help_text="Corrected or replaced by a later event.")
    repeats = serializers.IntegerField(help_text="How often the source repeated this event.")
    scope = serializers.CharField(
        help_text="What the line quantities refer to, such as one shipment; empty for the order."
    )
    flags = serializers.ListField(child=EnumField(Flag))
    attributes = EventAttributesDictField()
    objects = TimelineObjectSerializer(many=True)
    lines = TimelineLineSerializer(many=True)

    @staticmethod
    def serialize_entry(
        entry: TimelineEntry, timeline: Timeline, permissions: Collection[Permission]
    ) -> dict[str, Any]:
        """Serialize a timeline entry without the values that need a missing permission."""
        recorded, event = entry.recorded, entry.recorded.event
        currency = event.attributes.get(Attribute.CURRENCY) or timeline.attributes.get(
            Attribute.CURRENCY, ""
        )
        return {
            "event_id": recorded.event_id,
            "message_id": str(recorded.message_id),
            "type": event.type.value,
            "raw_type": event.raw_type,
            "source": recorded.source,
            "role": recorded.role.value,
            "occurred_at": format_rfc3339(recorded.occurred_at),
            "received_at": format_rfc3339(recorded.received_at),
            "superseded": entry.superseded,
            "repeats": entry.repeats,
            "scope": event.scope,
            "flags": sorted(flag.value for flag in recorded.flags_with_future_if_after_receipt),
            "attributes": {
                name.value: text
                for name, text in sorted(event.attributes.items())
                if name not in RESTRICTED_ATTRIBUTES or RESTRICTED_ATTRIBUTES[name] in permissions
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
            "lines": [_serialize_event_line(line, currency, permissions) for line in event.lines],
        }


def _serialize_event_line(
    line: EventLine, currency: str, permissions: Collection[Permission]
) -> dict[str, Any]:
    price = None
    if line.price is not None:
        price = {"amount": format_decimal(line.price), "currency": currency}
    return {
        "line_id": line.line_id,
        "sku": line.sku,
        "unit": line.unit,
        **({"price": price} if Permission.PRICES in permissions else {}),
        "quantities": {m.value: format_decimal(q) for m, q in sorted(line.quantities.items())},
    }


class TimelineSerializer(PermissionFilteredSerializer):
    """The timeline of an order as known at a point in time."""

    order = serializers.IntegerField()
    number = serializers.CharField()
    as_known_at = Rfc3339Field()
    status = EnumField(Status)
    status_since = Rfc3339Field(allow_null=True)
    status_answer = serializers.CharField()
    next_step = serializers.CharField()
    waiting_since = Rfc3339Field(allow_null=True)
    next_step_due_at = Rfc3339Field(allow_null=True)
    customer_answer = serializers.CharField(
        help_text="The status in a sentence that can be sent to the customer."
    )
    states = serializers.ListField(child=EnumField(OrderState))
    conflicts = ConflictSerializer(many=True)
    promises = PromiseSerializer(many=True)
    milestones = MilestoneSerializer(many=True)
    entries = page_serializer("TimelineEntries", TimelineEventSerializer(many=True))
