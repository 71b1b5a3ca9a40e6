"""Every event type is stored, folded, shown and exported."""

import json
from importlib import import_module
from pathlib import Path
from typing import Any

import orjson
import pytest

from connectors.sdk.event_examples import EXAMPLES
from connectors.sdk.event_type_descriptions import EVENT_TYPES
from connectors.sdk.events import EventType
from tests.builders.users import signed_in
from tests.db.export.test_epcis import VALIDATOR
from visibility.db.database_time import database_now
from visibility.export.export_orders_in_format import Format, export_orders
from visibility.export.redaction import NO_REDACTION
from visibility.export.snapshot_to_temp_tables import OrderSelection
from visibility.ingest.insert_messages import IncomingMessage, store_messages
from visibility.models import InboundMessage, Order, Source
from visibility.pipeline import job_functions
from visibility.web.permissions import UserRole

pm4py: Any = import_module("pm4py")


@pytest.fixture
def order(db: None, monkeypatch: pytest.MonkeyPatch) -> Order:
    """An order with one event of each type; another order has the same contract and vehicle."""
    monkeypatch.setattr(
        "visibility.pipeline.job_functions.ask_worker_to_run_job_now", lambda *_: None
    )
    source = Source.objects.create(slug="erp", title="ERP", connector="cloudevents", role="erp")
    sent = [(event_type.value, dict(data)) for event_type, data in EXAMPLES.items()]
    # Documents and transport are on the timeline of an order if an event names both.
    named = {"quotation": "Q-55", "contract": "K-9", "container": "MSCU 123456-6"}
    sent.append(("order.changed", {"order": "SO-1001", **named}))
    sent.append(("order.changed", {"order": "SO-1001", "delivery": "80001234"}))
    sent.append(("order.received", {"order": "SO-2", "contract": "K-9", "vehicle": "TX-1234"}))
    headers = {"content-type": "application/cloudevents+json"}
    messages = []
    for number, (event_type, data) in enumerate(sent):
        event = {"specversion": "1.0", "id": str(number), "source": "/erp", "type": event_type}
        at = f"2026-03-02T10:{number:02}:00Z"
        body = orjson.dumps({**event, "time": at, "data": data})
        messages.append(IncomingMessage(source.pk, str(number), headers, body))
    store_messages(messages)
    job_functions.process_messages_and_refold()
    assert not InboundMessage.objects.exclude(state="applied").exists()
    return Order.objects.get(number="727")


def write(format: Format, path: Path, order: Order) -> Path:
    selection = OrderSelection(order_ids=(order.pk,))
    export_orders(selection, format=format, path=path, redaction=NO_REDACTION, now=database_now())
    return path


def test_every_event_type_is_on_the_order_page(order: Order) -> None:
    client = signed_in(UserRole.ADMIN)
    pages = {
        tab: client.get(f"/orders/{order.pk}?tab={tab}").content.decode()
        for tab in ("timeline", "lines", "shipments", "money", "discrepancies", "lineage")
    }
    # These name only an object that many orders refer to, so they are on no order.
    elsewhere = {EventType.QUOTATION_ISSUED, EventType.CONTRACT_SIGNED, EventType.UNMAPPED}
    for event_type, description in EVENT_TYPES.items():
        is_shown = description.label in pages["timeline"]
        assert is_shown is (event_type not in elsewhere), event_type
    assert "Debit memo requested" in pages["money"]
    assert "Sold by Acme" in pages["lines"]
    assert "MSCU 123456-6" in pages["timeline"]


def test_every_event_type_is_in_the_ocel_log(order: Order, tmp_path: Path) -> None:
    ocel = pm4py.read_ocel2_json(str(write(Format.OCEL_JSON, tmp_path / "log.json", order)))
    elsewhere = {"quotation.issued", "contract.signed"}
    assert set(ocel.events["ocel:activity"]) == {t.value for t in EXAMPLES} - elsewhere
    kinds = set(ocel.objects["ocel:type"])
    assert {"contract", "vehicle", "load", "container", "serialized_item"} <= kinds
    assert {"goods_movement", "return_delivery", "credit_memo_request"} <= kinds
    # The other order with this contract and vehicle is not selected.
    assert [x for x in ocel.objects["ocel:oid"] if "SO-2" in x] == []
    related = ocel.relations[ocel.relations["ocel:type"] == "vehicle"]
    assert set(related["ocel:activity"]) == {"shipment.confirmed"}
    assert len(related) == 1


def test_every_event_type_is_in_a_valid_epcis_document(order: Order, tmp_path: Path) -> None:
    document = json.loads(write(Format.EPCIS, tmp_path / "log.json", order).read_text())
    assert [e.message[:300] for e in VALIDATOR.iter_errors(document)] == []
    events = document["epcisBody"]["eventList"]
    text = json.dumps(events)
    assert "urn:throughline:serial:GLAND-20:A100" in text
    assert "urn:throughline:btt:contract" in text
    shipped = next(e for e in events if e.get("throughline:eventType") == "shipment.confirmed")
    assert shipped["throughline:vehicle"] == ["urn:throughline:vehicle:erp:TX1234"]
