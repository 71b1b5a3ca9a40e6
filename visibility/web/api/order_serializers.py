"""The shapes of the answers about orders."""

from collections.abc import Collection, Mapping
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from connectors.sdk.connector import Role
from connectors.sdk.events import (
    Measure,
    ObjectKind,
    Scheme,
    plain,
)
from visibility.timeline.enums import Field, LineFlag, LineState, State
from visibility.timeline.model import MilestoneCode, Status, Timeline
from visibility.web.api.pagination import paged
from visibility.web.api.serializers import (
    EXACT,
    Exact,
    Moment,
    Money,
    Shape,
    Word,
    write_all,
)
from visibility.web.permissions import Right

QUANTITIES = {
    "type": "object",
    "properties": {measure.value: EXACT for measure in Measure},
    "description": "By measure; what nobody told of is absent.",
}


@extend_schema_field(QUANTITIES)
class Quantities(serializers.Field[Any, Any, Any, Any]):
    """Quantities by measure, of a mapping or of an order line's columns."""

    def to_representation(self, value: Any) -> dict[str, str]:
        """Those that somebody told of."""
        if not isinstance(value, Mapping):
            value = {measure: getattr(value, measure.value) for measure in Measure}
        return {
            measure.value: plain(quantity)
            for measure, quantity in value.items()
            if quantity is not None
        }


class OrderShape(Shape):
    """An order in a list."""

    hidden = {"total": Right.PRICES, "customer_name": Right.CONTACTS}

    id = serializers.IntegerField(source="object_id")
    number = serializers.CharField()
    customer_po = serializers.CharField()
    customer_no = serializers.CharField()
    customer_name = serializers.CharField(required=False, help_text="With the right to contacts.")
    customer_group = serializers.CharField()
    channel = serializers.CharField()
    warehouse = serializers.CharField()
    carrier = serializers.CharField()
    status = Word(Status)
    status_since = Moment(allow_null=True)
    states = serializers.ListField(child=Word(State), help_text="Everything it may be called.")
    conflict_count = serializers.IntegerField(help_text="Claims that contradict each other.")
    answer = serializers.CharField(help_text="Where it stands, in a sentence.")
    awaited = serializers.CharField(help_text="What comes next, and from whom.")
    is_open = serializers.BooleanField()
    total = Money("total", required=False, allow_null=True, help_text="With the right to prices.")
    line_count = serializers.IntegerField()
    lines_shipped = serializers.IntegerField()
    ordered_at = Moment(allow_null=True)
    requested_at = Moment(allow_null=True)
    promised_at = Moment(allow_null=True)
    first_promised_at = Moment(allow_null=True)
    released_at = Moment(allow_null=True)
    shipped_at = Moment(allow_null=True)
    delivered_at = Moment(allow_null=True)
    last_event_at = Moment(allow_null=True)
    last_source = serializers.CharField()
    event_count = serializers.IntegerField()


class LineShape(Shape):
    """An order line with the quantities that count."""

    hidden = {"price": Right.PRICES}

    position = serializers.IntegerField()
    key = serializers.CharField()
    sku = serializers.CharField()
    description = serializers.CharField()
    unit = serializers.CharField()
    state = Word(LineState)
    flags = serializers.ListField(child=Word(LineFlag))
    price = Money("price", "currency", required=False, allow_null=True)
    quantities = Quantities(source="*")


class ShipmentShape(Shape):
    """A shipment of the order."""

    key = serializers.CharField()
    carrier = serializers.CharField()
    tracking = serializers.ListField(child=serializers.CharField())
    status = serializers.CharField()
    shipped_at = Moment(allow_null=True)
    first_scan_at = Moment(allow_null=True)
    last_scan_at = Moment(allow_null=True)
    delivered_at = Moment(allow_null=True)
    eta = Moment(allow_null=True)


class MilestoneShape(Shape):
    """A step: planned, first reached, completed, and the share of the quantity (0..1)."""

    code = Word(MilestoneCode)
    planned_at = Moment(allow_null=True)
    reached_at = Moment(allow_null=True)
    completed_at = Moment(allow_null=True)
    share = Exact(allow_null=True)
    source = serializers.CharField()  # type: ignore[assignment]  # not DRF's `source`


class ClaimShape(Shape):
    """What one system says of the whole order."""

    source = serializers.CharField()  # type: ignore[assignment]  # not DRF's `source`
    role = serializers.CharField()
    word = serializers.CharField()
    at = Moment()
    stands = serializers.CharField(help_text="`open`, `shipped`, `cancelled`, or empty.")
    promised = serializers.CharField(help_text="The date it promises, as it wrote it.")
    quantities = Quantities()
    last_received_at = Moment()


class ContenderShape(Shape):
    """One side of a conflict."""

    source = serializers.CharField()  # type: ignore[assignment]  # not DRF's `source`
    role = Word(Role)
    value = serializers.CharField()
    at = Moment()
    authoritative = serializers.BooleanField()


class ConflictShape(Shape):
    """Systems that contradict each other about a field for longer than a word may take."""

    hidden = {"money": Right.PRICES}

    field = Word(Field)
    line = serializers.CharField(source="line_key", help_text="Empty for the whole order.")
    since = Moment(help_text="When they began to differ.")
    opened_at = Moment()
    money = Money("money", required=False, allow_null=True, help_text="With the right to prices.")
    owner = serializers.CharField(help_text="The team that settles it.")
    claims = ContenderShape(many=True)

    @staticmethod
    def seen(timeline: Timeline, rights: Collection[Right]) -> list[Any]:
        """The conflicts of an order; those about prices for those who may see them."""
        found = [
            conflict
            for conflict in timeline.conflicts
            if conflict.field is not Field.PRICE or Right.PRICES in rights
        ]
        return write_all(ConflictShape, found, rights=rights)


class PromiseShape(Shape):
    """One word about when the goods are to arrive."""

    kind = serializers.ChoiceField(choices=["requested", "first", "moved"])
    source = serializers.CharField()  # type: ignore[assignment]  # not DRF's `source`
    role = Word(Role)
    said_at = Moment()
    date = Moment()
    old = Moment(allow_null=True)
    reason = serializers.CharField()


class IdentifierShape(Shape):
    """A number of the order, or of something that belongs to it."""

    kind = Word(ObjectKind)
    scheme = Word(Scheme)
    issuer = serializers.CharField()
    value = serializers.CharField()


class OneOrderShape(OrderShape):
    """One order in full."""

    lines = paged("OrderLines", LineShape(many=True))
    claims = ClaimShape(many=True)
    conflicts = ConflictShape(many=True)
    promises = PromiseShape(many=True)
    shipments = ShipmentShape(many=True)
    identifiers = IdentifierShape(many=True)
    milestones = MilestoneShape(many=True)
