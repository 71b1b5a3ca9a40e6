"""Serializers of orders and their lines, claims, conflicts, promises and shipments."""

from collections.abc import Collection, Mapping
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from connectors.sdk.connector import SourceRole
from connectors.sdk.event_codec import format_decimal
from connectors.sdk.events import IdentifierScheme, Measure, ObjectKind
from visibility.timeline.model import MilestoneCode, Status, Timeline
from visibility.timeline.state_and_flag_enums import ComparedField, LineFlag, LineState, OrderState
from visibility.web.api.common_serializers import (
    DECIMAL_SCHEMA,
    DecimalTextField,
    EnumField,
    MoneyField,
    PermissionFilteredSerializer,
    Rfc3339Field,
    serialize_all,
)
from visibility.web.api.pagination import page_serializer
from visibility.web.permissions import Permission

QUANTITIES_SCHEMA = {
    "type": "object",
    "properties": {measure.value: DECIMAL_SCHEMA for measure in Measure},
    "description": "Quantities by measure; unreported measures are absent.",
}


@extend_schema_field(QUANTITIES_SCHEMA)
class QuantitiesField(serializers.Field[Any, Any, Any, Any]):
    """Quantities by measure, from a mapping or from the columns of an order line."""

    def to_representation(self, value: Any) -> dict[str, str]:
        """The reported quantities."""
        if not isinstance(value, Mapping):
            value = {measure: getattr(value, measure.value) for measure in Measure}
        return {
            measure.value: format_decimal(quantity)
            for measure, quantity in value.items()
            if quantity is not None
        }


class OrderSerializer(PermissionFilteredSerializer):
    """An order in a list."""

    restricted_fields = {"total": Permission.PRICES, "customer_name": Permission.CONTACTS}

    id = serializers.IntegerField(source="object_id")
    number = serializers.CharField()
    customer_po = serializers.CharField()
    customer_no = serializers.CharField()
    customer_name = serializers.CharField(
        required=False, help_text="Only with permission to see contacts."
    )
    customer_group = serializers.CharField()
    channel = serializers.CharField()
    warehouse = serializers.CharField()
    carrier = serializers.CharField()
    status = EnumField(Status)
    status_since = Rfc3339Field(allow_null=True)
    states = serializers.ListField(
        child=EnumField(OrderState), help_text="All states that apply, such as `conflict`."
    )
    conflict_count = serializers.IntegerField(
        help_text="Number of open discrepancies between sources."
    )
    status_answer = serializers.CharField(
        source="answer", help_text="The status of the order in a sentence."
    )
    next_step = serializers.CharField(
        help_text="The next expected step and who is expected to report it."
    )
    is_open = serializers.BooleanField()
    total = MoneyField(
        "total", required=False, allow_null=True, help_text="Only with permission to see prices."
    )
    line_count = serializers.IntegerField()
    lines_shipped = serializers.IntegerField()
    ordered_at = Rfc3339Field(allow_null=True)
    requested_at = Rfc3339Field(allow_null=True)
    promised_at = Rfc3339Field(allow_null=True)
    first_promised_at = Rfc3339Field(allow_null=True)
    released_at = Rfc3339Field(allow_null=True)
    shipped_at = Rfc3339Field(allow_null=True)
    delivered_at = Rfc3339Field(allow_null=True)
    last_event_at = Rfc3339Field(allow_null=True)
    last_source = serializers.CharField()
    event_count = serializers.IntegerField()


class OrderLineSerializer(PermissionFilteredSerializer):
    """An order line with its reconciled quantities."""

    restricted_fields = {"price": Permission.PRICES}

    position = serializers.IntegerField()
    key = serializers.CharField()
    sku = serializers.CharField()
    description = serializers.CharField()
    unit = serializers.CharField()
    state = EnumField(LineState)
    flags = serializers.ListField(child=EnumField(LineFlag))
    price = MoneyField("price", "currency", required=False, allow_null=True)
    quantities = QuantitiesField(source="*")


class ShipmentSerializer(PermissionFilteredSerializer):
    """A shipment of the order."""

    key = serializers.CharField()
    carrier = serializers.CharField()
    tracking = serializers.ListField(child=serializers.CharField())
    status = serializers.CharField()
    shipped_at = Rfc3339Field(allow_null=True)
    first_scan_at = Rfc3339Field(allow_null=True)
    last_scan_at = Rfc3339Field(allow_null=True)
    delivered_at = Rfc3339Field(allow_null=True)
    eta = Rfc3339Field(allow_null=True)


class MilestoneSerializer(PermissionFilteredSerializer):
    """A milestone: planned, first reached, completed, and the completed share from 0 to 1."""

    code = EnumField(MilestoneCode)
    planned_at = Rfc3339Field(allow_null=True)
    reached_at = Rfc3339Field(allow_null=True)
    completed_at = Rfc3339Field(allow_null=True)
    share = DecimalTextField(allow_null=True)
    source = serializers.CharField()  # type: ignore[assignment]  # not DRF's `source`


class ClaimSerializer(PermissionFilteredSerializer):
    """What one source reports about the whole order."""

    source = serializers.CharField()  # type: ignore[assignment]  # not DRF's `source`
    role = serializers.CharField()
    status_text = serializers.CharField()
    at = Rfc3339Field()
    order_state = serializers.CharField(help_text="`open`, `shipped`, `cancelled`, or empty.")
    promised = serializers.CharField(help_text="The promised date as the source wrote it.")
    quantities = QuantitiesField()
    last_received_at = Rfc3339Field()


class ConflictClaimSerializer(PermissionFilteredSerializer):
    """One source's value in a conflict."""

    source = serializers.CharField()  # type: ignore[assignment]  # not DRF's `source`
    role = EnumField(SourceRole)
    value = serializers.CharField()
    at = Rfc3339Field()
    authoritative = serializers.BooleanField()


class ConflictSerializer(PermissionFilteredSerializer):
    """Sources that disagree about a field for longer than the allowed delay."""

    restricted_fields = {"money_at_risk": Permission.PRICES}

    field = EnumField(ComparedField)
    line = serializers.CharField(source="line_key", help_text="Empty for the whole order.")
    since = Rfc3339Field(help_text="When the values began to differ.")
    opened_at = Rfc3339Field()
    money_at_risk = MoneyField(
        "money", required=False, allow_null=True, help_text="Only with permission to see prices."
    )
    owner = serializers.CharField(help_text="The team that resolves the conflict.")
    claims = ConflictClaimSerializer(many=True)

    @staticmethod
    def serialize_visible_conflicts(
        timeline: Timeline, permissions: Collection[Permission]
    ) -> list[Any]:
        """The visible conflicts of an order: price conflicts need permission to see prices."""
        conflicts = [
            conflict
            for conflict in timeline.conflicts
            if conflict.field is not ComparedField.PRICE or Permission.PRICES in permissions
        ]
        return serialize_all(ConflictSerializer, conflicts, permissions=permissions)


class PromiseSerializer(PermissionFilteredSerializer):
    """A requested or promised delivery date, or a ship-by date, as reported by a source."""

    kind = serializers.ChoiceField(choices=["requested", "first", "moved", "ship_by"])
    source = serializers.CharField()  # type: ignore[assignment]  # not DRF's `source`
    role = EnumField(SourceRole)
    reported_at = Rfc3339Field()
    date = Rfc3339Field()
    previous_date = Rfc3339Field(source="old", allow_null=True)
    reason = serializers.CharField()
    line = serializers.CharField(
        source="line_key", help_text="The line that has the date, empty for a date of the order."
    )


class IdentifierSerializer(PermissionFilteredSerializer):
    """An identifier of the order or of one of its shipments, packages, invoices or returns."""

    kind = EnumField(ObjectKind)
    scheme = EnumField(IdentifierScheme)
    issuer = serializers.CharField()
    value = serializers.CharField()


class OrderDetailSerializer(OrderSerializer):
    """An order with all its details."""

    lines = page_serializer("OrderLines", OrderLineSerializer(many=True))
    claims = ClaimSerializer(many=True)
    conflicts = ConflictSerializer(many=True)
    promises = PromiseSerializer(many=True)
    shipments = ShipmentSerializer(many=True)
    identifiers = IdentifierSerializer(many=True)
    milestones = MilestoneSerializer(many=True)
