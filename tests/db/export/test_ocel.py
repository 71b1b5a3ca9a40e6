"""OCEL exports, read with pm4py, the reference implementation."""

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from tests.builders.exported_order import EVENTS, OBJECTS
from tests.db.export.conftest import ExportWriter
from visibility.db.database_time import database_now
from visibility.export.export_orders_in_format import Format, export_orders
from visibility.export.redaction import Redaction
from visibility.export.snapshot_to_temp_tables import OrderSelection, TooManyOrders
from visibility.models import Order
from visibility.screens.orders.order_filters import order_filters

pm4py: Any = import_module("pm4py")
BOTH_FORMATS = pytest.mark.parametrize("format", [Format.OCEL_JSON, Format.OCEL_SQLITE])


def read_log(path: Path) -> Any:
    read = pm4py.read_ocel2_sqlite if path.suffix == ".sqlite" else pm4py.read_ocel2_json
    return read(str(path))


def relations(ocel: Any) -> set[tuple[str, str, str]]:
    frame = ocel.relations[["ocel:activity", "ocel:oid", "ocel:qualifier"]]
    return {tuple(row) for row in frame.itertuples(index=False)}


def pairs(ocel: Any) -> set[tuple[str, str, str]]:
    frame = ocel.o2o[["ocel:oid", "ocel:oid_2", "ocel:qualifier"]]
    return {tuple(row) for row in frame.itertuples(index=False)}


@BOTH_FORMATS
def test_number_of_objects_by_kind(write_export: ExportWriter, format: Format) -> None:
    ocel = read_log(write_export(format))
    assert ocel.objects["ocel:type"].value_counts().to_dict() == OBJECTS
    assert len(ocel.events) == EVENTS


@BOTH_FORMATS
def test_events_are_related_to_their_objects(write_export: ExportWriter, format: Format) -> None:
    ocel = read_log(write_export(format))
    related = relations(ocel)
    assert ("shipment.confirmed", "order:sales_order:erp:SO-1", "order") in related
    assert ("shipment.confirmed", "package:tracking::1ZA1", "package") in related
    assert ("shipment.confirmed", "item:sku::A-1", "shipped") in related
    assert ("order.received", "item:sku::B 2/5", "ordered") in related
    shared = ocel.relations[ocel.relations["ocel:oid"] == "package:tracking::1ZA4"]
    assert sorted(shared["ocel:activity"]) == [
        "shipment.confirmed",
        "shipment.confirmed",
        "shipment.delivered",
        "shipment.in_transit",
    ]


@BOTH_FORMATS
def test_object_relations_are_many_to_many(write_export: ExportWriter, format: Format) -> None:
    related = pairs(read_log(write_export(format)))
    shared = {a for a, b, _ in related if b == "shipment:shipment:wms:S3"}
    assert shared == {"order:sales_order:erp:SO-2", "order:sales_order:erp:SO-3"}
    assert {b for a, b, q in related if a == "order:sales_order:erp:SO-1" and q == "shipment"} == {
        "shipment:shipment:wms:S1",
        "shipment:shipment:wms:S2",
    }
    assert ("order:sales_order:erp:SO-1", "item:sku::A-1", "item") in related


def test_json_and_sqlite_are_equivalent(write_export: ExportWriter) -> None:
    first, second = (read_log(write_export(f)) for f in (Format.OCEL_JSON, Format.OCEL_SQLITE))
    assert relations(first) == relations(second)
    assert len(first.relations) == len(second.relations)
    assert pairs(first) == pairs(second)
    times = [
        dict(zip(o.events["ocel:eid"], o.events["ocel:timestamp"], strict=True))
        for o in (first, second)
    ]
    assert times[0] == times[1]
    assert str(min(times[0].values())) == "2026-03-02 15:00:00+00:00"


def test_attribute_changes_have_times(write_export: ExportWriter) -> None:
    ocel = read_log(write_export(Format.OCEL_SQLITE))
    changes = ocel.object_changes
    promised = changes[changes["ocel:field"] == "promised_at"].sort_values("ocel:timestamp")
    assert list(promised["promised_at"]) == ["2026-03-05", "2026-03-09"]
    assert [str(at)[:16] for at in promised["ocel:timestamp"]] == [
        "2026-03-02 15:00",
        "2026-03-02 18:00",
    ]
    steps = changes[changes["ocel:field"] == "step"]
    order_steps = steps[steps["ocel:oid"] == "order:sales_order:erp:SO-1"]
    assert {"received", "shipped", "invoiced"} <= set(order_steps["step"])


def test_sqlite_file_passes_the_ocel_validator(write_export: ExportWriter) -> None:
    rules: Any = import_module("pm4py.objects.ocel.validation.ocel20_rel_validation")
    satisfied, broken = rules.apply(str(write_export(Format.OCEL_SQLITE)))
    assert satisfied
    assert broken == []


@BOTH_FORMATS
def test_superseded_events_are_left_out(write_export: ExportWriter, format: Format) -> None:
    ocel = read_log(write_export(format))
    keys = list(ocel.events["key"])
    assert "wms S9" not in keys
    assert "wms S9 void" in keys
    assert keys.count("finance I1") == 1


@BOTH_FORMATS
def test_selection_excludes_other_orders(write_export: ExportWriter, format: Format) -> None:
    two = Order.objects.get(number="SO-2")
    ocel = read_log(write_export(format, OrderSelection(order_ids=(two.object_id,))))
    orders = ocel.objects[ocel.objects["ocel:type"] == "order"]
    assert list(orders["ocel:oid"]) == ["order:sales_order:erp:SO-2"]
    assert not [oid for oid in ocel.relations["ocel:oid"] if "SO-3" in oid]
    assert "item" not in set(ocel.relations["ocel:type"])


def test_selection_by_filter_and_time(write_export: ExportWriter) -> None:
    def orders(selection: OrderSelection) -> list[str]:
        objects = read_log(write_export(Format.OCEL_JSON, selection)).objects
        return sorted(objects[objects["ocel:type"] == "order"]["number"])

    at = Order.objects.get(number="SO-1").last_event_at
    assert orders(OrderSelection(since=at)) == ["SO-1"]
    assert orders(OrderSelection(until=at)) == ["SO-2", "SO-3"]
    assert orders(OrderSelection(order_filters(customer="Quist"))) == ["SO-1"]


def test_prices_and_personal_data_are_redacted(write_export: ExportWriter) -> None:
    for format in Format:
        redacted = write_export(format, sight=Redaction(prices=False, contacts=False)).read_bytes()
        for secret in (b"201.5", b"Quist", b"Nora"):
            assert secret not in redacted
        if format is not Format.OCEL_SQLITE:
            complete = write_export(format).read_bytes()
            assert all(secret in complete for secret in (b"201.5", b"Quist", b"Nora"))


def test_order_limit_is_enforced(write_export: ExportWriter, tmp_path: Path) -> None:
    for max_orders, is_rejected in ((2, True), (3, False)):
        path = tmp_path / f"most {max_orders}"
        args: dict[str, Any] = {"format": Format.OCEL_JSON, "path": path, "now": database_now()}
        sight = Redaction(prices=False, contacts=False)
        if is_rejected:
            with pytest.raises(TooManyOrders):
                export_orders(OrderSelection(), redaction=sight, max_orders=max_orders, **args)
            assert not path.exists()
        else:
            assert (
                export_orders(OrderSelection(), redaction=sight, max_orders=max_orders, **args) == 3
            )
