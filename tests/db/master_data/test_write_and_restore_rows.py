"""Writes of master data rows: atomic, with history, and reversible."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import pytest

from tests.db.master_data.conftest import map_item, process_all, put_rows, receive_order
from visibility.master_data import affected_orders, write_and_restore_rows
from visibility.master_data.cell_conversion import InvalidCell
from visibility.master_data.change_author_and_origin import ChangeContext
from visibility.master_data.tables import TABLES, MasterRowToWrite
from visibility.master_data.write_and_restore_rows import OverlappingRows, StaleVersion
from visibility.models import AuditEntry, Item, MasterChange, RefoldRequest, Source, TermMapping

pytestmark = pytest.mark.django_db
ITEM = TABLES["item"]


def parsed_row(**cells: str) -> MasterRowToWrite:
    return ITEM.parse_row_or_raise_invalid_cell({"number": "A-1", **cells})


def change_context(now: datetime) -> ChangeContext:
    return ChangeContext(None, "test", now)


def images(change: MasterChange) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    return change.before or {}, change.after or {}


def test_history_has_values_before_and_after_each_change(now: datetime) -> None:
    put_rows("item", {"number": "A-1", "title": "Old"}, now=now)
    put_rows("item", {"number": "A-1", "title": "New"}, now=now)
    first, second = MasterChange.objects.order_by("pk")
    assert (first.action, images(first)[1]["title"]) == ("added", "Old")
    before, after = images(second)
    assert (second.action, before["title"], after["title"]) == ("changed", "Old", "New")
    assert Item.objects.get().version == 2
    assert AuditEntry.objects.filter(action="master.item").count() == 2


def test_change_is_rolled_back(now: datetime) -> None:
    put_rows("item", {"number": "A-1", "title": "Old"}, now=now)
    put_rows("item", {"number": "A-1", "title": "New"}, now=now)
    write_and_restore_rows.restore_row_version(
        ITEM, MasterChange.objects.earliest("pk"), context=change_context(now)
    )
    assert (Item.objects.get().title, Item.objects.get().version) == ("Old", 3)


def test_deleted_row_is_restored(now: datetime) -> None:
    put_rows("item", {"number": "A-1", "title": "Old"}, now=now)
    assert write_and_restore_rows.delete_row_and_record_history(
        ITEM, Item.objects.get().pk, context=change_context(now)
    )
    assert not Item.objects.exists()
    write_and_restore_rows.restore_row_version(
        ITEM, MasterChange.objects.latest("pk"), context=change_context(now)
    )
    assert Item.objects.get().title == "Old"


def test_overlapping_rows_of_one_key_are_rejected(now: datetime) -> None:
    put_rows("item", {"number": "A-1", "valid_from": "2026-01-01"}, now=now)
    with pytest.raises(OverlappingRows):
        put_rows("item", {"number": "a-1 "}, now=now)
    assert Item.objects.count() == 1


def test_stale_version_is_rejected(now: datetime) -> None:
    put_rows("item", {"number": "A-1", "title": "Old"}, now=now)
    item = Item.objects.get()
    put_rows("item", {"number": "A-1", "title": "Other"}, now=now)
    with pytest.raises(StaleVersion):
        write_and_restore_rows.update_existing_row(
            ITEM,
            item.pk,
            parsed_row(title="Mine"),
            version=item.version,
            context=change_context(now),
        )
    assert Item.objects.get().title == "Other"


def test_row_can_change_key_and_validity(now: datetime) -> None:
    put_rows("item", {"number": "A-0"}, now=now)
    item = Item.objects.get()
    new = parsed_row(valid_from="2026-01-01")
    write_and_restore_rows.update_existing_row(
        ITEM, item.pk, new, version=1, context=change_context(now)
    )
    changed = Item.objects.get()
    assert (changed.pk, changed.number, changed.valid_from is not None) == (item.pk, "A-1", True)


def test_two_rows_can_swap_titles_in_one_write(now: datetime) -> None:
    first = {"number": "A-1", "title": "One", "valid_to": "2026-01-01"}
    second = {"number": "A-1", "title": "Two", "valid_from": "2026-01-01"}
    put_rows("item", first, second, now=now)
    put_rows("item", {**first, "title": "Two"}, {**second, "title": "One"}, now=now)
    assert list(Item.objects.order_by("pk").values_list("title", flat=True)) == ["Two", "One"]


def test_unknown_source_or_calendar_is_rejected(now: datetime) -> None:
    with pytest.raises(InvalidCell, match="source"):
        map_item("W", "A", now=now)
    with pytest.raises(InvalidCell, match="calendar"):
        put_rows("location", {"code": "D", "calendar": "nine-to-five"}, now=now)


def test_predicted_effect_equals_the_actual_refolds(shop: Source, now: datetime) -> None:
    map_item("W-0", "A-0", now=now)
    process_all()
    receive_order(shop, "SO-1", "W-1")
    receive_order(shop, "SO-2", "W-1", at="2026-05-02T15:00:00Z")
    receive_order(shop, "SO-3", "W-2")
    table = TABLES["mapping"]
    cells = {"kind": "item", "source": "shop", "external": "W-1", "canonical": "A-1"}
    predicted = affected_orders.predict_affected_orders_and_messages(
        table, [table.parse_row_or_raise_invalid_cell(cells)]
    )
    assert (predicted.orders, predicted.messages, predicted.includes_backfill) == (2, 2, False)
    later = affected_orders.predict_affected_orders_and_messages(
        table, [table.parse_row_or_raise_invalid_cell({**cells, "valid_from": "2026-04-01"})]
    )
    assert later.orders == 1
    put_rows("mapping", cells, now=now)
    assert RefoldRequest.objects.count() == 2


def test_item_change_refolds_orders_mapped_to_it(shop: Source, now: datetime) -> None:
    put_rows("item", {"number": "A-1"}, now=now)
    map_item("W-1", "A-1", now=now)
    receive_order(shop, "SO-1", "W-1")
    process_all()
    put_rows("item", {"number": "A-1", "components": "B: 2"}, now=now)
    assert RefoldRequest.objects.count() == 1


def test_identical_write_changes_nothing(shop: Source, now: datetime) -> None:
    map_item("W-1", "A-1", now=now)
    process_all()
    assert map_item("W-1", "A-1", now=now).unchanged == 1
    assert TermMapping.objects.get().version == 1
    assert not RefoldRequest.objects.exists()
