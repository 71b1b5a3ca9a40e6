"""A number that two objects share, such as the customer PO of two ERP orders, connects neither."""

import random
from itertools import permutations

import pytest
from django.core.management import call_command

from tests.builders.identity import (
    SourceMessage,
    clear_state,
    create_sources,
    dump_state,
    order_of,
    process_messages,
    source_message,
)
from visibility.identity import lock_and_load_component
from visibility.identity.duplicate_order_suggestions import find_suggestions
from visibility.models import Identifier, Order
from visibility.screens.orders.number_and_customer_search import find_orders_by_exact_number

pytestmark = pytest.mark.django_db(transaction=True)
PO = {"scheme": "customer_po", "issuer": "C210", "value": "PO-BLANKET"}
LINES = [{"line_id": "1", "sku": "A-1", "ordered": 5}]


def erp_number(value: str) -> dict[str, str]:
    return {"scheme": "sales_order", "issuer": "erp", "value": value}


def received(number: str, day: float, *, po: dict[str, str] = PO) -> SourceMessage:
    """An ERP order with its own number and the customer's."""
    order = {"numbers": [erp_number(number), po]}
    return source_message("erp", "order.received", day, order=order, lines=LINES)


@pytest.fixture(autouse=True)
def connected() -> None:
    create_sources()


def numbers() -> list[str]:
    return sorted(Order.objects.values_list("number", flat=True))


def test_two_orders_of_one_erp_with_one_po_are_two_orders() -> None:
    process_messages([received("SO-1", 1)])
    process_messages([received("SO-2", 2)])
    assert numbers() == ["SO-1", "SO-2"]
    assert set(Order.objects.values_list("customer_po", flat=True)) == {"PO-BLANKET"}
    shipped = [{"line_id": "1", "sku": "A-1", "shipped": 5}]
    process_messages(
        [source_message("wms", "shipment.confirmed", 3, order="SO-1", shipment="S1", lines=shipped)]
    )
    assert (order_of("SO-1").status, order_of("SO-2").status) == ("shipped", "received")
    hits = find_orders_by_exact_number("PO-BLANKET")
    assert sorted(hit.number for hit in hits) == ["SO-1", "SO-2"]


def test_po_joins_the_only_order_that_the_erp_has_for_it() -> None:
    process_messages(
        [source_message("shop", "order.received", 1, order={"numbers": [PO]}, lines=LINES)]
    )
    process_messages([received("SO-1", 2)])
    assert numbers() == ["SO-1"]


def test_second_order_takes_neither_id_nor_events_of_the_first() -> None:
    process_messages(
        [source_message("shop", "order.received", 1, order={"numbers": [PO]}, lines=LINES)]
    )
    process_messages([received("SO-1", 2)])
    first = order_of("SO-1").pk
    process_messages([received("SO-2", 3)])
    assert order_of("SO-1").pk == first
    assert {o.number: o.event_count for o in Order.objects.all()} == {
        "PO-BLANKET": 1,
        "SO-1": 1,
        "SO-2": 1,
    }


@pytest.mark.parametrize("size", [1, 2, 5])
def test_order_of_arrival_and_batches_do_not_matter(size: int) -> None:
    messages = [
        received("SO-1", 1),
        received("SO-2", 2),
        source_message("shop", "order.received", 3, order={"numbers": [PO]}, lines=LINES),
        source_message("erp", "order.released", 4, order="SO-2"),
        received("SO-3", 5),
    ]
    expected: list[bytes] = []
    for ordered in random.Random(size).sample(list(permutations(messages)), 6):
        clear_state()
        for start in range(0, len(ordered), size):
            process_messages(ordered[start : start + size])
        expected = expected or dump_state()
        assert dump_state() == expected
    assert numbers() == ["PO-BLANKET", "SO-1", "SO-2", "SO-3"]
    call_command("rebuild")
    assert dump_state() == expected


def test_number_that_many_orders_share_is_not_resolved_with_all_of_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lock_and_load_component, "MAX_SHARING_OBJECTS", 2)
    monkeypatch.setattr(lock_and_load_component, "MAX_COMPONENT", 4)
    for n in range(8):
        process_messages([received(f"SO-{n}", n)])
    assert len(numbers()) == 8
    assert Identifier.objects.filter(value="PO-BLANKET", is_shared=True).count() == 8


def test_renamed_order_keeps_both_numbers() -> None:
    process_messages([source_message("erp", "order.received", 1, order={"number": "9", "id": "a"})])
    process_messages(
        [source_message("erp", "order.changed", 2, order={"number": "9-R", "id": "a"})]
    )
    process_messages([source_message("wms", "order.released", 3, order="9-R")])
    assert Order.objects.get().event_count == 3


def test_erp_that_starts_its_numbering_again_has_two_orders() -> None:
    process_messages([source_message("erp", "order.received", 1, order={"number": "9", "id": "a"})])
    process_messages(
        [source_message("erp", "order.received", 400, order={"number": "9", "id": "b"})]
    )
    assert numbers() == ["9", "9"]


def test_two_orders_that_the_erp_numbers_apart_are_suggested_only_as_a_duplicate() -> None:
    process_messages([received("SO-1", 1), received("SO-2", 2)])
    assert find_suggestions() == []
    same = {"total": "12.50", "currency": "USD", "customer_no": "C210"}
    for number, day in (("SO-1", 3), ("SO-2", 3.5)):
        changed = source_message(
            "erp", "order.received", day, order=number, lines=LINES, attributes=same
        )
        process_messages([changed])
    assert [s.rule for s in find_suggestions()] == ["Possible duplicate"]


@pytest.mark.parametrize("erp_first", [True, False])
def test_external_document_number_joins_the_shop_order_that_has_it_as_its_name(
    erp_first: bool,
) -> None:
    def web(value: str) -> dict[str, str]:
        return {"scheme": "web_order", "issuer": "shop", "value": value}

    from_shop = source_message(
        "shop", "order.received", 1, order={"numbers": [web("#EN-1")]}, lines=LINES
    )
    po = {"scheme": "customer_po", "issuer": "C1", "value": "EN-1"}
    from_erp = source_message(
        "erp",
        "order.received",
        2,
        order={"numbers": [erp_number("SO-1"), web("EN-1"), po]},
        lines=LINES,
    )
    other = {**po, "value": "PO-9"}
    by_phone = source_message(
        "erp",
        "order.received",
        3,
        order={"numbers": [erp_number("SO-2"), web("PO-9"), other]},
        lines=LINES,
    )
    messages = [from_erp, from_shop] if erp_first else [from_shop, from_erp]
    process_messages([*messages, by_phone])
    assert numbers() == ["SO-1", "SO-2"]
    assert order_of("SO-1").event_count == 2
    assert order_of("SO-2").event_count == 1
