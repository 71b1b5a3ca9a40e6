"""One task an event: look up, write the milestone, write the status."""

from celery import shared_task
from django.db import transaction

from tests.bench.plain.models import Event, Identifier, Milestone, Order

# In the order of the trade: the furthest one reached is the status.
CODES = {
    "order.received": "received",
    "order.released": "released",
    "line.allocated": "allocated",
    "shipment.confirmed": "shipped",
    "shipment.delivered": "delivered",
    "invoice.issued": "invoiced",
}
RANK = {code: rank for rank, code in enumerate(CODES.values())}


class Unknown(RuntimeError):
    """The parcel's order has not been told yet: try again later."""


@shared_task(name="plain.process", autoretry_for=(Unknown,), retry_backoff=1, max_retries=10)
def process(event_id: int) -> None:
    """Take one event on."""
    with transaction.atomic():
        event = Event.objects.get(pk=event_id)
        if event.processed:
            return
        order = find(event)
        code = CODES[event.type]
        Milestone.objects.update_or_create(
            order=order, code=code, defaults={"reached_at": event.occurred_at}
        )
        reached = Milestone.objects.filter(order=order).values_list("code", flat=True)
        order.status = max(reached, key=lambda found: RANK[found])
        order.save(update_fields=["status", "updated_at"])
        event.processed = True
        event.save(update_fields=["processed"])


def find(event: Event) -> Order:
    """The event's order by any of its numbers, made if it is new; all its numbers are kept."""
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
            raise Unknown(numbers)
        order = _new(data)
    for scheme, value in numbers:
        Identifier.objects.get_or_create(scheme=scheme, value=value, defaults={"order": order})
    return order


def _new(data: dict[str, dict[str, str]]) -> Order:
    about, attributes = data["order"], data.get("attributes", {})
    return Order.objects.create(
        number=about["number"],
        customer=about.get("customer", ""),
        channel=about.get("channel", ""),
        warehouse=attributes.get("warehouse", ""),
    )
