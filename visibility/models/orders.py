"""State derived from the events of an order: rebuilt, never patched."""

from datetime import UTC, datetime, timedelta
from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import Case, Q, Value, When
from django.db.models.functions import Coalesce, Now

from visibility.models import choices
from visibility.models.objects_and_identifiers import BusinessObject

# An order with more events has a cooldown between two folds, at most this long.
COOLDOWN_MIN_EVENTS = 1_000
MAX_COOLDOWN = timedelta(minutes=1)


NEVER = datetime(9999, 12, 31, tzinfo=UTC)
# The urgency of an order: whether nothing is left to deliver, and the promise; without one, last.
# The index `order_urgency` has the same expressions, and PostgreSQL compares them by their text.
URGENCY: dict[str, Case | Coalesce] = {
    "settled": Case(
        When(is_open=True, delivered_at__isnull=True, then=Value(0)),
        default=Value(1),
        output_field=models.IntegerField(),
    ),
    "promise_or_never": Coalesce("promised_at", Value(NEVER, output_field=models.DateTimeField())),
}


class Order(models.Model):
    """The folded state of one order, as lists and searches need it."""

    object = models.OneToOneField(BusinessObject, on_delete=models.PROTECT, primary_key=True)
    key = models.TextField()
    number = models.CharField(max_length=200)
    customer_po = models.CharField(max_length=200, default="")
    customer_no = models.CharField(max_length=100, default="")
    customer_name = models.CharField(max_length=250, default="")
    customer_group = models.CharField(max_length=100, default="")
    channel = models.CharField(max_length=60, default="")
    warehouse = models.CharField(max_length=100, default="")
    carrier = models.CharField(max_length=100, default="")
    currency = models.CharField(max_length=8, default="")
    total = models.DecimalField(max_digits=24, decimal_places=4, null=True)
    status = models.CharField(max_length=24, choices=choices.order_statuses)
    status_since = models.DateTimeField(null=True)
    # Every state that applies to the order: values of `OrderState`.
    states = ArrayField(models.CharField(max_length=24), default=list)
    conflict_count = models.IntegerField(default=0)
    answer = models.TextField(default="")
    next_step = models.TextField(default="")
    is_open = models.BooleanField(default=True)
    line_count = models.IntegerField(default=0)
    lines_shipped = models.IntegerField(default=0)
    ordered_at = models.DateTimeField(null=True)
    requested_at = models.DateTimeField(null=True)
    promised_at = models.DateTimeField(null=True)
    first_promised_at = models.DateTimeField(null=True)
    released_at = models.DateTimeField(null=True)
    shipped_at = models.DateTimeField(null=True)
    delivered_at = models.DateTimeField(null=True)
    last_event_at = models.DateTimeField(null=True)
    last_source = models.CharField(max_length=60, default="")
    event_count = models.IntegerField(default=0)
    folded_at = models.DateTimeField(db_default=Now())
    # End of the promised time while goods are still due; the order is refolded at this time.
    promise_ends_at = models.DateTimeField(null=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["-last_event_at", "-object"], name="order_last_event"),
            models.Index(fields=["status", "-last_event_at"], name="order_status"),
            models.Index(
                fields=["status", "status_since"], condition=Q(is_open=True), name="order_open"
            ),
            models.Index(fields=["-ordered_at"], name="order_ordered"),
            GinIndex(fields=["states"], name="order_states"),
            models.Index(fields=["customer_name"], name="order_customer"),
            models.Index(
                fields=["ordered_at"],
                include=["channel", "warehouse", "customer_group"],
                condition=Q(is_open=True, delivered_at__isnull=True, ordered_at__isnull=False),
                name="order_undelivered",
            ),
            models.Index(*URGENCY.values(), "object", name="order_urgency"),
            models.Index(
                fields=["promise_ends_at"],
                condition=Q(promise_ends_at__isnull=False),
                name="order_promise_ends",
            ),
            # The sort orders of the list, in both directions; others have an index above.
            models.Index(fields=["promised_at", "object"], name="order_sort_promised"),
            models.Index(fields=["total", "object"], name="order_sort_total"),
            models.Index(fields=["number", "object"], name="order_sort_number"),
        ]

    def __str__(self) -> str:
        return self.number


class OrderLine(models.Model):
    """One order line and its quantities, in the unit of the line."""

    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="lines")
    key = models.CharField(max_length=300)
    position = models.IntegerField()
    sku = models.CharField(max_length=250, default="")
    description = models.TextField(default="")
    unit = models.CharField(max_length=20, default="")
    state = models.CharField(max_length=24, choices=choices.line_states, default="unknown")
    flags = ArrayField(models.CharField(max_length=24), default=list)
    price = models.DecimalField(max_digits=24, decimal_places=4, null=True)
    ordered = models.DecimalField(max_digits=32, decimal_places=6, null=True)
    allocated = models.DecimalField(max_digits=32, decimal_places=6, null=True)
    backordered = models.DecimalField(max_digits=32, decimal_places=6, null=True)
    picked = models.DecimalField(max_digits=32, decimal_places=6, null=True)
    packed = models.DecimalField(max_digits=32, decimal_places=6, null=True)
    shipped = models.DecimalField(max_digits=32, decimal_places=6, null=True)
    delivered = models.DecimalField(max_digits=32, decimal_places=6, null=True)
    invoiced = models.DecimalField(max_digits=32, decimal_places=6, null=True)
    returned = models.DecimalField(max_digits=32, decimal_places=6, null=True)
    credited = models.DecimalField(max_digits=32, decimal_places=6, null=True)
    cancelled = models.DecimalField(max_digits=32, decimal_places=6, null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["order", "key"], name="order_line_unique")
        ]


class Shipment(models.Model):
    """One shipment of an order, merged from all systems that reported it."""

    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="shipments")
    key = models.TextField()
    carrier = models.CharField(max_length=100, default="")
    tracking = ArrayField(models.CharField(max_length=200), default=list)
    status = models.CharField(max_length=40, default="")
    shipped_at = models.DateTimeField(null=True)
    first_scan_at = models.DateTimeField(null=True)
    last_scan_at = models.DateTimeField(null=True)
    delivered_at = models.DateTimeField(null=True)
    eta = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["order", "key"], name="shipment_unique")
        ]


class Milestone(models.Model):
    """One step of an order: when planned, first reached, completed, and for which share of it."""

    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="milestones")
    code = models.CharField(max_length=20, choices=choices.milestone_codes)
    planned_at = models.DateTimeField(null=True)
    reached_at = models.DateTimeField(null=True)
    completed_at = models.DateTimeField(null=True)
    share = models.DecimalField(max_digits=7, decimal_places=4, null=True)
    source = models.CharField(max_length=60, default="")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["order", "code"], name="milestone_unique")
        ]
        indexes: ClassVar = [models.Index(fields=["code", "reached_at"], name="milestone_reached")]
