"""Both OCEL files, opened by the tool that defines how such files are read."""

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from tests.export.cast import EVENTS, OBJECTS
from tests.export.conftest import Written
from visibility.db.clock import database_now
from visibility.export.formats import Format, export
from visibility.export.redaction import Sight
from visibility.export.snapshot import Selection, TooMany
from visibility.models import Order
from visibility.screens.orders.order_list import Filters

pm4py: Any = import_module("pm4py")
BOTH = pytest.mark.parametrize("format", [Format.OCEL_JSON, Format.OCEL_SQLITE])


def opened(path: Path) -> Any:
    read = pm4py.read_ocel2_sqlite if path.suffix == ".sqlite" else pm4py.read_ocel2_json
    return read(str(path))


def relations(ocel: Any) -> set[tuple[str, str, str]]:
    frame = ocel.relations[["ocel:activity", "ocel:oid", "ocel:qualifier"]]
    return {tuple(row) for row in frame.itertuples(index=False)}


def pairs(ocel: Any) -> set[tuple[str, str, str]]:
    frame = ocel.o2o[["ocel:oid", "ocel:oid_2", "ocel:qualifier"]]
    return {tuple(row) for row in frame.itertuples(index=False)}


@BOTH
def test_objects_are_counted_by_kind(written: Written, format: Format) -> None:
    ocel = opened(written(format))
    assert ocel.objects["ocel:type"].value_counts().to_dict() == OBJECTS
    assert len(ocel.events) == EVENTS


@BOTH
def test_events_are_related_to_all_they_name(written: Written, format: Format) -> None:
    ocel = opened(written(format))
    found = relations(ocel)
    assert ("shipment.confirmed", "order:sales_order:erp:SO-1", "order") in found
    assert ("shipment.confirmed", "package:tracking::1ZA1", "package") in found
    assert ("shipment.confirmed", "item:sku::A-1", "shipped") in found
    assert ("order.received", "item:sku::B 2/5", "ordered") in found
    shared = ocel.relations[ocel.relations["ocel:oid"] == "package:tracking::1ZA4"]
    assert sorted(shared["ocel:activity"]) == [
        "shipment.confirmed",
        "shipment.confirmed",
        "shipment.delivered",
        "shipment.in_transit",
    ]


@BOTH
def test_objects_are_related_many_to_many(written: Written, format: Format) -> None:
    found = pairs(opened(written(format)))
    shared = {a for a, b, _ in found if b == "shipment:shipment:wms:S3"}
    assert shared == {"order:sales_order:erp:SO-2", "order:sales_order:erp:SO-3"}
    assert {b for a, b, q in found if a == "order:sales_order:erp:SO-1" and q == "shipment"} == {
        "shipment:shipment:wms:S1",
        "shipment:shipment:wms:S2",
    }
    assert ("order:sales_order:erp:SO-1", "item:sku::A-1", "item") in found


def test_both_files_say_the_same(written: Written) -> None:
    first, second = (opened(written(f)) for f in (Format.OCEL_JSON, Format.OCEL_SQLITE))
    assert relations(first) == relations(second)
    assert len(first.relations) == len(second.relations)
    assert pairs(first) == pairs(second)
    times = [
        dict(zip(o.events["ocel:eid"], o.events["ocel:timestamp"], strict=True))
        for o in (first, second)
    ]
    assert times[0] == times[1]
    assert str(min(times[0].values())) == "2026-03-02 15:00:00+00:00"


def test_what_changes_says_when(written: Written) -> None:
    ocel = opened(written(Format.OCEL_SQLITE))
    changes = ocel.object_changes
    promised = changes[changes["ocel:field"] == "promised_at"].sort_values("ocel:timestamp")
    assert list(promised["promised_at"]) == ["2026-03-05", "2026-03-09"]
    assert [str(at)[:16] for at in promised["ocel:timestamp"]] == [
        "2026-03-02 15:00",
        "2026-03-02 18:00",
    ]
    steps = changes[changes["ocel:field"] == "step"]
    mine = steps[steps["ocel:oid"] == "order:sales_order:erp:SO-1"]
    assert {"received", "shipped", "invoiced"} <= set(mine["step"])


def test_the_relational_file_is_as_the_standard_says(written: Written) -> None:
    rules: Any = import_module("pm4py.objects.ocel.validation.ocel20_rel_validation")
    satisfied, broken = rules.apply(str(written(Format.OCEL_SQLITE)))
    assert satisfied
    assert broken == []


@BOTH
def test_what_was_taken_back_is_not_part_of_the_log(written: Written, format: Format) -> None:
    ocel = opened(written(format))
    keys = list(ocel.events["key"])
    assert "wms S9" not in keys
    assert "wms S9 void" in keys
    assert keys.count("finance I1") == 1


@BOTH
def test_a_selection_holds_nothing_of_other_orders(written: Written, format: Format) -> None:
    two = Order.objects.get(number="SO-2")
    ocel = opened(written(format, Selection(order_ids=(two.object_id,))))
    orders = ocel.objects[ocel.objects["ocel:type"] == "order"]
    assert list(orders["ocel:oid"]) == ["order:sales_order:erp:SO-2"]
    assert not [oid for oid in ocel.relations["ocel:oid"] if "SO-3" in oid]
    assert "item" not in set(ocel.relations["ocel:type"])


def test_a_selection_goes_by_filters_and_by_time(written: Written) -> None:
    def orders(selection: Selection) -> list[str]:
        objects = opened(written(Format.OCEL_JSON, selection)).objects
        return sorted(objects[objects["ocel:type"] == "order"]["number"])

    at = Order.objects.get(number="SO-1").last_event_at
    assert orders(Selection(since=at)) == ["SO-1"]
    assert orders(Selection(until=at)) == ["SO-2", "SO-3"]
    assert orders(Selection(Filters(customer="Quist"))) == ["SO-1"]


def test_prices_and_people_are_for_those_who_may(written: Written) -> None:
    for format in Format:
        blind = written(format, sight=Sight(prices=False, contacts=False)).read_bytes()
        for secret in (b"201.5", b"Quist", b"Nora"):
            assert secret not in blind
        if format is not Format.OCEL_SQLITE:
            seeing = written(format).read_bytes()
            assert all(secret in seeing for secret in (b"201.5", b"Quist", b"Nora"))


def test_more_than_the_limit_is_refused(written: Written, tmp_path: Path) -> None:
    for most, refused in ((2, True), (3, False)):
        path = tmp_path / f"most {most}"
        args: dict[str, Any] = {"format": Format.OCEL_JSON, "path": path, "now": database_now()}
        sight = Sight(prices=False, contacts=False)
        if refused:
            with pytest.raises(TooMany):
                export(Selection(), sight=sight, most=most, **args)
            assert not path.exists()
        else:
            assert export(Selection(), sight=sight, most=most, **args) == 3
