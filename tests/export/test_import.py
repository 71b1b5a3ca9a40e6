"""A log of another tool comes in, and says what that tool says of it."""

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

from connectors.systems.ocel.terms import ACTIVITIES, KINDS, plain
from tests.export.cast import EVENTS
from tests.export.conftest import Written
from visibility.db.clock import database_now
from visibility.export.formats import Format
from visibility.ingest import ocel_import
from visibility.ingest.ocel_import import pieces
from visibility.models import BusinessObject, Event, InboundMessage, Order, Shipment, Source
from visibility.storage.timelines import folded

pm4py: Any = import_module("pm4py")
graphs: Any = import_module("pm4py.algo.transformation.ocel.graphs.object_interaction_graph")
START = datetime(2026, 3, 2, 8, tzinfo=UTC)
ORDERS = 30
LINKS = """
SELECT e.key, i.raw FROM visibility_event e
JOIN visibility_eventobject link ON link.event_id = e.id
JOIN visibility_identifier i ON i.object_id = link.object_id
"""
PAIRS = """
SELECT parent.raw, child.raw FROM visibility_objectrelation r
JOIN visibility_identifier parent ON parent.object_id = r.parent_id AND parent.kind = 'order'
JOIN visibility_identifier child ON child.object_id = r.child_id AND child.kind = 'package'
"""


def made() -> dict[str, Any]:
    """A log of orders, items and packages; some orders are split, some packages shared."""
    dice = random.Random(7)
    objects: dict[str, dict[str, Any]] = {}
    events: list[dict[str, Any]] = []

    def thing(object_id: str, kind: str, *related: str) -> str:
        relations = [{"objectId": other, "qualifier": "has"} for other in related]
        objects[object_id] = {"id": object_id, "type": kind, "relationships": relations}
        return object_id

    def act(word: str, hour: float, *named: str) -> None:
        at = START + timedelta(hours=hour, seconds=dice.randrange(3000))
        related = [{"objectId": one, "qualifier": objects[one]["type"]} for one in named]
        time = at.isoformat().replace("+00:00", "Z")
        event = {"id": f"e-{len(events)}", "type": word, "time": time, "relationships": related}
        events.append(event)

    shared = ""
    for number in range(ORDERS):
        items = [thing(f"i-{number}-{n}", "items") for n in range(dice.randrange(1, 4))]
        order = thing(f"o-{number}", "orders", *items)
        customer = thing(f"c-{number % 5}", "customers")
        act("place order", number, order, customer, *items)
        act("confirm order", number + 1, order)
        for item in items:
            act("pick item", number + 3, item, order)
        act("payment reminder", number + 4, order)
        packages = [thing(f"p-{number}-{n}", "packages") for n in range(dice.randrange(1, 3))]
        for place, package in enumerate(packages):
            inside = items[place :: len(packages)]
            act("create package", number + 5 + place, package, order, *inside)
            act("send package", number + 10 + place, package, order)
            act("package delivered", number + 20 + 9 * place, package, order)
        if shared and dice.random() < 0.4:
            act("send package", number + 15, shared, order)
        shared = packages[0]
        act("pay order", number + dice.randrange(30, 90), order)
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
    monkeypatch.setattr("visibility.pipeline.stages.nudge", lambda *_: None)
    return Source.objects.create(slug="log", title="Log", connector="ocel", role="other")


def log_file(folder: Path, suffix: str) -> Path:
    """The log as pm4py itself writes it."""
    mine, theirs = folder / "made.json", folder / f"log.{suffix}"
    mine.write_bytes(orjson.dumps(made()))
    write = pm4py.write_ocel2_sqlite if suffix == "sqlite" else pm4py.write_ocel2_json
    write(pm4py.read_ocel2_json(str(mine)), str(theirs))
    return theirs


def opened(path: Path) -> Any:
    read = pm4py.read_ocel2_sqlite if path.suffix == ".sqlite" else pm4py.read_ocel2_json
    return read(str(path))


def bring_in(path: Path) -> str:
    out = StringIO()
    call_command("import_ocel", str(path), "--source", "log", stdout=out)
    return out.getvalue().strip()


def rows(statement: str) -> set[tuple[str, str]]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return set(cursor.fetchall())


def together(ocel: Any) -> set[tuple[str, str]]:
    """Pairs of an order and a package that pm4py finds to interact."""
    pairs = {pair for one, other in graphs.apply(ocel) for pair in ((one, other), (other, one))}
    return {(a, b) for a, b in pairs if a.startswith("o-") and b.startswith("p-")}


@pytest.mark.parametrize("suffix", ["json", "sqlite"])
def test_relations_cycle_times_and_splits_are_those_of_pm4py(
    source: Source, tmp_path: Path, suffix: str
) -> None:
    path = log_file(tmp_path, suffix)
    bring_in(path)
    assert set(InboundMessage.objects.values_list("state", flat=True)) == {"applied"}
    ocel = opened(path)

    named = ocel.relations[ocel.relations["ocel:type"].isin(["orders", "packages"])]
    theirs = {
        (f"ocel {event}", one)
        for event, one in zip(named["ocel:eid"], named["ocel:oid"], strict=True)
    }
    assert rows(LINKS) == theirs
    assert rows(PAIRS) == together(ocel)
    assert len(theirs) > 200

    durations = pm4py.get_all_case_durations(pm4py.ocel_flattening(ocel, "orders"))
    ids = list(Order.objects.values_list("object_id", flat=True))
    ours = [
        (t.entries[-1].spoken.occurred_at - t.entries[0].spoken.occurred_at).total_seconds()
        for t in folded(ids, as_of=database_now()).values()
    ]
    assert len(ours) == ORDERS
    assert sorted(ours) == pytest.approx(sorted(durations))

    packages = [one for one, _ in together(ocel)]
    split = {one for one in packages if packages.count(one) > 1}
    shipped = list(Shipment.objects.values_list("order__number", flat=True))
    assert {n for n in shipped if shipped.count(n) > 1} == split
    assert 0 < len(split) < ORDERS


def test_items_are_lines_of_their_orders(source: Source, tmp_path: Path) -> None:
    bring_in(log_file(tmp_path, "json"))
    items = [o["id"] for o in made()["objects"] if o["type"] == "items"]
    order = Order.objects.get(number="o-3")
    lines = order.lines.all()
    assert sorted(line.sku for line in lines) == [i for i in items if i.startswith("i-3-")]
    assert {q for line in lines for q in (line.ordered, line.picked, line.packed)} == {1}


def test_the_same_log_again_changes_nothing(source: Source, tmp_path: Path) -> None:
    path = log_file(tmp_path, "json")
    assert bring_in(path).endswith("0 known already")
    before = list(Event.objects.order_by("id").values_list("id", "key"))
    assert bring_in(path).startswith("0 messages new")
    assert list(Event.objects.order_by("id").values_list("id", "key")) == before


def test_a_log_cut_finely_says_what_the_whole_says(
    source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = log_file(tmp_path, "json")
    monkeypatch.setattr(ocel_import, "PIECE", 7)
    bring_in(path)
    ocel = opened(path)
    assert rows(PAIRS) == together(ocel)
    assert Event.objects.count() == len(ocel.events)


def test_a_relation_no_event_shows_is_told_where_its_object_is_named() -> None:
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
    (piece,) = pieces(log, ())
    assert [r["objectId"] for r in piece["objects"][0]["relationships"]] == ["q"]


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b'{"events": 1}', b'{"events": [1], "objects": []}', b"SQLite format 3\0"],
)
def test_what_is_no_log_is_refused_in_words(source: Source, tmp_path: Path, body: bytes) -> None:
    path = tmp_path / "no log"
    path.write_bytes(body)
    with pytest.raises(CommandError, match="no log"):
        call_command("import_ocel", str(path), "--source", "log")
    assert not InboundMessage.objects.exists()


def test_only_a_source_of_that_connector_takes_a_log(source: Source, tmp_path: Path) -> None:
    Source.objects.filter(slug="log").update(connector="cloudevents")
    with pytest.raises(CommandError, match="no source of the connector ocel"):
        call_command("import_ocel", str(tmp_path / "x"), "--source", "log")


def test_names_are_compared_without_case_number_and_signs() -> None:
    assert plain("Sales_Orders") == plain("sales order") == "sale order"
    assert plain("Deliveries") == "delivery"
    assert [name for name in (*KINDS, *ACTIVITIES) if plain(name) != name] == []


def test_our_own_export_comes_back_to_the_same_objects(
    written: Written, source: Source, told: dict[str, Source]
) -> None:
    before = set(Order.objects.values_list("number", flat=True))
    objects = BusinessObject.objects.count()
    bring_in(written(Format.OCEL_SQLITE))
    assert set(Order.objects.values_list("number", flat=True)) == before
    assert BusinessObject.objects.count() == objects
    kept = InboundMessage.objects.filter(source=source)
    assert set(kept.values_list("state", flat=True)) == {"applied"}
    assert Event.objects.filter(source=source).count() == EVENTS
