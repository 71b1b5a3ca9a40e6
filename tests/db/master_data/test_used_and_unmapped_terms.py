"""Unmapped terms: listed with the affected orders, and resolved by a mapping."""

from datetime import datetime
from io import StringIO

import pytest
from django.core.management import call_command

from tests.db.master_data.conftest import map_item, process_all, put_rows, receive_order
from visibility.master_data import affected_orders
from visibility.models import BackfillRequest, RefoldRequest, Source, TermUsage, WatchedVocabulary
from visibility.operations.canonical_dump import dump_lines
from visibility.screens.mappings.term_and_row_queries import unmapped_terms

pytestmark = pytest.mark.django_db
ROW = {"kind": "item", "source": "shop", "external": "W-1", "canonical": "A-1"}


def unmapped_summary() -> list[tuple[str, str, str, int]]:
    return [(u.kind, u.source, u.raw, u.orders) for u in unmapped_terms()]


def terms_without_mapping() -> set[str]:
    """Terms without a mapping in the current term usage."""
    return set(TermUsage.objects.filter(unmapped=True).values_list("term", flat=True))


def test_unmapped_terms_are_listed_with_affected_orders(
    shop: Source,
) -> None:
    receive_order(shop, "SO-1", "W-1", "W-2")
    receive_order(shop, "SO-2", "W-1")
    assert unmapped_summary() == [("item", "shop", "W-1", 2), ("item", "shop", "W-2", 1)]


def test_terms_of_ungoverned_sources_are_not_listed(erp: Source) -> None:
    receive_order(erp, "SO-1", "W-1")
    assert unmapped_summary() == []
    assert not TermUsage.objects.exists()


def test_status_that_the_connector_does_not_know_is_listed_without_any_setting(
    erp: Source, now: datetime
) -> None:
    receive_order(erp, "SO-1", "W-1", event_type="moved.to.dock")
    assert unmapped_summary() == [("status", "erp", "moved.to.dock", 1)]
    row = {"kind": "status", "source": "erp", "external": "moved.to.dock"}
    put_rows("mapping", row | {"canonical": "order.held"}, now=now)
    process_all()
    assert unmapped_summary() == []


def test_new_mapping_removes_the_term_after_refold(shop: Source, now: datetime) -> None:
    receive_order(shop, "SO-1", "W-1")
    receive_order(shop, "SO-2", "W-9")
    map_item("w-1 ", "A-1", now=now)
    assert terms_without_mapping() == {"W-1", "W-9"}
    process_all()
    assert terms_without_mapping() == {"W-9"}
    assert unmapped_summary() == [("item", "shop", "W-9", 1)]


def test_mapping_refolds_only_orders_with_the_term(shop: Source, now: datetime) -> None:
    receive_order(shop, "SO-1", "W-1")
    receive_order(shop, "SO-2", "W-2")
    map_item("W-0", "A-0", now=now)
    process_all()
    map_item("W-1", "A-1", now=now)
    assert RefoldRequest.objects.count() == 1


def test_canonical_number_needs_no_mapping(shop: Source, now: datetime) -> None:
    put_rows("item", {"number": "A-1"}, now=now)
    receive_order(shop, "SO-1", "a-1", "W-1")
    assert unmapped_summary() == [("item", "shop", "W-1", 1)]


def test_new_item_resolves_orders_that_use_its_number(shop: Source, now: datetime) -> None:
    receive_order(shop, "SO-1", "A-1")
    assert unmapped_summary()
    put_rows("item", {"number": "A-1"}, now=now)
    process_all()
    assert unmapped_summary() == []
    assert terms_without_mapping() == set()


def test_mapping_for_all_sources_is_the_fallback(shop: Source, now: datetime) -> None:
    receive_order(shop, "SO-1", "W-1")
    put_rows("mapping", {"kind": "item", "external": "W-1", "canonical": "A-1"}, now=now)
    process_all()
    assert unmapped_summary() == []
    assert terms_without_mapping() == set()


def test_first_mapping_of_a_source_backfills_earlier_orders(erp: Source, now: datetime) -> None:
    receive_order(erp, "SO-1", "W-1")
    put_rows(
        "mapping", {"kind": "item", "source": "erp", "external": "W-1", "canonical": "A-1"}, now=now
    )
    process_all()
    use = TermUsage.objects.get()
    assert (use.term, use.canonical, use.unmapped) == ("W-1", "A-1", False)
    assert WatchedVocabulary.objects.get().backfilled


def test_unmapped_locations_and_customers_are_listed(shop: Source) -> None:
    receive_order(shop, "SO-1", warehouse="D1", customer_no="C-7", customer_name="Quist")
    by_kind = {u.kind: u for u in unmapped_terms()}
    assert by_kind["location"].raw == "D1"
    assert (by_kind["customer"].raw, by_kind["customer"].description) == ("C-7", "Quist")


def test_rebuild_changes_neither_term_usage_nor_dump(shop: Source, now: datetime) -> None:
    receive_order(shop, "SO-1", "W-1", "W-2", warehouse="D1")
    map_item("W-1", "A-1", now=now)
    process_all()
    fields = [f.name for f in TermUsage._meta.concrete_fields if f.name != "id"]
    before = set(TermUsage.objects.values_list(*fields)), list(dump_lines(as_of=now))
    call_command("rebuild", stdout=StringIO(), stderr=StringIO())
    assert (set(TermUsage.objects.values_list(*fields)), list(dump_lines(as_of=now))) == before


def test_long_non_ascii_term_is_mapped(shop: Source, now: datetime) -> None:
    receive_order(shop, "SO-1", "ß" * 200)
    map_item("ß" * 200, "A-1", now=now)
    process_all()
    assert unmapped_summary() == []
    assert terms_without_mapping() == set()


def test_backfill_enqueues_orders_in_batches(
    shop: Source, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("visibility.master_data.affected_orders.DIRECT_LIMIT", 1)
    map_item("W-0", "A-0", now=now)
    process_all()
    receive_order(shop, "SO-1", "W-1")
    receive_order(shop, "SO-2", "W-1")
    map_item("W-1", "A-1", now=now)
    assert (RefoldRequest.objects.count(), BackfillRequest.objects.count()) == (0, 2)
    assert (
        affected_orders.move_backfill_to_refold_queue(limit=1),
        affected_orders.move_backfill_to_refold_queue(limit=1),
    ) == (1, 0)
    process_all()
    process_all()
    assert unmapped_summary() == []
    assert terms_without_mapping() == set()


def test_mapped_term_disappears_from_unmapped_list_before_refold(
    shop: Source, now: datetime
) -> None:
    receive_order(shop, "SO-1", "W-1")
    map_item("W-1", "A-1", now=now, valid_from="2026-06-01")
    assert unmapped_summary() == [("item", "shop", "W-1", 1)]
    put_rows("mapping", {**ROW, "valid_to": "2026-06-01"}, now=now)
    assert unmapped_summary() == []
