"""Any number leads to its order: whole, in part, or with a slip of the finger."""

from collections.abc import Mapping
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from connectors.sdk.events import ObjectKind, Scheme
from tests.correlate.told import connect, tell, word
from visibility.db import planner
from visibility.models import BusinessObject, CustomerName, Identifier, ObjectRelation, Order
from visibility.screens.orders import search

pytestmark = pytest.mark.django_db
LINE = [{"line_id": "1", "sku": "A-1", "ordered": 5, "price": "12.30"}]


@pytest.fixture(autouse=True)
def _told() -> None:
    connect()
    name = {"customer_no": "C1", "customer_name": "Quist Electric"}
    tell(
        [
            word("erp", "order.received", 1, order="SO-104711", lines=LINE, attributes=name),
            word("erp", "order.received", 1, order="SO-204999", lines=LINE, attributes=name),
        ]
    )


def numbers(hits: list[search.Hit]) -> list[str]:
    """What the hits are called."""
    return [hit.number for hit in hits]


# Where each kind of number stands, below the order or on it.
KINDS = {
    Scheme.SHIPMENT: ObjectKind.SHIPMENT,
    Scheme.DELIVERY: ObjectKind.SHIPMENT,
    Scheme.BOL: ObjectKind.SHIPMENT,
    Scheme.PRO: ObjectKind.SHIPMENT,
    Scheme.SSCC: ObjectKind.PACKAGE,
    Scheme.TRACKING: ObjectKind.PACKAGE,
    Scheme.INVOICE: ObjectKind.INVOICE,
    Scheme.CREDIT_MEMO: ObjectKind.INVOICE,
    Scheme.RMA: ObjectKind.RETURN,
}


@pytest.mark.parametrize("strong", [True, False])
@pytest.mark.parametrize("scheme", list(Scheme))
def test_every_kind_of_number_finds_the_order(scheme: Scheme, strong: bool) -> None:
    order = Order.objects.get(number="SO-104711")
    kind = KINDS.get(scheme, ObjectKind.ORDER)
    held = order.object
    if kind is not ObjectKind.ORDER:
        held = BusinessObject.objects.create(kind=kind.value)
        ObjectRelation.objects.create(parent=order.object, child=held, event_id=1)
    Identifier.objects.create(
        kind=kind.value,
        scheme=scheme.value,
        issuer="x",
        value="ZX900817",
        raw="zx900817",
        strong=strong,
        object=held,
    )
    (hit,) = search.exact(" zx900817 ")
    assert hit.number == "SO-104711"
    assert search.SCHEMES[scheme.value] in hit.why
    assert len(Scheme) >= 12


@pytest.mark.parametrize(
    "typed", ["SO-104712", "SO-104 711", "SO-10711", "SO-1047111", "SO-107411", "so-904711"]
)
def test_typing_the_wrong_digit_still_helps(typed: str) -> None:
    assert numbers(search.close(typed)) == ["SO-104711"]


def test_two_slips_still_help() -> None:
    assert numbers(search.close("SO-194712"))[0] == "SO-104711"


def test_what_is_like_nothing_finds_nothing() -> None:
    assert not search.close("QQ-77777777")
    assert not search.close("%%%%%%%%")
    assert not search.partly("zzz")


@pytest.mark.parametrize("typed", ["4711", "so-1047", "104711", "-10471", "O-10471"])
def test_a_part_of_a_number_is_enough(typed: str) -> None:
    assert "SO-104711" in numbers(search.partly(typed))


@pytest.mark.parametrize("typed", ["X-10471", "-104711X", "04711-"])
def test_a_part_is_found_as_it_was_typed(typed: str) -> None:
    assert not search.partly(typed)


def many(count: int) -> None:
    """So many more numbers of the first order, alike in all but their ends."""
    held = Order.objects.get(number="SO-104711").object
    Identifier.objects.bulk_create(
        Identifier(
            kind="order", scheme="order_number", issuer="x", value=f"W{n:06}", raw="", strong=True,
            object=held,
        )
        for n in range(count)
    )  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute("SELECT gin_clean_pending_list('identifier_value_trgm')")


def test_among_numbers_that_are_all_alike_every_match_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A sample of each piece of the index, drawn by itself, leaves most matches out."""
    many(3_000)
    monkeypatch.setattr(search, "SAMPLED", 5)
    assert all(search.partly(f"00{n}") for n in range(1_000, 3_000, 100))


def test_what_takes_too_long_to_find_is_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    many(2_000)
    slowly = search.PARTLY.replace("LIMIT 1000", "AND pg_sleep(0.02) IS NOT NULL LIMIT 1000")
    monkeypatch.setattr(search, "PARTLY", slowly)
    monkeypatch.setattr(search, "PATIENCE_MS", 100)
    monkeypatch.setattr(search, "SAMPLED", 20)
    with CaptureQueriesContext(connection) as captured:
        assert search.partly("W00") != []
    asked = [q["sql"] for q in captured if "gin_fuzzy_search_limit" in q["sql"]]
    assert len(asked) == 2
    monkeypatch.setattr(search, "LAST_MS", 1)
    assert search.partly("W00") == []


def test_signs_of_patterns_are_only_signs() -> None:
    assert not search.partly("SO_104")
    assert not search.partly("%%%")
    assert not search.customers("%%%")


def test_a_customer_is_found_by_a_part_of_the_name_and_counted_no_further_than_needed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert search.customers("quist") == [("Quist Electric", "C1", 2)]
    monkeypatch.setattr(search, "MOST_COUNTED", 1)
    assert search.customers("ELEC") == [("Quist Electric", "C1", 1)]
    assert search.counted(1) == "1+"
    assert CustomerName.objects.count() == 1


@pytest.mark.parametrize(
    ("ways", "statement", "parameters"),
    [
        (planner.DIRECT, search.EXACT, {"values": ["SO-104711"], "limit": 50}),
        (planner.DIRECT, search.EXACT, {"values": search.slips("SO-104712"), "limit": 5}),
        (planner.STEPWISE, search.PARTLY, {"like": "%4711%", "part": "4711", "limit": 10}),
        (planner.STEPWISE, search.CUSTOMERS, ["%quist%", 100]),
    ],
)
def test_no_search_reads_a_whole_table(
    ways: Mapping[str, str], statement: str, parameters: dict[str, Any] | list[Any]
) -> None:
    with connection.cursor() as cursor:
        planner.planned(cursor, ways)
        cursor.execute(f"EXPLAIN {statement}", parameters)
        plan = "\n".join(row[0] for row in cursor.fetchall())
    assert "Seq Scan" not in plan
    assert ("identifier_value_trgm" in plan) == (statement is search.PARTLY)
