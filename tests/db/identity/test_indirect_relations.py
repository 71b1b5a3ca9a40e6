"""Documents that name no order belong to the order of what they name."""

from itertools import permutations

import pytest

from tests.builders.identity import (
    clear_state,
    create_sources,
    dump_state,
    order_of,
    process_messages,
    source_message,
)
from visibility.models import BusinessObject, Order, Source, UnmatchedObject

pytestmark = pytest.mark.django_db(transaction=True)
ORDERED = [{"line_id": "1", "sku": "A-1", "ordered": 5}]
SHIPMENT = {"numbers": [{"scheme": "shipment", "issuer": "wms", "value": "S1"}]}
SHIPPED = [{"line_id": "1", "sku": "A-1", "shipped": 5}]


@pytest.fixture(autouse=True)
def shipped_order() -> None:
    create_sources()
    process_messages(
        [
            source_message("erp", "order.received", 0, order="SO-1", lines=ORDERED),
            source_message(
                "wms",
                "shipment.confirmed",
                1,
                order="SO-1",
                shipment={"number": "S1"},
                part="S1",
                tracking="1Z001",
                lines=SHIPPED,
            ),
        ]
    )


@pytest.mark.parametrize("order_of_arrival", [1, -1])
def test_invoice_that_names_only_a_shipment_belongs_to_its_order(order_of_arrival: int) -> None:
    invoiced = [{"line_id": "1", "sku": "A-1", "invoiced": 5}]
    messages = [
        source_message(
            "finance", "invoice.issued", 2, invoice="9", shipment=SHIPMENT, lines=invoiced
        ),
        source_message("finance", "payment.received", 3, invoice="9"),
    ]
    for message in messages[::order_of_arrival]:
        process_messages([message])
    assert order_of("SO-1").event_count == 4
    assert not UnmatchedObject.objects.exists()


def test_return_that_names_only_an_invoice_belongs_to_its_order() -> None:
    process_messages(
        [
            source_message("finance", "invoice.issued", 2, invoice="9", order="SO-1"),
            source_message("finance", "return.authorized", 3, invoice="9", **{"return": "RMA-1"}),
        ]
    )
    assert order_of("SO-1").event_count == 4


def test_uses_of_a_tracking_number_do_not_depend_on_the_order_of_arrival() -> None:
    scans = [(2, "in_transit"), (30, "delivered"), (131, "in_transit"), (140, "delivered")]
    messages = [
        source_message("carrier", f"shipment.{name}", day, tracking="1Z005") for day, name in scans
    ]
    expected: list[bytes] = []
    for ordered in permutations(messages):
        clear_state()
        for message in ordered:
            process_messages([message])
        expected = expected or dump_state()
        assert dump_state() == expected
    assert BusinessObject.objects.filter(kind="package").count() == 2


def test_scan_after_a_silence_of_100_days_is_of_the_package_that_is_awaited() -> None:
    process_messages(
        [
            source_message("carrier", "shipment.in_transit", 2, tracking="1Z001"),
            source_message("carrier", "shipment.delivered", 110, tracking="1Z001"),
        ]
    )
    assert Order.objects.get().status == "delivered"
    assert BusinessObject.objects.filter(kind="package").count() == 1


@pytest.mark.parametrize("is_reverse", [False, True])
def test_numbers_of_documents_that_another_system_issued_meet_by_the_setting(
    is_reverse: bool,
) -> None:
    """Finance reports payments, shipments and returns by the numbers of the ERP and the WMS."""
    issuers = "invoice:erp shipment:wms rma:wms"
    Source.objects.filter(slug="finance").update(config={"number_issuers": issuers})
    messages = [
        source_message("erp", "order.received", 1, order="SO-2", lines=ORDERED),
        source_message("erp", "invoice.issued", 2, order="SO-2", invoice="7"),
        source_message("wms", "shipment.confirmed", 3, order="SO-2", shipment="8"),
        source_message("wms", "return.authorized", 4, order="SO-2", **{"return": "9"}),
        source_message("finance", "invoice.paid", 5, invoice="7"),
        source_message("finance", "invoice.issued", 6, shipment="8", invoice="700"),
        source_message("finance", "return.credited", 7, **{"return": "9"}),
    ]
    process_messages(reversed(messages) if is_reverse else messages)
    assert order_of("SO-2").event_count == 7
    assert not UnmatchedObject.objects.exists()
