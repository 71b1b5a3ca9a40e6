"""Words nobody has mapped: listed with the orders they hurt, and healed by a mapping."""

from datetime import datetime
from io import StringIO

import pytest
from django.core.management import call_command

from tests.master.conftest import mapped, put, settle, told
from visibility.master_data import impact
from visibility.models import Refold, Reread, Source, Watch, WordUse
from visibility.operations.canonical_dump import facts
from visibility.screens.mappings.queries import unmapped

pytestmark = pytest.mark.django_db
ROW = {"table": "item", "source": "shop", "theirs": "W-1", "ours": "A-1"}


def listed() -> list[tuple[str, str, str, int]]:
    return [(u.table, u.source, u.raw, u.orders) for u in unmapped()]


def set_aside() -> set[str]:
    """The words that orders, as they are folded now, could not read."""
    return set(WordUse.objects.filter(unmapped=True).values_list("word", flat=True))


def test_an_unknown_word_of_a_governed_source_is_listed_with_the_orders_it_hurts(
    shop: Source,
) -> None:
    told(shop, "SO-1", "W-1", "W-2")
    told(shop, "SO-2", "W-1")
    assert listed() == [("item", "shop", "W-1", 2), ("item", "shop", "W-2", 1)]


def test_a_word_of_a_source_that_is_not_governed_is_not_listed(erp: Source) -> None:
    told(erp, "SO-1", "W-1")
    assert listed() == []
    assert not WordUse.objects.exists()


def test_an_accepted_mapping_heals_the_list_by_itself(shop: Source, now: datetime) -> None:
    told(shop, "SO-1", "W-1")
    told(shop, "SO-2", "W-9")
    mapped("w-1 ", "A-1", now=now)
    assert set_aside() == {"W-1", "W-9"}
    settle()
    assert set_aside() == {"W-9"}
    assert listed() == [("item", "shop", "W-9", 1)]


def test_only_the_orders_of_the_word_are_read_again(shop: Source, now: datetime) -> None:
    told(shop, "SO-1", "W-1")
    told(shop, "SO-2", "W-2")
    mapped("W-0", "A-0", now=now)
    settle()
    mapped("W-1", "A-1", now=now)
    assert Refold.objects.count() == 1


def test_our_own_number_needs_no_mapping(shop: Source, now: datetime) -> None:
    put("item", {"number": "A-1"}, now=now)
    told(shop, "SO-1", "a-1", "W-1")
    assert listed() == [("item", "shop", "W-1", 1)]


def test_a_new_item_heals_the_orders_that_used_its_number(shop: Source, now: datetime) -> None:
    told(shop, "SO-1", "A-1")
    assert listed()
    put("item", {"number": "A-1"}, now=now)
    settle()
    assert listed() == []
    assert set_aside() == set()


def test_a_mapping_for_every_source_counts_where_the_source_has_none(
    shop: Source, now: datetime
) -> None:
    told(shop, "SO-1", "W-1")
    put("mapping", {"table": "item", "theirs": "W-1", "ours": "A-1"}, now=now)
    settle()
    assert listed() == []
    assert set_aside() == set()


def test_the_first_mapping_of_a_source_reads_its_earlier_orders_once(
    erp: Source, now: datetime
) -> None:
    told(erp, "SO-1", "W-1")
    put("mapping", {"table": "item", "source": "erp", "theirs": "W-1", "ours": "A-1"}, now=now)
    settle()
    use = WordUse.objects.get()
    assert (use.word, use.ours, use.unmapped) == ("W-1", "A-1", False)
    assert Watch.objects.get().read


def test_places_and_customers_are_listed_too(shop: Source) -> None:
    told(shop, "SO-1", warehouse="D1", customer_no="C-7", customer_name="Quist")
    found = {u.table: u for u in unmapped()}
    assert found["location"].raw == "D1"
    assert (found["customer"].raw, found["customer"].about) == ("C-7", "Quist")


def test_a_rebuild_changes_neither_words_nor_facts(shop: Source, now: datetime) -> None:
    told(shop, "SO-1", "W-1", "W-2", warehouse="D1")
    mapped("W-1", "A-1", now=now)
    settle()
    fields = [f.name for f in WordUse._meta.concrete_fields if f.name != "id"]
    before = set(WordUse.objects.values_list(*fields)), list(facts(as_of=now))
    call_command("rebuild", stdout=StringIO(), stderr=StringIO())
    assert (set(WordUse.objects.values_list(*fields)), list(facts(as_of=now))) == before


def test_a_long_foreign_word_is_no_trouble(shop: Source, now: datetime) -> None:
    told(shop, "SO-1", "ß" * 200)
    mapped("ß" * 200, "A-1", now=now)
    settle()
    assert listed() == []
    assert set_aside() == set()


def test_many_orders_are_handed_to_the_fold_in_slices(
    shop: Source, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("visibility.master_data.impact.AT_ONCE", 1)
    mapped("W-0", "A-0", now=now)
    settle()
    told(shop, "SO-1", "W-1")
    told(shop, "SO-2", "W-1")
    mapped("W-1", "A-1", now=now)
    assert (Refold.objects.count(), Reread.objects.count()) == (0, 2)
    assert (impact.feed(most=1), impact.feed(most=1)) == (1, 0)
    settle()
    settle()
    assert listed() == []
    assert set_aside() == set()


def test_a_word_just_mapped_is_not_offered_again_before_its_orders_are_folded(
    shop: Source, now: datetime
) -> None:
    told(shop, "SO-1", "W-1")
    mapped("W-1", "A-1", now=now, valid_from="2026-06-01")
    assert listed() == [("item", "shop", "W-1", 1)]
    put("mapping", {**ROW, "valid_to": "2026-06-01"}, now=now)
    assert listed() == []
