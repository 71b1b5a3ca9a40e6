"""The dictionary of some events: what their words mean, when, and at what cost."""

from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction

import pytest
from django.db import connection
from pytest_django import DjangoAssertNumQueries

from tests.master.conftest import mapped, put, settle, told
from visibility.models import Order, OrderLine, Source, WordUse
from visibility.models.objects import BusinessObject
from visibility.operations.canonical_dump import facts
from visibility.storage.events import spoken_of
from visibility.storage.timelines import dictionary_of, folded
from visibility.timeline import Spoken
from visibility.timeline.dictionary import NOTHING
from visibility.timeline.enums import LineFlag

pytestmark = pytest.mark.django_db
BEFORE = datetime(2026, 3, 1, tzinfo=UTC)
AFTER = datetime(2026, 9, 1, tzinfo=UTC)


def events() -> list[Spoken]:
    ids = BusinessObject.objects.filter(kind="order").values_list("pk", flat=True)
    return [event for _, found in spoken_of(list(ids)).values() for event in found]


def exported(at: datetime) -> Iterable[bytes]:
    return list(facts(as_of=at))


def test_without_master_data_one_statement_finds_nothing(
    erp: Source, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    told(erp, "SO-1", "W-1")
    found = events()
    with django_assert_num_queries(1):
        assert dictionary_of(found) is NOTHING


def test_three_statements_do_for_any_number_of_events(
    shop: Source, now: datetime, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for n in range(5):
        mapped(f"W-{n}", f"A-{n}", now=now)
        put("item", {"number": f"A-{n}"}, now=now)
        told(shop, f"SO-{n}", f"W-{n}")
    found = events()
    with django_assert_num_queries(3):
        words = dictionary_of(found)
    assert [words.ours("item", "shop", f"W-{n}", at=AFTER) for n in range(5)] == [
        f"A-{n}" for n in range(5)
    ]


def test_only_what_the_events_need_is_loaded(shop: Source, now: datetime) -> None:
    put("item", *({"number": f"A-{n}"} for n in range(50)), now=now)
    told(shop, "SO-1", "A-7")
    assert set(dictionary_of(events()).articles) == {"A-7"}


def test_a_mapping_of_later_validity_leaves_what_came_before(shop: Source, now: datetime) -> None:
    told(shop, "SO-1", "W-1")
    mapped("W-1", "A-1", now=now)
    mapped("W-1", "A-2", now=now, valid_from="2026-07-01")
    words = dictionary_of(events())
    assert words.ours("item", "shop", "W-1", at=BEFORE) == "A-1"
    assert words.ours("item", "shop", "W-1", at=AFTER) == "A-2"


def test_a_change_of_later_validity_changes_no_fact_of_earlier_events(
    shop: Source, now: datetime
) -> None:
    told(shop, "SO-1", "W-1")
    mapped("W-1", "A-1", now=now)
    settle()
    at = datetime(2026, 6, 1, tzinfo=UTC)
    before = exported(at)
    mapped("W-1", "A-2", now=now, valid_from="2026-07-01")
    settle()
    assert exported(at) == before


def test_a_box_of_a_thousand_is_exact(erp: Source, now: datetime) -> None:
    put("item", {"number": "A-1", "unit": "ea"}, now=now)
    put("unit", {"item": "A-1", "unit": "BX", "base": "EA", "numerator": 1000}, now=now)
    told(erp, "SO-1", "a-1", unit="bx")
    words = dictionary_of(events())
    article = words.article("a-1", at=AFTER)
    unit = words.ours("unit", "erp", "bx", at=AFTER)
    assert article is not None
    assert (article.number, article.unit, unit) == ("A-1", "EA", "BX")
    factor = article.factor(unit or "")
    assert factor == Fraction(1000)
    assert Fraction(Decimal("52.9")) * factor == 52_900


def test_boxes_and_pieces_of_one_order_are_one_figure(
    shop: Source, erp: Source, now: datetime
) -> None:
    put("item", {"number": "A-1"}, now=now)
    put("unit", {"item": "A-1", "unit": "BX", "base": "EA", "numerator": 1000}, now=now)
    mapped("W-1", "A-1", now=now)
    told(erp, "SO-1", "A-1", unit="EA", ordered="52900")
    told(shop, "SO-1", "W-1", unit="BX", ordered="52.9")
    (line,) = OrderLine.objects.all()
    assert (line.sku, line.unit, line.ordered) == ("A-1", "EA", Decimal(52_900))


def test_a_factor_of_later_validity_does_not_recount_what_was_told_before(
    erp: Source, now: datetime
) -> None:
    put("item", {"number": "A-1"}, now=now)
    row = {"item": "A-1", "unit": "BX", "base": "EA", "numerator": 12}
    put("unit", row, now=now)
    put("unit", {**row, "numerator": 10, "valid_from": "2026-07-01"}, now=now)
    told(erp, "SO-1", "A-1", unit="BX", ordered="1")
    told(erp, "SO-2", "A-1", unit="BX", ordered="1", at="2026-09-02T15:00:00Z")
    settle()
    found = OrderLine.objects.order_by("order__number").values_list("ordered", flat=True)
    assert list(found) == [Decimal(12), Decimal(10)]


def test_an_unknown_article_sets_its_line_aside_until_it_is_mapped(
    shop: Source, now: datetime
) -> None:
    def flagged() -> list[str]:
        pk = BusinessObject.objects.get(kind="order").pk
        lines = folded([pk], as_of=now)[pk].lines
        return [line.sku for line in lines if LineFlag.UNKNOWN_SKU in line.flags]

    told(shop, "SO-1", "W-1", "A-2")
    mapped("A-2", "A-2", now=now)
    settle()
    assert flagged() == ["W-1"]
    mapped("W-1", "A-1", now=now)
    settle()
    assert flagged() == []
    assert set(OrderLine.objects.values_list("sku", flat=True)) == {"A-1", "A-2"}


def test_a_status_word_that_was_mapped_tells_what_happened(erp: Source, now: datetime) -> None:
    told(erp, "SO-1", "A-1", word="PRT_SHP")
    put(
        "mapping",
        {"table": "status", "source": "erp", "theirs": "PRT_SHP", "ours": "order.released"},
        now=now,
    )
    settle()
    assert Order.objects.get().status == "released"
    (use,) = WordUse.objects.all()
    assert (use.table, use.word, use.ours) == ("status", "PRT_SHP", "ORDER.RELEASED")


def test_thirds_stay_exact_and_an_unknown_unit_has_no_factor(erp: Source, now: datetime) -> None:
    put("item", {"number": "A-1"}, now=now)
    row = {"unit": "THD", "base": "EA", "numerator": 1, "denominator": 3}
    put("unit", row, now=now)
    told(erp, "SO-1", "A-1", unit="THD")
    article = dictionary_of(events()).article("A-1")
    assert article is not None
    assert article.factor("THD") == Fraction(1, 3)
    assert article.factor("CRATE") is None


def test_an_items_own_factor_wins_over_the_one_of_every_item(erp: Source, now: datetime) -> None:
    put("item", {"number": "A-1"}, now=now)
    every = {"unit": "CS", "base": "EA", "numerator": 10}
    put("unit", every, {**every, "item": "A-1", "numerator": 24}, now=now)
    told(erp, "SO-1", "A-1", unit="CS")
    article = dictionary_of(events()).article("A-1")
    assert article is not None
    assert article.factor("CS") == Fraction(24)


def test_a_factor_that_changes_makes_an_edition_of_the_item(erp: Source, now: datetime) -> None:
    put("item", {"number": "A-1"}, now=now)
    row = {"item": "A-1", "unit": "BX", "base": "EA", "numerator": 12}
    put("unit", row, now=now)
    put("unit", {**row, "numerator": 10, "valid_from": "2026-07-01"}, now=now)
    told(erp, "SO-1", "A-1", unit="BX")
    words = dictionary_of(events())
    old, new = words.article("A-1", at=BEFORE), words.article("A-1", at=AFTER)
    assert old is not None
    assert new is not None
    assert [old.factor("BX"), new.factor("BX")] == [Fraction(12), Fraction(10)]


def test_a_kit_names_its_components(erp: Source, now: datetime) -> None:
    put("item", {"number": "KIT", "components": "A-1: 2, B-2: 1/2"}, now=now)
    told(erp, "SO-1", "KIT")
    article = dictionary_of(events()).article("KIT")
    assert article is not None
    assert article.components == {"A-1": Fraction(2), "B-2": Fraction(1, 2)}


def test_two_meanings_at_one_time_are_refused_by_the_database(now: datetime) -> None:
    from django.db import IntegrityError

    mapped_by_hand = """
        INSERT INTO visibility_location (key, code, title, zone, calendar, owner, note, version,
            changed_at, valid_from, valid_to)
        VALUES ('D1', 'D1', '', 'UTC', '', '', '', 1, now(), %s, %s)
    """
    with connection.cursor() as cursor:
        cursor.execute(mapped_by_hand, [None, BEFORE])
        cursor.execute(mapped_by_hand, [BEFORE, None])
        cursor.execute(mapped_by_hand, [AFTER, None])
        with pytest.raises(IntegrityError, match="one_at_a_time"):
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
