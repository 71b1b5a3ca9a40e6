"""Changes of XML, tables and EDI are found with the first message, like those of JSON."""

from collections.abc import Callable
from datetime import timedelta

import orjson
import pytest

from tests.builders.cloudevents import cloudevent
from tests.builders.sources import create_source
from tests.builders.users import signed_in
from tests.unit.connectors.sdk.test_text_shapes import EDIFACT, X12
from visibility.alerts.sweep_due_clocks_and_snoozes import sweep
from visibility.db.database_time import database_now
from visibility.ingest.insert_messages import IncomingMessage, store_messages
from visibility.models import Alert, InboundMessage, Source, SourceFieldChange, SourceFieldSample
from visibility.pipeline import job_functions
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db


def receive(source: Source, *bodies: bytes) -> int:
    for body in bodies:
        store_messages([IncomingMessage(source.pk, str(hash(body)), {}, body)])
    job_functions.process_messages_and_refold()
    return InboundMessage.objects.latest("pk").pk


def settle() -> None:
    week_ago = database_now() - timedelta(days=7)
    SourceFieldSample.objects.update(first_sampled_at=week_ago, message_count=100)


def replaced(old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    def replace_in(body: bytes) -> bytes:
        assert old in body
        return body.replace(old, new)

    return replace_in


@pytest.mark.parametrize(
    ("connector", "body", "change", "expected"),
    [
        (
            "x12",
            X12,
            replaced(b"REF*VN*", b"REF*CO*"),
            {("appeared", "850.REF CO.02"), ("missing", "850.REF VN")},
        ),
        (
            "edifact",
            EDIFACT,
            replaced(b"DTM+137", b"DTM+2"),
            {
                *(("appeared", "ORDERS.DTM 2.01.2"), ("appeared", "ORDERS.DTM 2.01.3")),
                ("missing", "ORDERS.DTM 137"),
            },
        ),
    ],
)
def test_the_first_message_that_differs_is_recorded(
    connector: str, body: bytes, change: Callable[[bytes], bytes], expected: set[tuple[str, str]]
) -> None:
    source = create_source("edi", connector=connector)
    receive(source, body)
    settle()
    first = receive(source, change(body).replace(b"PO-1", b"PO-2"))
    rows = SourceFieldChange.objects.all()
    assert {(row.change, row.path) for row in rows} == expected
    assert {row.message_id for row in rows} == {first}
    assert {row.is_read for row in rows} == {None}
    sweep(now=database_now())
    assert Alert.objects.get(kind="changed_fields").source == source
    page = signed_in(UserRole.INTEGRATOR).get("/sources/edi?tab=drift").content.decode()
    assert all(path in page for _, path in expected)


def test_a_new_column_of_a_table_and_a_field_that_is_read() -> None:
    source = create_source("wms", connector="northlog_945")
    columns = "ORDER;SHIPMENT;LINE;ITEM;QTY;UOM;STATUS;SHIPPED;SCAC;BOL;SSCC;TRACKING;PO;CUST"
    row = "SO-1;S-1;1;WID-1;6;ST;C;04.03.2026 10:00;FDEG;B-1;;1Z1;PO-1;C-1"
    receive(source, f"{columns}\n{row}\n".encode())
    settle()
    receive(source, f"EXTRA;{columns.replace('UOM', 'UNIT')}\n7;{row}\n".encode())
    rows = SourceFieldChange.objects.order_by("path")
    assert [(row.change, row.path, row.kind, row.is_read) for row in rows] == [
        ("appeared", "EXTRA", "number", False),
        ("appeared", "UNIT", "text", False),
        ("missing", "UOM", "", True),
    ]
    sweep(now=database_now())
    assert Alert.objects.get(kind="changed_fields").title.startswith(
        "Changed fields that are read in "
    )
    integrator = signed_in(UserRole.INTEGRATOR)
    page = integrator.get("/sources/wms?tab=drift").content.decode()
    assert "read by the connector" in page
    drift = integrator.get("/api/v1/sources/wms/drift").json()
    assert {c["path"]: c["is_read"] for c in drift["open_changes"]}["UOM"] is True


def test_paths_that_the_connector_reads_and_no_message_has_are_listed() -> None:
    source = create_source("wms", connector="cloudevents")
    event = cloudevent("order.received", {"order": {"number": "SO-1"}}, event_id="1")
    receive(source, orjson.dumps(event))
    [drift] = signed_in(UserRole.INTEGRATOR).get("/api/v1/sources/wms/drift").json()["items"]
    assert {"data.lines", "data.order.po", "dataschema"} <= set(drift["read_and_absent"])
    assert "data.order.number" not in drift["read_and_absent"]
    assert drift["read_count"] > len(drift["read_and_absent"])
    page = signed_in(UserRole.INTEGRATOR, "ines").get("/sources/wms?tab=drift").content.decode()
    assert "that the connector reads and no message has had" in page
