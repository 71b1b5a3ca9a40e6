"""An OCEL log that names the pieces of orders only with their order, once."""

import random
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import orjson
import pytest
from django.core.management import call_command
from django.db import transaction

from tests.builders.order_line_log import (
    EVENTS_OF_ORDERS,
    STEPS,
    hour,
    log_of_steps,
    object_type,
)
from tests.builders.sources import create_source
from visibility.db.database_time import database_now
from visibility.export.export_orders_in_format import Format, export_orders
from visibility.export.redaction import NO_REDACTION, Redaction
from visibility.export.snapshot_to_temp_tables import OrderSelection
from visibility.identity.store_and_link_events import supersede_events_of_messages
from visibility.ingest import ocel_import
from visibility.models import Event, InboundMessage, ObjectRelation, Order, Source, UnmatchedObject
from visibility.pipeline import job_functions
from visibility.screens.identity.unmatched_records import load_unmatched_records
from visibility.storage.order_folding import load_and_fold_orders
from visibility.timeline import MilestoneCode, Timeline

pm4py: Any = import_module("pm4py")
TYPES = {"orders": "order", "items": "order_line", "packages": "package"}


@pytest.fixture
def source(db: None, monkeypatch: pytest.MonkeyPatch) -> Source:
    monkeypatch.setattr(
        "visibility.pipeline.job_functions.ask_worker_to_run_job_now", lambda *_: None
    )
    return create_source("log", connector="ocel", role="other")


def import_steps(folder: Path, *steps: tuple[int, str, str]) -> None:
    path = folder / "log.json"
    path.write_bytes(orjson.dumps(log_of_steps(*steps)))
    call_command("import_ocel", str(path), "--source", "log")


def timelines(as_of: datetime | None = None) -> dict[str, Timeline]:
    numbers = dict(Order.objects.values_list("object_id", "number"))
    folded = load_and_fold_orders(list(numbers), as_of=as_of or database_now())
    return {numbers[order_id]: timeline for order_id, timeline in folded.items()}


def events_by_order() -> dict[str, set[int]]:
    return {
        number: {int(e.recorded.event.key.removeprefix("ocel ")) for e in timeline.entries}
        for number, timeline in timelines().items()
    }


def shuffled(seed: int) -> list[tuple[int, str, str]]:
    steps = list(STEPS)
    random.Random(seed).shuffle(steps)
    return steps


@pytest.mark.parametrize(
    ("steps", "events_per_message"),
    [(STEPS, 100), (STEPS[::-1], 1), (shuffled(1), 4)],
    ids=["one message", "reversed, one event each", "shuffled"],
)
def test_events_of_pieces_and_packages_belong_to_their_orders(
    source: Source,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    steps: list[tuple[int, str, str]],
    events_per_message: int,
) -> None:
    monkeypatch.setattr(ocel_import, "EVENTS_PER_MESSAGE", events_per_message)
    import_steps(tmp_path, *steps)
    assert set(InboundMessage.objects.values_list("state", flat=True)) == {"applied"}
    assert not UnmatchedObject.objects.exists()
    assert events_by_order() == EVENTS_OF_ORDERS
    counts = dict(Order.objects.values_list("number", "event_count"))
    assert counts == {number: len(events) for number, events in EVENTS_OF_ORDERS.items()}

    folded = timelines()
    assert {
        number: (t.milestone_completed_at(MilestoneCode.DELIVERED), len(t.shipments))
        for number, t in folded.items()
    } == {"A": (hour(72), 2), "B": (hour(50), 2), "C": (hour(50), 1)}
    received = {n: t.milestone_reached_at(MilestoneCode.RECEIVED) for n, t in folded.items()}
    assert received == {"A": hour(0), "B": hour(1), "C": hour(2)}
    shipped = {n: t.milestones[MilestoneCode.SHIPPED] for n, t in folded.items()}
    assert {n: (m.reached_at, m.completed_at) for n, m in shipped.items()} == {
        "A": (hour(22), hour(55)),
        "B": (hour(22), hour(26)),
        "C": (hour(26), hour(26)),
    }
    contents = {
        number: [sorted(i.name for p in s.packages for i in p.items) for s in t.shipments]
        for number, t in folded.items()
    }
    assert contents == {"A": [["a1", "a2"], ["a3"]], "B": [["b1"], ["b2"]], "C": [["c1"]]}


def test_states_during_the_log_are_those_of_the_own_pieces(source: Source, tmp_path: Path) -> None:
    import_steps(tmp_path, *STEPS)
    states = {
        hours: {number: t.status.value for number, t in timelines(hour(hours)).items()}
        for hours in (12, 21, 23, 48, 60)
    }
    assert states == {
        12: {"A": "picked", "B": "picked", "C": "picked"},
        21: {"A": "packed", "B": "packed", "C": "picked"},
        23: {"A": "partially_shipped", "B": "partially_shipped", "C": "picked"},
        48: {"A": "partially_delivered", "B": "partially_delivered", "C": "shipped"},
        60: {"A": "partially_delivered", "B": "delivered", "C": "delivered"},
    }


def exported_log(path: Path, format: Format, redaction: Redaction) -> Any:
    export_orders(
        OrderSelection(), format=format, path=path, redaction=redaction, now=database_now()
    )
    is_sqlite = format is Format.OCEL_SQLITE
    return (pm4py.read_ocel2_sqlite if is_sqlite else pm4py.read_ocel2_json)(str(path))


@pytest.mark.parametrize("format", [Format.OCEL_JSON, Format.OCEL_SQLITE])
def test_export_has_the_events_attributes_objects_and_relations_of_the_log(
    source: Source, tmp_path: Path, format: Format
) -> None:
    import_steps(tmp_path, *STEPS)
    suffix = "sqlite" if format is Format.OCEL_SQLITE else "json"
    exported = exported_log(tmp_path / f"out.{suffix}", format, NO_REDACTION)
    rows = exported.events[["key", "raw_type", "ocel:timestamp", "weight"]].itertuples(index=False)
    assert {tuple(row) for row in rows} == {
        (f"ocel {number}", activity, hour(hours), f"{hours}.50")
        for number, (hours, activity, _) in enumerate(STEPS, 1)
    }
    own = exported.objects[exported.objects["ocel:type"] != "item"]
    ids = {i: i.split(":", 3)[3] for i in own["ocel:oid"]}
    assert {(ids[i], kind) for i, kind in zip(own["ocel:oid"], own["ocel:type"], strict=True)} == {
        (name, TYPES[object_type(name)]) for *_, names in STEPS for name in names.split()
    }
    keys = dict(zip(exported.events["ocel:eid"], exported.events["key"], strict=True))
    relations = zip(exported.relations["ocel:eid"], exported.relations["ocel:oid"], strict=True)
    assert {(keys[e], ids[i]) for e, i in relations if i in ids} == {
        (f"ocel {number}", name)
        for number, (*_, names) in enumerate(STEPS, 1)
        for name in names.split()
    }


def test_attributes_without_a_meaning_need_all_permissions(source: Source, tmp_path: Path) -> None:
    import_steps(tmp_path, STEPS[0])
    for redaction in (
        Redaction(prices=False, contacts=True),
        Redaction(prices=True, contacts=False),
    ):
        path = tmp_path / f"{redaction.prices}.json"
        assert "weight" not in exported_log(path, Format.OCEL_JSON, redaction).events.columns


def order_line_relations() -> set[tuple[int, int]]:
    of_lines = ObjectRelation.objects.filter(child__kind="order_line")
    return set(of_lines.values_list("parent_id", "child_id"))


def test_exported_log_imports_to_the_same_order_lines(source: Source, tmp_path: Path) -> None:
    import_steps(tmp_path, *STEPS)
    path = tmp_path / "out.json"
    exported_log(path, Format.OCEL_JSON, NO_REDACTION)
    relations = order_line_relations()
    assert len(relations) == 6
    create_source("copy", connector="ocel", role="other")
    call_command("import_ocel", str(path), "--source", "copy")
    assert order_line_relations() == relations
    counts = dict(Order.objects.values_list("number", "event_count"))
    assert counts == {number: 2 * len(events) for number, events in EVENTS_OF_ORDERS.items()}


def test_export_of_one_order_has_its_own_pieces_only(source: Source, tmp_path: Path) -> None:
    import_steps(tmp_path, *STEPS)
    order = Order.objects.get(number="C")
    path = tmp_path / "out.json"
    selection = OrderSelection(order_ids=(order.object_id,))
    export_orders(
        selection,
        format=Format.OCEL_JSON,
        path=path,
        redaction=NO_REDACTION,
        now=database_now(),
    )
    log = orjson.loads(path.read_bytes())
    assert {o["id"].rsplit(":", 1)[1] for o in log["objects"]} == {"C", "c1", "p2"}
    named = {r["objectId"] for event in log["events"] for r in event["relationships"]}
    assert named == {o["id"] for o in log["objects"]}


def unmatched() -> list[tuple[str, tuple[str, ...], int]]:
    ids = list(UnmatchedObject.objects.values_list("pk", flat=True))
    return sorted((r.kind, r.names, r.events) for r in load_unmatched_records(ids))


def test_pieces_and_packages_that_no_event_relates_are_unmatched(
    source: Source, tmp_path: Path
) -> None:
    import_steps(
        tmp_path,
        STEPS[2],
        (6, "pick item", "x1"),
        (7, "create package", "x1 p8"),
        (9, "send package", "p9"),
    )
    assert dict(Order.objects.values_list("number", "event_count")) == {"C": 1}
    assert unmatched() == [("order_line", ("system ID x1",), 2), ("package", ("system ID p9",), 1)]
    import_steps(tmp_path, (0, "place order", "D x1"))
    assert dict(Order.objects.values_list("number", "event_count")) == {"C": 1, "D": 3}
    assert unmatched() == [("package", ("system ID p9",), 1)]


PICK = (6, "pick item", "x1")
PACK = (7, "create package", "x1 p8")
PLACED = [(1, "place order", "D x1"), (2, "place order", "E x1")]


@pytest.mark.parametrize("steps", [[*PLACED, PICK, PACK], [PACK, PICK, *PLACED[::-1]]])
def test_piece_of_several_orders_belongs_to_none_of_them(
    source: Source,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    steps: list[tuple[int, str, str]],
) -> None:
    monkeypatch.setattr(ocel_import, "EVENTS_PER_MESSAGE", 1)
    for step in steps:  # the first order has the piece until the second is known
        import_steps(tmp_path, step)
    assert dict(Order.objects.values_list("number", "event_count")) == {"D": 1, "E": 1}
    assert unmatched() == [("order_line", ("system ID x1",), 4)]

    second = Event.objects.get(key="ocel h2")
    with transaction.atomic():
        supersede_events_of_messages([second.message_id])
    job_functions.process_messages_and_refold()
    assert Order.objects.get(number="D").event_count == 3
    assert unmatched() == []
