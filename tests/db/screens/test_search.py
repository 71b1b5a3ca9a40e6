"""Search finds orders by exact, partial and mistyped numbers, and by customer name."""

from collections.abc import Mapping
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from connectors.sdk.events import IdentifierScheme, ObjectKind
from tests.builders.identity import create_sources, process_messages, source_message
from visibility.db import postgres_planner_settings
from visibility.models import BusinessObject, CustomerName, Identifier, ObjectRelation, Order
from visibility.screens.orders import (
    item_search,
    number_and_customer_search,
    pasted_numbers,
)

pytestmark = pytest.mark.django_db
LINE = [{"line_id": "1", "sku": "A-1", "ordered": 5, "price": "12.30"}]


@pytest.fixture(autouse=True)
def _orders() -> None:
    create_sources()
    name = {"customer_no": "C1", "customer_name": "Quist Electric"}
    process_messages(
        [
            source_message(
                "erp", "order.received", 1, order="SO-104711", lines=LINE, attributes=name
            ),
            source_message(
                "erp", "order.received", 1, order="SO-204999", lines=LINE, attributes=name
            ),
        ]
    )


def numbers(hits: list[number_and_customer_search.SearchHit]) -> list[str]:
    return [hit.number for hit in hits]


# The kind of object that has a number of each scheme.
KINDS = {
    IdentifierScheme.SHIPMENT: ObjectKind.SHIPMENT,
    IdentifierScheme.DELIVERY: ObjectKind.SHIPMENT,
    IdentifierScheme.BOL: ObjectKind.SHIPMENT,
    IdentifierScheme.PRO: ObjectKind.SHIPMENT,
    IdentifierScheme.SSCC: ObjectKind.PACKAGE,
    IdentifierScheme.TRACKING: ObjectKind.PACKAGE,
    IdentifierScheme.INVOICE: ObjectKind.INVOICE,
    IdentifierScheme.CREDIT_MEMO: ObjectKind.INVOICE,
    IdentifierScheme.RMA: ObjectKind.RETURN,
}


@pytest.mark.parametrize("strong", [True, False])
@pytest.mark.parametrize("scheme", list(IdentifierScheme))
def test_number_of_every_scheme_finds_the_order(scheme: IdentifierScheme, strong: bool) -> None:
    order = Order.objects.get(number="SO-104711")
    kind = KINDS.get(scheme, ObjectKind.ORDER)
    target = order.object
    if kind is not ObjectKind.ORDER:
        target = BusinessObject.objects.create(kind=kind.value)
        ObjectRelation.objects.create(parent=order.object, child=target, event_id=1)
    Identifier.objects.create(
        kind=kind.value,
        scheme=scheme.value,
        issuer="x",
        value="ZX900817",
        raw="zx900817",
        is_identity=strong,
        object=target,
    )
    (hit,) = number_and_customer_search.find_orders_by_exact_number(" zx900817 ")
    assert hit.number == "SO-104711"
    assert number_and_customer_search.SCHEME_LABELS[scheme.value] in hit.matched_by
    assert len(IdentifierScheme) >= 12


@pytest.mark.parametrize(
    "typed", ["SO-104712", "SO-104 711", "SO-10711", "SO-1047111", "SO-107411", "so-904711"]
)
def test_single_typing_error_finds_the_order(typed: str) -> None:
    assert numbers(number_and_customer_search.find_orders_by_similar_number(typed)) == ["SO-104711"]


def test_two_typing_errors_find_the_order() -> None:
    assert (
        numbers(number_and_customer_search.find_orders_by_similar_number("SO-194712"))[0]
        == "SO-104711"
    )


def test_dissimilar_text_finds_nothing() -> None:
    assert not number_and_customer_search.find_orders_by_similar_number("QQ-77777777")
    assert not number_and_customer_search.find_orders_by_similar_number("%%%%%%%%")
    assert not number_and_customer_search.find_orders_by_number_fragment("zzz")


@pytest.mark.parametrize("typed", ["4711", "so-1047", "104711", "-10471", "O-10471"])
def test_partial_number_finds_the_order(typed: str) -> None:
    assert "SO-104711" in numbers(number_and_customer_search.find_orders_by_number_fragment(typed))


@pytest.mark.parametrize("typed", ["X-10471", "-104711X", "04711-"])
def test_partial_number_must_match_exactly(typed: str) -> None:
    assert not number_and_customer_search.find_orders_by_number_fragment(typed)


def add_similar_numbers(count: int) -> None:
    """Add similar numbers to the first order that differ only at the end."""
    target = Order.objects.get(number="SO-104711").object
    Identifier.objects.bulk_create(
        Identifier(
            kind="order", scheme="order_number", issuer="x", value=f"W{n:06}", raw="",
            is_identity=True, object=target,
        )
        for n in range(count)
    )  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute("SELECT gin_clean_pending_list('identifier_value_trgm')")


def test_every_match_among_similar_numbers_is_returned(monkeypatch: pytest.MonkeyPatch) -> None:
    # A sample of each index entry separately would miss most matches.
    add_similar_numbers(3_000)
    monkeypatch.setattr(number_and_customer_search, "SAMPLE_SIZE", 5)
    assert all(
        number_and_customer_search.find_orders_by_number_fragment(f"00{n}")
        for n in range(1_000, 3_000, 100)
    )


def test_slow_search_falls_back_to_a_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    add_similar_numbers(2_000)
    slow_query = number_and_customer_search.CONTAINS_QUERY.replace(
        "LIMIT 1000", "AND pg_sleep(0.02) IS NOT NULL LIMIT 1000"
    )
    monkeypatch.setattr(number_and_customer_search, "CONTAINS_QUERY", slow_query)
    monkeypatch.setattr(number_and_customer_search, "TIMEOUT_MS", 100)
    monkeypatch.setattr(number_and_customer_search, "SAMPLE_SIZE", 20)
    with CaptureQueriesContext(connection) as captured:
        assert number_and_customer_search.find_orders_by_number_fragment("W00") != []
    searches = [q["sql"] for q in captured if "gin_fuzzy_search_limit" in q["sql"]]
    assert len(searches) == 2
    monkeypatch.setattr(number_and_customer_search, "SAMPLE_TIMEOUT_MS", 1)
    assert number_and_customer_search.find_orders_by_number_fragment("W00") == []


def test_pattern_characters_are_literal() -> None:
    assert not number_and_customer_search.find_orders_by_number_fragment("SO_104")
    assert not number_and_customer_search.find_orders_by_number_fragment("%%%")
    assert not number_and_customer_search.find_customers_by_name("%%%")


def test_customer_search_by_partial_name_limits_its_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    assert number_and_customer_search.find_customers_by_name("quist") == [
        ("Quist Electric", "C1", 2)
    ]
    monkeypatch.setattr(number_and_customer_search, "MAX_COUNTED", 1)
    assert number_and_customer_search.find_customers_by_name("ELEC") == [
        ("Quist Electric", "C1", 1)
    ]
    assert number_and_customer_search.format_order_count(1) == "1+"
    assert CustomerName.objects.count() == 1


@pytest.mark.parametrize(
    ("ways", "statement", "parameters"),
    [
        (
            postgres_planner_settings.PREFER_INDEXES_NO_BITMAP,
            number_and_customer_search.EXACT_QUERY,
            {"values": ["SO-104711"], "limit": 50},
        ),
        (
            postgres_planner_settings.PREFER_INDEXES_NO_BITMAP,
            number_and_customer_search.EXACT_QUERY,
            {"values": number_and_customer_search.typo_variants("SO-104712"), "limit": 5},
        ),
        (
            postgres_planner_settings.PREFER_INDEXES,
            number_and_customer_search.CONTAINS_QUERY,
            {"like": "%4711%", "part": "4711", "limit": 10},
        ),
        (
            postgres_planner_settings.PREFER_INDEXES,
            number_and_customer_search.CUSTOMERS_QUERY,
            ["%quist%", 100],
        ),
    ],
)
def test_searches_use_indexes(
    ways: Mapping[str, str], statement: str, parameters: dict[str, Any] | list[Any]
) -> None:
    with connection.cursor() as cursor:
        postgres_planner_settings.set_planner_settings_for_transaction(cursor, ways)
        cursor.execute(f"EXPLAIN {statement}", parameters)
        plan = "\n".join(row[0] for row in cursor.fetchall())
    assert "Seq Scan" not in plan
    assert ("identifier_value_trgm" in plan) == (
        statement is number_and_customer_search.CONTAINS_QUERY
    )


def test_items_are_found_by_number_and_by_description(monkeypatch: pytest.MonkeyPatch) -> None:
    described = [{**LINE[0], "sku": "TW-0114AWG", "description": "Copper wire, 14 AWG"}]
    process_messages(
        [source_message("erp", "order.received", 2, order="SO-300001", lines=described)]
    )
    copper = item_search.ItemHit("TW-0114AWG", "Copper wire, 14 AWG", 1)
    for text in ("TW-0114AWG", "tw-0114", "copper"):
        assert item_search.search_items(text) == item_search.ItemSearchResult([copper])
        assert item_search.suggest_items(text) == [copper]
    assert item_search.search_items("A-1").items == [item_search.ItemHit("A-1", "", 2)]
    for text in ("%%%", "___", "co"):
        assert not item_search.search_items(text).items
    # All lines take too long: the latest orders are searched, and the result says so.
    monkeypatch.setattr(item_search, "COMPLETE", f"SELECT pg_sleep(2); {item_search.COMPLETE}")
    monkeypatch.setattr(item_search, "COMPLETE_TIMEOUT_MS", 5)
    assert item_search.search_items("copper") == item_search.ItemSearchResult([copper], False)


COLUMN = ["SO-104711", "SO-204999", "SO-9999999"]


@pytest.mark.parametrize("separator", ["\n", "\r\n", "\t", ", ", ";", " ", "  "])
def test_several_numbers_are_looked_up_however_they_are_separated(separator: str) -> None:
    table = pasted_numbers.look_up_several_numbers(separator.join(COLUMN))
    assert [(number, numbers(hits)) for number, hits in table] == [
        ("SO-104711", ["SO-104711"]),
        ("SO-204999", ["SO-204999"]),
        ("SO-9999999", []),
    ]


@pytest.mark.parametrize(
    "text", ["SO-104711", "SO 104711", "Quist Electric", "Quist, Electric", ""]
)
def test_one_number_or_name_is_no_list(text: str) -> None:
    assert pasted_numbers.look_up_several_numbers(text) == []


def test_wrong_numbers_with_commas_are_a_list_of_at_most_200() -> None:
    wrong = ", ".join(f"X-{n}" for n in range(203))
    assert len(pasted_numbers.look_up_several_numbers(wrong)) == 200
    assert pasted_numbers.has_more_numbers_than_looked_up(wrong)
    assert not pasted_numbers.has_more_numbers_than_looked_up("X-1, X-2")
