"""References are assigned to the right order: early, late, reused, shared, placeholder numbers."""

import random

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.builders.identity import (
    DAY,
    START,
    SourceMessage,
    clear_state,
    create_sources,
    dump_state,
    keys,
    order_of,
    process_messages,
    source_message,
)
from visibility.identity import create_and_delete_objects
from visibility.models import (
    BusinessObject,
    Event,
    Identifier,
    InboundMessage,
    Merge,
    Order,
    Source,
    UnmatchedObject,
)
from visibility.operations import invariants
from visibility.pipeline import job_functions, process_message_batches

pytestmark = pytest.mark.django_db
LINE = [{"line_id": "1", "sku": "A-1", "ordered": 5, "price": "12.30"}]


@pytest.fixture(autouse=True)
def connected() -> dict[str, Source]:
    return create_sources(
        shop={"reused_after": "order_number:60 source_id:3650"},
    )


def test_tracking_event_before_its_order() -> None:
    process_messages([source_message("carrier", "shipment.delivered", 4, tracking="1Z 001")])
    assert not Order.objects.exists()
    assert UnmatchedObject.objects.count() == 1
    process_messages(
        [
            source_message(
                "wms", "shipment.confirmed", 2, order="SO-1", shipment="9", tracking="1Z001"
            )
        ]
    )
    assert not UnmatchedObject.objects.exists()
    process_messages([source_message("erp", "order.received", 1, order="SO-1", lines=LINE)])
    assert (Order.objects.get().number, Order.objects.get().event_count) == ("SO-1", 3)


def test_update_before_the_order_is_created() -> None:
    process_messages([source_message("erp", "order.released", 2, order="SO-1")])
    process_messages([source_message("erp", "order.received", 1, order="SO-1", lines=LINE)])
    order = Order.objects.get()
    assert (order.status, order.ordered_at) == ("released", START + DAY)


def test_reused_order_number_is_a_new_order() -> None:
    june = [
        source_message("shop", "order.received", 0, order="4711"),
        source_message("shop", "order.held", 3, order="4711"),
    ]
    january = [
        source_message("shop", "order.received", 216, order="4711"),
        source_message("shop", "order.released", 217, order="4711"),
    ]
    process_messages([*june, *january])
    assert keys() == ["order_number:shop:4711", "order_number:shop:4711~2025-01-05"]
    expected = dump_state()
    for messages in ([*january, *june], [june[1], january[0], june[0], january[1]]):
        clear_state()
        for message in messages:
            process_messages([message])
        assert dump_state() == expected


def test_reused_tracking_number_does_not_change_the_old_order() -> None:
    for order, day in (("SO-1", 0), ("SO-2", 200)):
        process_messages(
            [
                source_message("carrier", "shipment.in_transit", day + 1, tracking="1Z001"),
                source_message(
                    "wms", "shipment.confirmed", day, order=order, shipment=order, tracking="1Z001"
                ),
            ]
        )
    process_messages([source_message("carrier", "shipment.delivered", 203, tracking="1Z001")])
    assert [order_of(number).event_count for number in ("SO-1", "SO-2")] == [2, 3]
    assert order_of("SO-1").delivered_at is None


def test_package_scanned_for_a_year_is_a_single_object() -> None:
    for day in range(0, 400, 40):
        process_messages([source_message("carrier", "shipment.in_transit", day, tracking="1Z001")])
    assert BusinessObject.objects.count() == 1


def test_late_event_between_two_generations_merges_them() -> None:
    messages = [
        source_message("shop", "order.received", 0, order="4711"),
        source_message("shop", "order.held", 100, order="4711"),
    ]
    process_messages(messages)
    assert Order.objects.count() == 2
    process_messages([source_message("shop", "order.changed", 50, order="4711")])
    assert keys() == ["order_number:shop:4711"]
    assert Order.objects.get().event_count == 3


def test_same_number_from_two_sources_is_two_orders() -> None:
    Source.objects.filter(slug="wms").update(config={})
    process_messages(
        [
            source_message("shop", "order.received", 1, order="4711"),
            source_message("wms", "order.received", 1, order="4711"),
        ]
    )
    assert keys() == ["order_number:shop:4711", "order_number:wms:4711"]


@pytest.mark.parametrize("placeholder", ["N/A", "n/a", "0", "-", "null", "TBD", " none ", "000"])
def test_placeholder_value_never_merges_orders(placeholder: str) -> None:
    process_messages(
        [
            source_message(
                "erp",
                "order.received",
                1,
                order={"number": "SO-1", "po": placeholder, "customer": "C1"},
            ),
            source_message(
                "erp",
                "order.received",
                2,
                order={"number": "SO-2", "po": placeholder, "customer": "C1"},
            ),
        ]
    )
    assert Order.objects.count() == 2
    assert not Identifier.objects.filter(scheme="customer_po").exists()


def test_two_spellings_of_a_number_identify_the_same_order() -> None:
    process_messages(
        [
            source_message("erp", "order.received", 1, order="SO-00 1"),
            source_message("wms", "order.released", 2, order=" so-00  1 "),
        ]
    )
    assert Order.objects.count() == 1
    assert Identifier.objects.get(scheme="sales_order").value == "SO-00 1"


def test_label_with_wrong_check_digit_is_not_shared_between_sources() -> None:
    good, misread = "106141411234567897", "106141411234567898"
    for sscc in (good, misread):
        for source in ("wms", "carrier"):
            process_messages(
                [source_message(source, "shipment.in_transit", 1, packages=[{"sscc": sscc}])]
            )
    assert Identifier.objects.filter(value=good, is_identity=True).count() == 1
    assert Identifier.objects.filter(value=misread, is_identity=True).count() == 2


def test_lookalike_number_is_another_order_and_is_flagged() -> None:
    process_messages(
        [
            source_message("erp", "order.received", 1, order="SO-1"),
            source_message("erp", "order.held", 2, order="S\u041e-1"),
        ]
    )
    assert Order.objects.count() == 2
    assert Event.objects.get(type="order.held").data["flags"] == ["confusable"]
    assert Event.objects.get(type="order.received").data["flags"] == []


SO_1 = {"scheme": "sales_order", "issuer": "erp", "value": "SO-1"}


def merging_messages(first: str, second: str, day: float = 3) -> list[SourceMessage]:
    """Build messages of two orders, and one ERP message that names both."""
    return [
        source_message("erp", "order.received", 1, order=first, lines=LINE),
        source_message("erp", "order.received", 2, order={"id": second}),
        source_message("erp", "order.changed", day, order={"number": first, "id": second}),
    ]


def test_merged_order_has_all_events_and_the_evidence() -> None:
    for message in merging_messages("SO-1", "77"):
        process_messages([message])
    order = Order.objects.get()
    assert (order.number, order.event_count) == ("SO-1", 3)
    merged = Merge.objects.get()
    assert BusinessObject.objects.get(pk=merged.loser_id).merged_into_id == order.pk
    assert merged.event_id
    assert merged.shared_identifier == "order:source_id:erp:77"


def test_conflicts_of_a_merged_order_are_deleted_with_it() -> None:
    shipped = [{"line_id": "1", "sku": "A-1", "shipped": 5}]
    nothing = [{**LINE[0], "shipped": 0}]
    process_messages([source_message("erp", "order.received", 1, order="SO-1", lines=LINE)])
    process_messages(
        [
            source_message(
                "erp", "order.received", 2, order={"number": "SO-2", "id": "77"}, lines=nothing
            )
        ]
    )
    process_messages([source_message("wms", "shipment.confirmed", 3, order="SO-2", lines=shipped)])
    assert Order.objects.get(number="SO-2").conflict_count == 1
    process_messages(
        [source_message("erp", "order.changed", 4, order={"number": "SO-1", "id": "77"})]
    )
    assert Order.objects.get().conflicts.count() == Order.objects.get().conflict_count == 1


def test_old_id_redirects_after_two_merges() -> None:
    for message in [
        *merging_messages("SO-1", "77"),
        source_message("shop", "order.received", 4, order={"number": "W-5"}),
        source_message("shop", "order.received", 5, order={"id": "78"}),
        source_message("shop", "order.changed", 6, order={"number": "W-5", "id": "78"}),
        source_message("shop", "order.changed", 9, order={"numbers": [SO_1], "id": "78"}),
    ]:
        process_messages([message])
    order = Order.objects.get()
    merged = BusinessObject.objects.exclude(merged_into=None)
    assert {o.merged_into_id for o in merged} == {order.pk}
    assert merged.count() == 3
    assert invariants.check_merged_objects_unreferenced() == []
    Identifier.objects.filter(value="78").update(object=merged[0])
    assert invariants.check_merged_objects_unreferenced() == [
        f"object {merged[0].pk} was merged into {order.pk} but still has identifiers or relations"
    ]


def test_merge_of_more_than_fifty_orders_is_parked() -> None:
    po_numbers = [{"scheme": "customer_po", "issuer": "C1", "value": f"P{n}"} for n in range(60)]
    process_messages(
        [
            source_message("erp", "order.received", n, order={"numbers": [po_number]})
            for n, po_number in enumerate(po_numbers)
        ]
    )
    process_messages(
        [
            source_message("erp", "order.changed", 70 + n, order={"numbers": [SO_1, po_number]})
            for n, po_number in enumerate(po_numbers)
        ],
        fold=False,
    )
    job_functions.process_messages_and_refold()
    parked = InboundMessage.objects.filter(state="parked")
    assert {m.reason for m in parked} == {"join_too_large"}
    assert parked.exists()
    assert Order.objects.count() > 10


def test_superseded_message_no_longer_merges_orders() -> None:
    from tests.db.web.api.conftest import receive_event as post_event

    for message in merging_messages("SO-1", "77")[:2]:
        process_messages([message])
    erp = Source.objects.get(slug="erp")
    at = (START + 3 * DAY).isoformat()
    both = {"order": {"number": "SO-1", "id": "77"}, "key": "k", "revision": "1"}
    post_event(erp, "order.changed", at, both, event_id="e")
    job_functions.process_messages_and_refold()
    assert Order.objects.count() == 1
    post_event(
        erp,
        "order.changed",
        at,
        {"order": {"number": "SO-1"}, "key": "k", "revision": "2"},
        event_id="e",
    )
    job_functions.process_messages_and_refold()
    assert sorted(Order.objects.values_list("event_count", flat=True)) == [1, 2]


def test_number_of_statements_does_not_grow_with_the_batch() -> None:
    def confirmations(first: int, last: int) -> list[SourceMessage]:
        return [
            source_message(
                "wms",
                "shipment.confirmed",
                n % 20,
                order=f"SO-{n}",
                shipment=f"S{n}",
                tracking=f"1Z{n}",
            )
            for n in range(first, last)
        ]

    def statements(messages: list[SourceMessage]) -> int:
        process_messages(messages, fold=False)
        with CaptureQueriesContext(connection) as queries:
            process_message_batches.claim_parse_and_correlate_messages()
        return len(queries)

    # Also loads the configuration, and compares the fields of the first message of each kind.
    statements(confirmations(0, 15))
    statements([source_message("carrier", "shipment.in_transit", 25, tracking="1Z0")])
    few, many = statements(confirmations(100, 115)), statements(confirmations(200, 240))
    scans = [
        source_message("carrier", "shipment.in_transit", 25, tracking=f"1Z{n}")
        for n in range(200, 240)
    ]
    assert few == many
    assert statements(scans) <= many


def random_messages(rng: random.Random) -> list[SourceMessage]:
    """Build 40 random messages from few numbers: orders merge, numbers are reused."""
    messages = []
    for _ in range(40):
        day = rng.randrange(0, 300)
        number, other = f"N{rng.randrange(5)}", f"X{rng.randrange(6)}"
        package = f"1Z{rng.randrange(4)}"
        both = {"number": number, "id": other}
        messages.append(
            rng.choice(
                [
                    source_message("shop", "order.changed", day, order=number),
                    source_message("shop", "order.held", day, order=both),
                    source_message(
                        "shop", "shipment.confirmed", day, order={"id": other}, tracking=package
                    ),
                    source_message("carrier", "shipment.in_transit", day, tracking=package),
                ]
            )
        )
    return messages


@pytest.mark.parametrize("seed", range(8))
def test_any_order_of_arrival_gives_the_same_state(seed: int) -> None:
    rng = random.Random(seed)
    messages = random_messages(rng)
    for message in sorted(messages, key=lambda w: w.day):
        process_messages([message])
    expected = dump_state()
    for _ in range(2):
        clear_state()
        rng.shuffle(messages)
        remaining = [*messages]
        while remaining:
            size = rng.randint(1, 9)
            process_messages(remaining[:size])
            remaining = remaining[size:]
        assert dump_state() == expected
    call_command("rebuild")
    assert dump_state() == expected


def test_objects_are_created_in_a_single_statement() -> None:
    with CaptureQueriesContext(connection) as queries:
        ids = create_and_delete_objects.create_objects_of_kinds(["order", "package", "order"])
    assert len(queries) == 1
    assert [BusinessObject.objects.get(pk=pk).kind for pk in ids] == ["order", "package", "order"]
