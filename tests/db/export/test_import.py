"""OCEL imports give the same relations and cycle times as pm4py."""

import random
from datetime import UTC, datetime, timedelta
from importlib import import_module
from io import StringIO
from pathlib import Path
from typing import Any

import orjson
import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from connectors.systems.ocel.object_and_activity_names import (
    ACTIVITIES,
    KINDS,
    lower_case_singular_name,
)
from tests.builders.exported_order import EVENTS
from tests.builders.sources import create_source
from tests.db.export.conftest import ExportWriter
from visibility.db.database_time import database_now
from visibility.export.export_orders_in_format import Format
from visibility.ingest import ocel_import
from visibility.ingest.ocel_import import split_log_into_messages
from visibility.models import BusinessObject, Event, InboundMessage, Order, Shipment, Source
from visibility.storage.order_folding import load_and_fold_orders

pm4py: Any = import_module("pm4py")
graphs: Any = import_module("pm4py.algo.transformation.ocel.graphs.object_interaction_graph")
START = datetime(2026, 3, 2, 8, tzinfo=UTC)
ORDERS = 30
LINKS = """
SELECT e.key, i.raw FROM visibility_event e
JOIN visibility_eventobjectlink link ON link.event_id = e.id
JOIN visibility_identifier i ON i.object_id = link.object_id
"""
PAIRS = """
SELECT parent.raw, child.raw FROM visibility_objectrelation r
JOIN visibility_identifier parent ON parent.object_id = r.parent_id AND parent.kind = 'order'
JOIN visibility_identifier child ON child.object_id = r.child_id AND child.kind = 'package'
"""


def generated_log() -> dict[str, Any]:
    """Generate a log of orders, items and packages, with split orders and shared packages."""
    dice = random.Random(7)
    objects: dict[str, dict[str, Any]] = {}
    events: list[dict[str, Any]] = []

    def add_object(object_id: str, kind: str, *related: str) -> str:
        relations = [{"objectId": other, "qualifier": "has"} for other in related]
        objects[object_id] = {"id": object_id, "type": kind, "relationships": relations}
        return object_id

    def add_event(event_type: str, hour: float, *named: str) -> None:
        at = START + timedelta(hours=hour, seconds=dice.randrange(3000))
        related = [{"objectId": item, "qualifier": objects[item]["type"]} for item in named]
        time = at.isoformat().replace("+00:00", "Z")
        event = {
            "id": f"e-{len(events)}",
            "type": event_type,
            "time": time,
            "relationships": related,
        }
        events.append(event)

    shared = ""
    for number in range(ORDERS):
        items = [add_object(f"i-{number}-{n}", "items") for n in range(dice.randrange(1, 4))]
        order = add_object(f"o-{number}", "orders", *items)
        customer = add_object(f"c-{number % 5}", "customers")
        add_event("place order", number, order, customer, *items)
        add_event("confirm order", number + 1, order)
        for item in items:
            add_event("pick item", number + 3, item, order)
        add_event("payment reminder", number + 4, order)
        packages = [add_object(f"p-{number}-{n}", "packages") for n in range(dice.randrange(1, 3))]
        for index, package in enumerate(packages):
            contents = items[index :: len(packages)]
            add_event("create package", number + 5 + index, package, order, *contents)
            add_event("send package", number + 10 + index, package, order)
            add_event("package delivered", number + 20 + 9 * index, package, order)
        if shared and dice.random() < 0.4:
            add_event("send package", number + 15, shared, order)
        shared = packages[0]
        add_event("pay order", number + dice.randrange(30, 90), order)
    return {
        "objectTypes": [
            {"name": name, "attributes": []}
            for name in ("orders", "items", "packages", "customers")
        ],
        "eventTypes": [
            {"name": name, "attributes": []} for name in sorted({e["type"] for e in events})
        ],
        "objects": list(objects.values()),
        "events": events,
    }


@pytest.fixture
def source(db: None, monkeypatch: pytest.MonkeyPatch) -> Source:
    monkeypatch.setattr(
        "visibility.pipeline.job_functions.ask_worker_to_run_job_now", lambda *_: None
    )
    return create_source("log", connector="ocel", role="other")


def log_file(folder: Path, suffix: str) -> Path:
    """Write the log with pm4py."""
    generated, converted = folder / "made.json", folder / f"log.{suffix}"
    generated.write_bytes(orjson.dumps(generated_log()))
    write = pm4py.write_ocel2_sqlite if suffix == "sqlite" else pm4py.write_ocel2_json
    write(pm4py.read_ocel2_json(str(generated)), str(converted))
    return converted


def read_log(path: Path) -> Any:
    read = pm4py.read_ocel2_sqlite if path.suffix == ".sqlite" else pm4py.read_ocel2_json
    return read(str(path))


def import_log(path: Path) -> str:
    out = StringIO()
    call_command("import_ocel", str(path), "--source", "log", stdout=out)
    return out.getvalue().strip()


def rows(statement: str) -> set[tuple[str, str]]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return set(cursor.fetchall())


def interacting_pairs(ocel: Any) -> set[tuple[str, str]]:
    """(order, package) pairs of the object interaction graph of pm4py."""
    pairs = {pair for item, other in graphs.apply(ocel) for pair in ((item, other), (other, item))}
    return {(a, b) for a, b in pairs if a.startswith("o-") and b.startswith("p-")}


@pytest.mark.parametrize("suffix", ["json", "sqlite"])
def test_relations_cycle_times_and_splits_equal_pm4py(
    source: Source, tmp_path: Path, suffix: str
) -> None:
    path = log_file(tmp_path, suffix)
    import_log(path)
    assert set(InboundMessage.objects.values_list("state", flat=True)) == {"applied"}
    ocel = read_log(path)

    named = ocel.relations[ocel.relations["ocel:type"].isin(["orders", "items", "packages"])]
    expected_links = {
        (f"ocel {event}", item)
        for event, item in zip(named["ocel:eid"], named["ocel:oid"], strict=True)
    }
    assert rows(LINKS) == expected_links
    assert rows(PAIRS) == interacting_pairs(ocel)
    assert len(expected_links) > 200

    durations = pm4py.get_all_case_durations(pm4py.ocel_flattening(ocel, "orders"))
    ids = list(Order.objects.values_list("object_id", flat=True))
    cycle_times = [
        (t.entries[-1].recorded.occurred_at - t.entries[0].recorded.occurred_at).total_seconds()
        for t in load_and_fold_orders(ids, as_of=database_now()).values()
    ]
    assert len(cycle_times) == ORDERS
    assert sorted(cycle_times) == pytest.approx(sorted(durations))

    packages = [item for item, _ in interacting_pairs(ocel)]
    split = {item for item in packages if packages.count(item) > 1}
    shipped = list(Shipment.objects.values_list("order__number", flat=True))
    assert {n for n in shipped if shipped.count(n) > 1} == split
    assert 0 < len(split) < ORDERS


def test_items_become_order_lines(source: Source, tmp_path: Path) -> None:
    import_log(log_file(tmp_path, "json"))
    items = [o["id"] for o in generated_log()["objects"] if o["type"] == "items"]
    order = Order.objects.get(number="o-3")
    lines = order.lines.all()
    assert sorted(line.sku for line in lines) == [i for i in items if i.startswith("i-3-")]
    assert {q for line in lines for q in (line.ordered, line.picked, line.packed)} == {1}


def test_repeated_import_changes_nothing(source: Source, tmp_path: Path) -> None:
    path = log_file(tmp_path, "json")
    assert import_log(path).endswith("0 already stored")
    before = list(Event.objects.order_by("id").values_list("id", "key"))
    assert import_log(path).startswith("0 new messages")
    assert list(Event.objects.order_by("id").values_list("id", "key")) == before


def test_result_is_independent_of_the_chunk_size(
    source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = log_file(tmp_path, "json")
    monkeypatch.setattr(ocel_import, "EVENTS_PER_MESSAGE", 7)
    import_log(path)
    ocel = read_log(path)
    assert rows(PAIRS) == interacting_pairs(ocel)
    assert Event.objects.count() == len(ocel.events)


def test_relation_without_event_is_attached_to_its_object() -> None:
    log = {
        "objects": [
            {"id": "o", "type": "order", "relationships": [{"objectId": "p"}, {"objectId": "q"}]},
            {"id": "p", "type": "package"},
            {"id": "q", "type": "package"},
        ],
        "events": [
            {"id": "1", "type": "x", "relationships": [{"objectId": "o"}, {"objectId": "p"}]},
            {"id": "2", "type": "x", "relationships": [{"objectId": "q"}]},
        ],
    }
    (chunk,) = split_log_into_messages(log, ())
    assert [r["objectId"] for r in chunk["objects"][0]["relationships"]] == ["q"]


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b'{"events": 1}', b'{"events": [1], "objects": []}', b"SQLite format 3\0"],
)
def test_invalid_log_is_rejected(source: Source, tmp_path: Path, body: bytes) -> None:
    path = tmp_path / "no log"
    path.write_bytes(body)
    with pytest.raises(CommandError, match="no log"):
        call_command("import_ocel", str(path), "--source", "log")
    assert not InboundMessage.objects.exists()


def test_import_requires_an_ocel_source(source: Source, tmp_path: Path) -> None:
    Source.objects.filter(slug="log").update(connector="cloudevents")
    with pytest.raises(CommandError, match="is not a source with the connector ocel"):
        call_command("import_ocel", str(tmp_path / "x"), "--source", "log")


def test_type_names_are_normalized() -> None:
    assert (
        lower_case_singular_name("Sales_Orders")
        == lower_case_singular_name("sales order")
        == "sale order"
    )
    assert lower_case_singular_name("Deliveries") == "delivery"
    assert [name for name in (*KINDS, *ACTIVITIES) if lower_case_singular_name(name) != name] == []


def test_own_export_imports_to_the_same_objects(
    write_export: ExportWriter, source: Source, sources: dict[str, Source]
) -> None:
    before = set(Order.objects.values_list("number", flat=True))
    objects = BusinessObject.objects.count()
    import_log(write_export(Format.OCEL_SQLITE))
    assert set(Order.objects.values_list("number", flat=True)) == before
    assert BusinessObject.objects.count() == objects
    imported = InboundMessage.objects.filter(source=source)
    assert set(imported.values_list("state", flat=True)) == {"applied"}
    assert Event.objects.filter(source=source).count() == EVENTS
