"""Rows are written all or nothing, their history kept, and every change can be taken back."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import pytest

from tests.master.conftest import mapped, put, settle, told
from visibility.master_data import impact, store
from visibility.master_data.cells import BadCell
from visibility.master_data.store import Author, Overlap, Stale
from visibility.master_data.tables import TABLES, Row
from visibility.models import AuditEntry, Item, MasterChange, Refold, Source, WordMapping

pytestmark = pytest.mark.django_db
ITEM = TABLES["item"]


def row(**cells: str) -> Row:
    return ITEM.read({"number": "A-1", **cells})


def by(now: datetime) -> Author:
    return Author(None, "test", now)


def images(change: MasterChange) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    return change.before or {}, change.after or {}


def test_every_change_is_kept_with_what_was_before_and_after(now: datetime) -> None:
    put("item", {"number": "A-1", "title": "Old"}, now=now)
    put("item", {"number": "A-1", "title": "New"}, now=now)
    first, second = MasterChange.objects.order_by("pk")
    assert (first.what, images(first)[1]["title"]) == ("added", "Old")
    before, after = images(second)
    assert (second.what, before["title"], after["title"]) == ("changed", "Old", "New")
    assert Item.objects.get().version == 2
    assert AuditEntry.objects.filter(what="master.item").count() == 2


def test_a_row_goes_back_to_what_it_was(now: datetime) -> None:
    put("item", {"number": "A-1", "title": "Old"}, now=now)
    put("item", {"number": "A-1", "title": "New"}, now=now)
    store.roll_back(ITEM, MasterChange.objects.earliest("pk"), by=by(now))
    assert (Item.objects.get().title, Item.objects.get().version) == ("Old", 3)


def test_a_row_taken_away_comes_back(now: datetime) -> None:
    put("item", {"number": "A-1", "title": "Old"}, now=now)
    assert store.remove(ITEM, Item.objects.get().pk, by=by(now))
    assert not Item.objects.exists()
    store.roll_back(ITEM, MasterChange.objects.latest("pk"), by=by(now))
    assert Item.objects.get().title == "Old"


def test_two_rows_of_one_name_at_one_time_are_refused(now: datetime) -> None:
    put("item", {"number": "A-1", "valid_from": "2026-01-01"}, now=now)
    with pytest.raises(Overlap):
        put("item", {"number": "a-1 "}, now=now)
    assert Item.objects.count() == 1


def test_a_row_changed_by_somebody_else_meanwhile_is_left_alone(now: datetime) -> None:
    put("item", {"number": "A-1", "title": "Old"}, now=now)
    held = Item.objects.get()
    put("item", {"number": "A-1", "title": "Theirs"}, now=now)
    with pytest.raises(Stale):
        store.replace(ITEM, held.pk, row(title="Mine"), version=held.version, by=by(now))
    assert Item.objects.get().title == "Theirs"


def test_a_row_can_take_another_name_and_another_time(now: datetime) -> None:
    put("item", {"number": "A-0"}, now=now)
    held = Item.objects.get()
    new = row(valid_from="2026-01-01")
    store.replace(ITEM, held.pk, new, version=1, by=by(now))
    found = Item.objects.get()
    assert (found.pk, found.number, found.valid_from is not None) == (held.pk, "A-1", True)


def test_two_rows_may_trade_their_times_in_one_write(now: datetime) -> None:
    first = {"number": "A-1", "title": "One", "valid_to": "2026-01-01"}
    second = {"number": "A-1", "title": "Two", "valid_from": "2026-01-01"}
    put("item", first, second, now=now)
    put("item", {**first, "title": "Two"}, {**second, "title": "One"}, now=now)
    assert list(Item.objects.order_by("pk").values_list("title", flat=True)) == ["Two", "One"]


def test_a_source_or_a_calendar_that_is_not_there_is_refused(now: datetime) -> None:
    with pytest.raises(BadCell, match="source"):
        mapped("W", "A", now=now)
    with pytest.raises(BadCell, match="calendar"):
        put("location", {"code": "D", "calendar": "nine-to-five"}, now=now)


def test_the_effect_is_told_before_and_is_what_happens(shop: Source, now: datetime) -> None:
    mapped("W-0", "A-0", now=now)
    settle()
    told(shop, "SO-1", "W-1")
    told(shop, "SO-2", "W-1", at="2026-05-02T15:00:00Z")
    told(shop, "SO-3", "W-2")
    table = TABLES["mapping"]
    cells = {"table": "item", "source": "shop", "theirs": "W-1", "ours": "A-1"}
    told_effect = impact.effect(table, [table.read(cells)])
    assert (told_effect.orders, told_effect.messages, told_effect.whole) == (2, 2, False)
    later = impact.effect(table, [table.read({**cells, "valid_from": "2026-04-01"})])
    assert later.orders == 1
    put("mapping", cells, now=now)
    assert Refold.objects.count() == 2


def test_an_item_that_words_mean_reads_their_orders_again(shop: Source, now: datetime) -> None:
    put("item", {"number": "A-1"}, now=now)
    mapped("W-1", "A-1", now=now)
    told(shop, "SO-1", "W-1")
    settle()
    put("item", {"number": "A-1", "components": "B: 2"}, now=now)
    assert Refold.objects.count() == 1


def test_a_change_to_nothing_else_is_no_change(shop: Source, now: datetime) -> None:
    mapped("W-1", "A-1", now=now)
    settle()
    assert mapped("W-1", "A-1", now=now).unchanged == 1
    assert WordMapping.objects.get().version == 1
    assert not Refold.objects.exists()
