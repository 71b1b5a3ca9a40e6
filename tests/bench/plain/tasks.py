"""One task per event: look up the order, write the milestone, write the status."""

from celery import shared_task
from django.db import transaction

from tests.bench.plain.models import Event, Identifier, Milestone, Order

# In the usual order of events: the last one reached is the status.
CODES = {
    "order.received": "received",
    "order.released": "released",
    "line.allocated": "allocated",
    "shipment.confirmed": "shipped",
    "shipment.delivered": "delivered",
    "invoice.issued": "invoiced",
}
RANK = {code: rank for rank, code in enumerate(CODES.values())}


class UnknownOrder(RuntimeError):
    """The order of this package is not known yet; the task is retried later."""


@shared_task(name="plain.process", autoretry_for=(UnknownOrder,), retry_backoff=1, max_retries=10)
def process(event_id: int) -> None:
    """Process one event."""
    with transaction.atomic():
        event = Event.objects.get(pk=event_id)
        if event.processed:
            return
        order = find_or_create_order(event)
        code = CODES[event.type]
        Milestone.objects.update_or_create(
            order=order, code=code, defaults={"reached_at": event.occurred_at}
        )
        reached = Milestone.objects.filter(order=order).values_list("code", flat=True)
        order.status = max(reached, key=lambda milestone: RANK[milestone])
        order.save(update_fields=["status", "updated_at"])
        event.processed = True
        event.save(update_fields=["processed"])


def find_or_create_order(event: Event) -> Order:
    """Find the order by any identifier of the event, or create it; store all identifiers."""
    data = event.payload["data"]
    numbers = [
        (scheme, value)
        for scheme, value in (
            ("order", data.get("order", {}).get("number")),
            ("shipment", data.get("shipment", {}).get("number")),
            ("tracking", data.get("tracking")),
            ("invoice", data.get("invoice", {}).get("number")),
        )
        if value
    ]
    order = None
    for scheme, value in numbers:
        order = (
            Order.objects.select_for_update(of=("self",))
            .filter(identifier__scheme=scheme, identifier__value=value)
            .first()
        )
        if order:
            break
    if order is None:
        if "order" not in data:
            raise UnknownOrder(numbers)
        order = _create_order(data)
    for scheme, value in numbers:
        Identifier.objects.get_or_create(scheme=scheme, value=value, defaults={"order": order})
    return order


def _create_order(data: dict[str, dict[str, str]]) -> Order:
    fields, attributes = data["order"], data.get("attributes", {})
    return Order.objects.create(
        number=fields["number"],
        customer=fields.get("customer", ""),
        channel=fields.get("channel", ""),
        warehouse=attributes.get("warehouse", ""),
    )
