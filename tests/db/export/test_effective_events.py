"""The export selects the same versions of events in SQL as the fold does in Python."""

import random
from typing import Any

import pytest

from tests.builders.cloudevents import cloudevent
from tests.builders.sources import cloudevent_message, create_sources
from visibility.db.database_time import database_now
from visibility.export.read_snapshot_in_chunks import exported_events
from visibility.export.snapshot_to_temp_tables import OrderSelection, snapshot_in_temporary_tables
from visibility.ingest.insert_messages import store_messages
from visibility.models import Order
from visibility.pipeline import job_functions
from visibility.storage.load_events import load_key_and_events_by_order
from visibility.timeline.sort_events_and_drop_superseded import split_superseded_events

pytestmark = pytest.mark.django_db
KEYS = ("a", "b", "c")
SENT_EVENTS = 30


def random_event(sender: str, index: int, choose: random.Random) -> dict[str, Any]:
    """An event with one of few keys, revisions and times, so that versions and copies occur."""
    data: dict[str, Any] = {"key": choose.choice(KEYS), "order": "SO-1"}
    if choose.random() < 0.6:
        data["revision"] = choose.choice("12")
    if choose.random() < 0.2:
        data["corrects"] = choose.sample(KEYS, choose.randint(1, 2))
    hour = choose.choice((None, 9, 10, 11))
    return cloudevent(
        choose.choice(("order.received", "order.changed", "order.released")),
        data,
        event_id=str(index),
        at=f"2026-03-02T{hour:02}:00:00Z" if hour else None,
        source=sender,
    )


@pytest.mark.parametrize("seed", range(4))
def test_export_and_fold_agree_on_effective_events(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "visibility.pipeline.job_functions.ask_worker_to_run_job_now", lambda *_: None
    )
    choose = random.Random(seed)
    sources = list(create_sources({"erp": "erp", "wms": "wms"}).values())
    for index in range(SENT_EVENTS):
        source = choose.choice(sources)
        store_messages([cloudevent_message(source, random_event(source.slug, index, choose))])
    job_functions.process_messages_and_refold()
    order = Order.objects.get(number="SO-1")

    effective, superseded = split_superseded_events(
        load_key_and_events_by_order([order.pk])[order.pk][1]
    )
    folded = {
        (e.source, e.event.key, e.content_hash): e in effective for e in (*effective, *superseded)
    }
    with snapshot_in_temporary_tables(OrderSelection(), now=database_now(), max_orders=None):
        exported = {
            (e.source, e.event.key, e.content_hash): e.correction is None
            for e in exported_events(superseded=True)
        }
    assert exported == folded
    assert effective
    assert len(superseded) > 5


def test_correction_that_names_another_order_counts_in_the_export_of_the_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        "visibility.pipeline.job_functions.ask_worker_to_run_job_now", lambda *_: None
    )
    wms = create_sources({"wms": "wms"})["wms"]
    shipped: dict[str, Any] = {"shipment": "7", "part": "7", "lines": [{"sku": "A", "shipped": 1}]}
    reports: list[tuple[str, dict[str, Any]]] = [
        ("SO-1", {"lines": [{"sku": "A", "ordered": 1}]}),
        ("SO-1", {**shipped, "key": "s"}),
        ("SO-2", {**shipped, "corrects": ["s"]}),
    ]
    for index, (order, data) in enumerate(reports):
        event = cloudevent(
            "shipment.confirmed" if index else "order.received",
            {"order": order, **data},
            event_id=str(index),
            at=f"2026-03-02T{index + 9:02}:00:00Z",
        )
        store_messages([cloudevent_message(wms, event)])
    job_functions.process_messages_and_refold()
    selection = OrderSelection(order_ids=(Order.objects.get(number="SO-1").pk,))
    with snapshot_in_temporary_tables(selection, now=database_now(), max_orders=None):
        exported = {
            event.event.type.value: event.correction is not None
            for event in exported_events(superseded=True)
        }
    assert exported == {"order.received": False, "shipment.confirmed": True}
