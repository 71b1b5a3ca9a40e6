"""Numbers lead to the right order: late, early, used again, shared, or no numbers at all."""

import random

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.correlate.told import (
    DAY,
    START,
    Word,
    connect,
    exported,
    forget,
    keys,
    order_of,
    tell,
    word,
)
from visibility.identity import objects
from visibility.models import (
    BusinessObject,
    Event,
    Identifier,
    InboundMessage,
    Merge,
    Order,
    Orphan,
    Source,
)
from visibility.operations import invariants
from visibility.pipeline import stages

pytestmark = pytest.mark.django_db
LINE = [{"line_id": "1", "sku": "A-1", "ordered": 5, "price": "12.30"}]


@pytest.fixture(autouse=True)
def connected() -> dict[str, Source]:
    return connect(
        shop={"recycles": "order_number:60 source_id:3650"},
    )


def test_a_tracking_event_comes_first_and_the_order_last() -> None:
    tell([word("carrier", "shipment.delivered", 4, tracking="1Z 001")])
    assert not Order.objects.exists()
    assert Orphan.objects.count() == 1
    tell([word("wms", "shipment.confirmed", 2, order="SO-1", shipment="9", tracking="1Z001")])
    assert not Orphan.objects.exists()
    tell([word("erp", "order.received", 1, order="SO-1", lines=LINE)])
    assert (Order.objects.get().number, Order.objects.get().event_count) == ("SO-1", 3)


def test_an_update_comes_before_the_order_is_created() -> None:
    tell([word("erp", "order.released", 2, order="SO-1")])
    tell([word("erp", "order.received", 1, order="SO-1", lines=LINE)])
    order = Order.objects.get()
    assert (order.status, order.ordered_at) == ("released", START + DAY)


def test_a_recycled_order_number_in_january_is_another_order() -> None:
    june = [
        word("shop", "order.received", 0, order="4711"),
        word("shop", "order.held", 3, order="4711"),
    ]
    january = [
        word("shop", "order.received", 216, order="4711"),
        word("shop", "order.released", 217, order="4711"),
    ]
    tell([*june, *january])
    assert keys() == ["order_number:shop:4711", "order_number:shop:4711~2025-01-05"]
    truth = exported()
    for told in ([*january, *june], [june[1], january[0], june[0], january[1]]):
        forget()
        for one in told:
            tell([one])
        assert exported() == truth


def test_a_recycled_tracking_number_never_shows_on_last_years_order() -> None:
    for order, day in (("SO-1", 0), ("SO-2", 200)):
        tell(
            [
                word("carrier", "shipment.in_transit", day + 1, tracking="1Z001"),
                word(
                    "wms", "shipment.confirmed", day, order=order, shipment=order, tracking="1Z001"
                ),
            ]
        )
    tell([word("carrier", "shipment.delivered", 203, tracking="1Z001")])
    assert [order_of(number).event_count for number in ("SO-1", "SO-2")] == [2, 3]
    assert order_of("SO-1").delivered_at is None


def test_a_parcel_that_is_scanned_for_a_year_stays_one() -> None:
    for day in range(0, 400, 40):
        tell([word("carrier", "shipment.in_transit", day, tracking="1Z001")])
    assert BusinessObject.objects.count() == 1


def test_a_late_word_between_two_uses_makes_them_one() -> None:
    uses = [
        word("shop", "order.received", 0, order="4711"),
        word("shop", "order.held", 100, order="4711"),
    ]
    tell(uses)
    assert Order.objects.count() == 2
    tell([word("shop", "order.changed", 50, order="4711")])
    assert keys() == ["order_number:shop:4711"]
    assert Order.objects.get().event_count == 3


def test_the_same_number_of_two_sources_is_two_orders() -> None:
    Source.objects.filter(slug="wms").update(config={})
    tell(
        [
            word("shop", "order.received", 1, order="4711"),
            word("wms", "order.received", 1, order="4711"),
        ]
    )
    assert keys() == ["order_number:shop:4711", "order_number:wms:4711"]


@pytest.mark.parametrize("nothing", ["N/A", "n/a", "0", "-", "null", "TBD", " none ", "000"])
def test_a_value_that_is_none_never_joins(nothing: str) -> None:
    tell(
        [
            word(
                "erp",
                "order.received",
                1,
                order={"number": "SO-1", "po": nothing, "customer": "C1"},
            ),
            word(
                "erp",
                "order.received",
                2,
                order={"number": "SO-2", "po": nothing, "customer": "C1"},
            ),
        ]
    )
    assert Order.objects.count() == 2
    assert not Identifier.objects.filter(scheme="customer_po").exists()


def test_two_spellings_of_one_number_are_one_order_and_both_are_kept() -> None:
    tell(
        [
            word("erp", "order.received", 1, order="SO-00 1"),
            word("wms", "order.released", 2, order=" so-00  1 "),
        ]
    )
    assert Order.objects.count() == 1
    assert Identifier.objects.get(scheme="sales_order").value == "SO-00 1"


def test_a_label_with_a_wrong_check_digit_joins_nothing_of_another_source() -> None:
    good, misread = "106141411234567897", "106141411234567898"
    for sscc in (good, misread):
        for source in ("wms", "carrier"):
            tell([word(source, "shipment.in_transit", 1, packages=[{"sscc": sscc}])])
    assert Identifier.objects.filter(value=good, strong=True).count() == 1
    assert Identifier.objects.filter(value=misread, strong=True).count() == 2


def test_a_number_that_only_looks_the_same_is_another_order_and_is_flagged() -> None:
    tell(
        [
            word("erp", "order.received", 1, order="SO-1"),
            word("erp", "order.held", 2, order="S\u041e-1"),
        ]
    )
    assert Order.objects.count() == 2
    assert Event.objects.get(type="order.held").data["flags"] == ["confusable"]
    assert Event.objects.get(type="order.received").data["flags"] == []


def join(first: str, second: str, day: float = 3) -> list[Word]:
    """Two orders, and the shop's word that they are one."""
    return [
        word("erp", "order.received", 1, order=first, lines=LINE),
        word("erp", "order.received", 2, order={"id": second}),
        word("erp", "order.changed", day, order={"number": first, "id": second}),
    ]


def test_orders_that_turn_out_to_be_one_keep_every_event_and_the_evidence() -> None:
    for one in join("SO-1", "77"):
        tell([one])
    order = Order.objects.get()
    assert (order.number, order.event_count) == ("SO-1", 3)
    merged = Merge.objects.get()
    assert BusinessObject.objects.get(pk=merged.loser_id).merged_into_id == order.pk
    assert merged.event_id
    assert merged.number == "order:source_id:erp:77"


def test_an_order_in_conflict_turns_out_to_be_another() -> None:
    """What contradicted in the one that is no more goes with it."""
    shipped = [{"line_id": "1", "sku": "A-1", "shipped": 5}]
    nothing = [{**LINE[0], "shipped": 0}]
    tell([word("erp", "order.received", 1, order="SO-1", lines=LINE)])
    tell([word("erp", "order.received", 2, order={"number": "SO-2", "id": "77"}, lines=nothing)])
    tell([word("wms", "shipment.confirmed", 3, order="SO-2", lines=shipped)])
    assert Order.objects.get(number="SO-2").conflict_count == 1
    tell([word("erp", "order.changed", 4, order={"number": "SO-1", "id": "77"})])
    assert Order.objects.get().conflicts.count() == Order.objects.get().conflict_count == 1


def test_an_old_id_redirects_after_two_joins() -> None:
    for one in [
        *join("SO-1", "77"),
        *join("SO-0", "78"),
        word("erp", "order.changed", 9, order={"number": "SO-0", "id": "77"}),
    ]:
        tell([one])
    order = Order.objects.get()
    gone = BusinessObject.objects.exclude(merged_into=None)
    assert {o.merged_into_id for o in gone} == {order.pk}
    assert gone.count() == 3
    assert invariants.numbers_lead_on() == []
    Identifier.objects.filter(value="78").update(object=gone[0])
    assert invariants.numbers_lead_on() == [
        f"object {gone[0].pk} went into {order.pk} and still has numbers or relations"
    ]


def test_more_than_fifty_orders_never_become_one() -> None:
    tell([word("erp", "order.received", n, order={"id": f"X{n}"}) for n in range(60)])
    tell(
        [
            word("erp", "order.changed", 70 + n, order={"number": "SO-1", "id": f"X{n}"})
            for n in range(60)
        ],
        fold=False,
    )
    stages.advance()
    parked = InboundMessage.objects.filter(state="parked")
    assert {m.reason for m in parked} == {"join_too_large"}
    assert parked.exists()
    assert Order.objects.count() > 10


def test_a_message_that_another_version_replaces_joins_no_longer() -> None:
    from tests.web.api.conftest import tell as say

    for one in join("SO-1", "77")[:2]:
        tell([one])
    erp = Source.objects.get(slug="erp")
    at = (START + 3 * DAY).isoformat()
    both = {"order": {"number": "SO-1", "id": "77"}, "key": "k", "revision": "1"}
    say(erp, "order.changed", at, both, event_id="e")
    stages.advance()
    assert Order.objects.count() == 1
    say(
        erp,
        "order.changed",
        at,
        {"order": {"number": "SO-1"}, "key": "k", "revision": "2"},
        event_id="e",
    )
    stages.advance()
    assert sorted(Order.objects.values_list("event_count", flat=True)) == [1, 2]


def test_the_number_of_statements_does_not_grow_with_the_batch() -> None:
    def sent(first: int, last: int) -> list[Word]:
        return [
            word(
                "wms",
                "shipment.confirmed",
                n % 20,
                order=f"SO-{n}",
                shipment=f"S{n}",
                tracking=f"1Z{n}",
            )
            for n in range(first, last)
        ]

    def statements(words: list[Word]) -> int:
        tell(words, fold=False)
        with CaptureQueriesContext(connection) as queries:
            stages.take()
        return len(queries)

    few, many = statements(sent(100, 103)), statements(sent(200, 240))
    scans = [word("carrier", "shipment.in_transit", 25, tracking=f"1Z{n}") for n in range(200, 240)]
    assert few == many
    assert statements(scans) <= many


def scramble(chance: random.Random) -> list[Word]:
    """Forty words of few numbers: orders merge, numbers come again, parcels cross."""
    words = []
    for _ in range(40):
        day = chance.randrange(0, 300)
        number, other = f"N{chance.randrange(5)}", f"X{chance.randrange(6)}"
        parcel = f"1Z{chance.randrange(4)}"
        both = {"number": number, "id": other}
        words.append(
            chance.choice(
                [
                    word("shop", "order.changed", day, order=number),
                    word("shop", "order.held", day, order=both),
                    word("shop", "shipment.confirmed", day, order={"id": other}, tracking=parcel),
                    word("carrier", "shipment.in_transit", day, tracking=parcel),
                ]
            )
        )
    return words


@pytest.mark.parametrize("seed", range(8))
def test_any_arrival_of_recycled_and_joining_numbers_leaves_the_same_facts(seed: int) -> None:
    chance = random.Random(seed)
    words = scramble(chance)
    for one in sorted(words, key=lambda w: w.day):
        tell([one])
    truth = exported()
    for _ in range(2):
        forget()
        chance.shuffle(words)
        rest = [*words]
        while rest:
            size = chance.randint(1, 9)
            tell(rest[:size])
            rest = rest[size:]
        assert exported() == truth
    call_command("rebuild")
    assert exported() == truth


def test_an_object_is_made_with_the_others_of_its_batch() -> None:
    with CaptureQueriesContext(connection) as queries:
        made = objects.create(["order", "package", "order"])
    assert len(queries) == 1
    assert [BusinessObject.objects.get(pk=pk).kind for pk in made] == ["order", "package", "order"]
