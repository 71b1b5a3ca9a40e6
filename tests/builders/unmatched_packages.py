"""Unmatched records for the tests of lists."""

from datetime import timedelta

from tests.builders.identity import create_sources, process_messages, source_message
from visibility.db.database_time import database_now
from visibility.models import BusinessObject, Identifier, UnmatchedObject


def create_unmatched_packages() -> list[int]:
    """A package whose number an order has, too, then three shipments of another source."""
    create_sources(wms={})
    process_messages(
        [
            source_message("erp", "order.received", 1, order={"number": "1Z777"}),
            source_message(
                "wms",
                "shipment.confirmed",
                2,
                tracking="1Z777",
                lines=[{"line_id": "1", "sku": "A-1", "shipped": 5}],
                attributes={"warehouse": "Dallas", "location": "Austin, TX", "carrier": "UPS"},
            ),
            *(
                source_message("carrier", "shipment.delivered", 3, shipment={"number": f"D-10{n}"})
                for n in range(3)
            ),
        ]
    )
    first = Identifier.objects.get(value="1Z777", object__unmatchedobject__isnull=False).object_id
    BusinessObject.objects.filter(pk=first).update(created_at=database_now() - timedelta(days=4))
    others = UnmatchedObject.objects.exclude(pk=first).order_by("pk").values_list("pk", flat=True)
    return [first, *others]
