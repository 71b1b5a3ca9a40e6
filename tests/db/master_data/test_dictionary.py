"""The dictionary loaded for events: translations, validity, and number of queries."""

from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction

import pytest
from django.db import connection
from pytest_django import DjangoAssertNumQueries

from tests.db.master_data.conftest import map_item, process_all, put_rows, receive_order
from visibility.models import Order, OrderLine, Source, TermUsage
from visibility.models.objects_and_identifiers import BusinessObject
from visibility.operations.canonical_dump import dump_lines
from visibility.storage.load_events import load_key_and_events_by_order
from visibility.storage.order_folding import load_and_fold_orders, load_dictionary_for_events
from visibility.timeline import RecordedEvent
from visibility.timeline.master_data_dictionary import EMPTY_DICTIONARY
from visibility.timeline.state_and_flag_enums import LineFlag

pytestmark = pytest.mark.django_db
BEFORE = datetime(2026, 3, 1, tzinfo=UTC)
AFTER = datetime(2026, 9, 1, tzinfo=UTC)


def recorded_events() -> list[RecordedEvent]:
    ids = BusinessObject.objects.filter(kind="order").values_list("pk", flat=True)
    return [
        event for _, loaded in load_key_and_events_by_order(list(ids)).values() for event in loaded
    ]


def dump(at: datetime) -> Iterable[bytes]:
    return list(dump_lines(as_of=at))


def test_without_master_data_one_query_loads_nothing(
    erp: Source, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    receive_order(erp, "SO-1", "W-1")
    loaded = recorded_events()
    with django_assert_num_queries(1):
        assert load_dictionary_for_events(loaded) is EMPTY_DICTIONARY


def test_three_queries_for_any_number_of_events(
    shop: Source, now: datetime, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for n in range(5):
        map_item(f"W-{n}", f"A-{n}", now=now)
        put_rows("item", {"number": f"A-{n}"}, now=now)
        receive_order(shop, f"SO-{n}", f"W-{n}")
    loaded = recorded_events()
    with django_assert_num_queries(3):
        dictionary = load_dictionary_for_events(loaded)
    assert [dictionary.canonical_term("item", "shop", f"W-{n}", at=AFTER) for n in range(5)] == [
        f"A-{n}" for n in range(5)
    ]


def test_only_terms_of_the_events_are_loaded(shop: Source, now: datetime) -> None:
    put_rows("item", *({"number": f"A-{n}"} for n in range(50)), now=now)
    receive_order(shop, "SO-1", "A-7")
    assert set(load_dictionary_for_events(recorded_events()).items) == {"A-7"}


def test_later_mapping_does_not_affect_earlier_events(shop: Source, now: datetime) -> None:
    receive_order(shop, "SO-1", "W-1")
    map_item("W-1", "A-1", now=now)
    map_item("W-1", "A-2", now=now, valid_from="2026-07-01")
    dictionary = load_dictionary_for_events(recorded_events())
    assert dictionary.canonical_term("item", "shop", "W-1", at=BEFORE) == "A-1"
    assert dictionary.canonical_term("item", "shop", "W-1", at=AFTER) == "A-2"


def test_later_mapping_does_not_change_the_dump_of_earlier_events(
    shop: Source, now: datetime
) -> None:
    receive_order(shop, "SO-1", "W-1")
    map_item("W-1", "A-1", now=now)
    process_all()
    at = datetime(2026, 6, 1, tzinfo=UTC)
    before = dump(at)
    map_item("W-1", "A-2", now=now, valid_from="2026-07-01")
    process_all()
    assert dump(at) == before


def test_box_of_one_thousand_converts_exactly(erp: Source, now: datetime) -> None:
    put_rows("item", {"number": "A-1", "unit": "ea"}, now=now)
    put_rows("unit", {"item": "A-1", "unit": "BX", "base": "EA", "numerator": 1000}, now=now)
    receive_order(erp, "SO-1", "a-1", unit="bx")
    dictionary = load_dictionary_for_events(recorded_events())
    article = dictionary.item("a-1", at=AFTER)
    unit = dictionary.canonical_term("unit", "erp", "bx", at=AFTER)
    assert article is not None
    assert (article.number, article.unit, unit) == ("A-1", "EA", "BX")
    factor = article.factors[unit or ""]
    assert factor == Fraction(1000)
    assert Fraction(Decimal("52.9")) * factor == 52_900


def test_boxes_and_pieces_of_one_order_agree(shop: Source, erp: Source, now: datetime) -> None:
    put_rows("item", {"number": "A-1"}, now=now)
    put_rows("unit", {"item": "A-1", "unit": "BX", "base": "EA", "numerator": 1000}, now=now)
    map_item("W-1", "A-1", now=now)
    receive_order(erp, "SO-1", "A-1", unit="EA", ordered="52900")
    receive_order(shop, "SO-1", "W-1", unit="BX", ordered="52.9")
    (line,) = OrderLine.objects.all()
    assert (line.sku, line.unit, line.ordered) == ("A-1", "EA", Decimal(52_900))


def test_later_factor_does_not_change_earlier_quantities(erp: Source, now: datetime) -> None:
    put_rows("item", {"number": "A-1"}, now=now)
    row = {"item": "A-1", "unit": "BX", "base": "EA", "numerator": 12}
    put_rows("unit", row, now=now)
    put_rows("unit", {**row, "numerator": 10, "valid_from": "2026-07-01"}, now=now)
    receive_order(erp, "SO-1", "A-1", unit="BX", ordered="1")
    receive_order(erp, "SO-2", "A-1", unit="BX", ordered="1", at="2026-09-02T15:00:00Z")
    process_all()
    quantities = OrderLine.objects.order_by("order__number").values_list("ordered", flat=True)
    assert list(quantities) == [Decimal(12), Decimal(10)]


def test_unknown_item_flags_its_line_until_mapped(shop: Source, now: datetime) -> None:
    def flagged() -> list[str]:
        pk = BusinessObject.objects.get(kind="order").pk
        lines = load_and_fold_orders([pk], as_of=now)[pk].lines
        return [line.sku for line in lines if LineFlag.UNKNOWN_SKU in line.flags]

    receive_order(shop, "SO-1", "W-1", "A-2")
    map_item("A-2", "A-2", now=now)
    process_all()
    assert flagged() == ["W-1"]
    map_item("W-1", "A-1", now=now)
    process_all()
    assert flagged() == []
    assert set(OrderLine.objects.values_list("sku", flat=True)) == {"A-1", "A-2"}


def test_mapped_status_sets_the_order_status(erp: Source, now: datetime) -> None:
    receive_order(erp, "SO-1", "A-1", event_type="PRT_SHP")
    put_rows(
        "mapping",
        {"kind": "status", "source": "erp", "external": "PRT_SHP", "canonical": "order.released"},
        now=now,
    )
    process_all()
    assert Order.objects.get().status == "released"
    (use,) = TermUsage.objects.all()
    assert (use.kind, use.term, use.canonical) == ("status", "PRT_SHP", "ORDER.RELEASED")


def test_thirds_are_exact_and_unknown_units_have_no_factor(erp: Source, now: datetime) -> None:
    put_rows("item", {"number": "A-1"}, now=now)
    row = {"unit": "THD", "base": "EA", "numerator": 1, "denominator": 3}
    put_rows("unit", row, now=now)
    receive_order(erp, "SO-1", "A-1", unit="THD")
    article = load_dictionary_for_events(recorded_events()).item("A-1")
    assert article is not None
    assert article.factors == {"THD": Fraction(1, 3)}


def test_item_specific_factor_wins(erp: Source, now: datetime) -> None:
    put_rows("item", {"number": "A-1"}, now=now)
    every = {"unit": "CS", "base": "EA", "numerator": 10}
    put_rows("unit", every, {**every, "item": "A-1", "numerator": 24}, now=now)
    receive_order(erp, "SO-1", "A-1", unit="CS")
    article = load_dictionary_for_events(recorded_events()).item("A-1")
    assert article is not None
    assert article.factors["CS"] == Fraction(24)


def test_factor_change_creates_a_new_item_version(erp: Source, now: datetime) -> None:
    put_rows("item", {"number": "A-1"}, now=now)
    row = {"item": "A-1", "unit": "BX", "base": "EA", "numerator": 12}
    put_rows("unit", row, now=now)
    put_rows("unit", {**row, "numerator": 10, "valid_from": "2026-07-01"}, now=now)
    receive_order(erp, "SO-1", "A-1", unit="BX")
    dictionary = load_dictionary_for_events(recorded_events())
    old, new = dictionary.item("A-1", at=BEFORE), dictionary.item("A-1", at=AFTER)
    assert old is not None
    assert new is not None
    assert [old.factors["BX"], new.factors["BX"]] == [Fraction(12), Fraction(10)]


def test_kit_has_components(erp: Source, now: datetime) -> None:
    put_rows("item", {"number": "KIT", "components": "A-1: 2, B-2: 1/2"}, now=now)
    receive_order(erp, "SO-1", "KIT")
    article = load_dictionary_for_events(recorded_events()).item("KIT")
    assert article is not None
    assert article.components == {"A-1": Fraction(2), "B-2": Fraction(1, 2)}


def test_database_rejects_overlapping_rows(now: datetime) -> None:
    from django.db import IntegrityError

    insert = """
        INSERT INTO visibility_location (key, code, title, zone, calendar, owner, note, version,
            changed_at, valid_from, valid_to)
        VALUES ('D1', 'D1', '', 'UTC', '', '', '', 1, now(), %s, %s)
    """
    with connection.cursor() as cursor:
        cursor.execute(insert, [None, BEFORE])
        cursor.execute(insert, [BEFORE, None])
        cursor.execute(insert, [AFTER, None])
        with pytest.raises(IntegrityError, match="no_overlap"):
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
