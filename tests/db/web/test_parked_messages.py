"""Decisions about parked messages: discard and undo, edited copies, the stop of a replay."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import orjson
import pytest
from django.db import connection
from django.test import Client

from tests.builders.alerts import order, statements
from tests.builders.cloudevents import HEADERS, cloudevent
from tests.builders.sources import create_source, message
from tests.builders.users import signed_in
from visibility.db.database_time import database_now
from visibility.ingest.message_body_retention import check_partitions
from visibility.models import (
    AuditEntry,
    EditedMessage,
    Event,
    Identifier,
    InboundMessage,
    MessageBodyPartition,
    MessageDiscard,
    MessageReplay,
    Order,
    Source,
    SourceActivity,
)
from visibility.models.sources_and_messages import load_message_body
from visibility.operations.message_counts import count_messages_by_source
from visibility.pipeline import job_functions
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db
WRONG = {"order": {"number": ""}}
RIGHT = {"order": {"number": "SO-1"}}


@pytest.fixture
def session() -> Client:
    return signed_in(UserRole.INTEGRATOR, "ines")


@pytest.fixture
def source() -> Source:
    return create_source(config={"order_number": "sales_order@erp"})


def torn(source: Source) -> int:
    return message(source, state="parked", reason="syntax", detail="torn", body=b'{"id": ')


def state_of(message_id: int) -> str:
    return InboundMessage.objects.values_list("state", flat=True).get(id=message_id)


def text(response: Any) -> str:
    return " ".join(response.content.decode().split())


def post_json(client: Client, path: str, body: Any) -> Any:
    return client.post(f"/api/v1/{path}", orjson.dumps(body), content_type="application/json")


def order_named(number: str, *, total: Decimal | None = None) -> Order:
    placed = order(number)
    Order.objects.filter(pk=placed.pk).update(total=total, currency="USD" if total else "")
    Identifier.objects.create(
        kind="order",
        scheme="sales_order",
        issuer="erp",
        value=number,
        raw=number,
        is_identity=True,
        object=placed.object,
    )
    return placed


def test_a_cause_is_discarded_with_a_reason_and_parked_as_before_by_the_undo(
    session: Client, source: Source
) -> None:
    ids = [torn(source) for _ in range(3)]
    other = message(source, state="parked", reason="schema", detail="sku")
    asked = text(session.get("/messages/discard?source=wms&reason=syntax"))
    assert "Discard 3 messages" in asked
    assert "Nothing has changed yet." in asked
    chosen = {"source": "wms", "reason": "syntax"}
    refused = session.post("/messages/discards", {**chosen, "why": " "})
    assert refused.status_code == 422
    assert "Enter a reason" in text(refused)
    assert not MessageDiscard.objects.exists()
    answer = session.post("/messages/discards", {**chosen, "why": "A test of the sender"})
    discard = MessageDiscard.objects.get()
    assert answer["Location"] == f"/messages/discards/{discard.pk}"
    assert [state_of(each) for each in (*ids, other)] == [*["discarded"] * 3, "parked"]
    entry = AuditEntry.objects.get(action="message.discard")
    assert (entry.detail["count"], entry.detail["why"]) == (3, "A test of the sender")
    result = text(session.get(answer["Location"]))
    assert "Discard of 3 messages" in result
    assert "A test of the sender" in result
    assert text(session.get(f"/messages?discard={discard.pk}")).count("<tr data-id=") == 3
    assert "Discarded</a> by" in text(session.get(f"/messages/{ids[0]}"))
    undone = session.post(f"/messages/discards/{discard.pk}/undo", follow=True)
    assert "Parked as before: 3 messages." in text(undone)
    assert (
        InboundMessage.objects.filter(state="parked", reason="syntax", detail="torn").count() == 3
    )
    assert AuditEntry.objects.filter(action="message.discard_undone").count() == 1
    repeated = session.post(f"/messages/discards/{discard.pk}/undo", follow=True)
    assert "already undone" in text(repeated)


def test_discarded_messages_count_as_accepted_and_not_as_parked(
    session: Client, source: Source
) -> None:
    discarded, _ = torn(source), torn(source)
    session.post("/messages/discards", {"id": discarded, "why": "Test"})
    counts = count_messages_by_source([source.pk])[source.pk]
    assert (counts.parked, counts.discarded, counts.accepted) == (1, 1, 2)
    assert "state=discarded" in text(session.get("/sources/wms"))


def test_a_discarded_message_is_not_replayed_and_competes_with_no_version(
    session: Client, source: Source
) -> None:
    event = cloudevent("order.released", RIGHT, event_id="e1")
    old = message(
        source,
        state="parked",
        reason="schema",
        key="same",
        body=orjson.dumps(event),
        headers=dict(HEADERS),
    )
    session.post("/messages/discards", {"id": old, "why": "Resent"})
    session.post("/messages/replays", {"id": old})
    assert state_of(old) == "discarded"
    resent = orjson.dumps({**event, "time": "2026-01-02T00:00:00Z"})
    new = message(source, state="waiting", key="same", body=resent, headers=dict(HEADERS))
    job_functions.process_messages_and_refold()
    assert (state_of(old), state_of(new)) == ("discarded", "applied")


def test_without_payload_a_discard_cannot_be_undone(session: Client, source: Source) -> None:
    discarded = torn(source)
    session.post("/messages/discards", {"id": discarded, "why": "Test"})
    discard = MessageDiscard.objects.get()
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM visibility_message_body WHERE message_id = %s", [discarded])
    received_at = InboundMessage.objects.get(id=discarded).received_at
    MessageBodyPartition.objects.create(
        starts_at=received_at - timedelta(days=1),
        ends_at=received_at + timedelta(days=1),
        checked_at=database_now(),
        removed_at=database_now(),
    )
    page = text(session.get(f"/messages/discards/{discard.pk}"))
    assert "Undo: park" not in page
    assert "the retention policy removed the payload" in page
    session.post(f"/messages/discards/{discard.pk}/undo")
    assert state_of(discarded) == "discarded"
    assert MessageDiscard.objects.get().undone_at is None


@pytest.mark.parametrize(
    "path", ["messages/discards", "messages/discards/1/undo", "messages/replays/1/stop"]
)
def test_operations_see_but_do_not_decide(path: str, source: Source) -> None:
    discarded = torn(source)
    answer = signed_in(UserRole.OPERATIONS, "otto").post(f"/{path}", {"id": discarded, "why": "x"})
    assert answer.status_code == 403
    assert state_of(discarded) == "parked"


def parked_wrong_event(source: Source) -> int:
    body = orjson.dumps(cloudevent("order.released", WRONG, event_id="e1"))
    return message(source, state="parked", reason="identifier", body=body, headers=dict(HEADERS))


def test_an_edited_copy_is_processed_and_the_original_stays(
    session: Client, source: Source
) -> None:
    order_named("SO-1")
    original = parked_wrong_event(source)
    before = load_message_body(original)
    page = text(session.get(f"/messages/{original}/edit"))
    assert "Edit a copy of message" in page
    assert AuditEntry.objects.filter(action="message.read").count() == 1
    corrected = orjson.dumps(cloudevent("order.released", RIGHT, event_id="e1")).decode()
    tried = session.post(f"/messages/{original}/edit", {"body": corrected, "try": "yes"})
    assert "Can be read" in text(tried)
    assert not EditedMessage.objects.exists()
    session.post(f"/messages/{original}/edit", {"body": corrected, "why": "Number from the ERP"})
    edited = EditedMessage.objects.get()
    assert (edited.original_id, edited.edited_by.username) == (original, "ines")
    job_functions.process_messages_and_refold()
    assert (state_of(original), state_of(edited.message_id)) == ("parked", "applied")
    assert load_message_body(original) == before
    assert list(Event.objects.values_list("message_id", flat=True)) == [edited.message_id]
    copy = text(session.get(f"/messages/{edited.message_id}"))
    assert f'Edited copy of <a href="/messages/{original}">' in copy
    assert "Number from the ERP" in copy
    assert "Signature checked" not in copy
    assert f"Edited copy: message {edited.message_id}" in text(session.get(f"/messages/{original}"))
    assert AuditEntry.objects.get(action="message.edited_copy").detail["copy"] == edited.message_id
    received = dict(InboundMessage.objects.values_list("id", "received_at"))
    assert received[edited.message_id] == received[original]
    assert SourceActivity.objects.get(event_type="").last_received_at == received[original]


def test_a_copy_needs_a_change_and_a_reason(session: Client, source: Source) -> None:
    original = torn(source)
    url = f"/messages/{original}/edit"
    same = session.post(url, {"body": '{"id": ', "why": "No change"})
    assert (same.status_code, "Change the payload first" in text(same)) == (422, True)
    without = session.post(url, {"body": '{"id": 1}', "why": ""})
    assert (without.status_code, "Enter a reason" in text(without)) == (422, True)
    assert not EditedMessage.objects.exists()


def test_line_ends_of_the_form_do_not_change_the_payload(session: Client, source: Source) -> None:
    original = message(source, state="parked", reason="syntax", body=b"ISA*00\nST*810\n")
    session.post(f"/messages/{original}/edit", {"body": "ISA*00\r\nST*850\r\n", "why": "Typo"})
    assert load_message_body(EditedMessage.objects.get().message_id) == b"ISA*00\nST*850\n"


def test_a_payload_that_is_no_text_is_not_edited(session: Client, source: Source) -> None:
    binary = message(source, state="parked", reason="encoding", body=b"\xff\xfe\x00")
    page = text(session.get(f"/messages/{binary}/edit", follow=True))
    assert "The payload is not text in UTF-8." in page
    applied = message(source)
    assert session.get(f"/messages/{applied}/edit").status_code == 404


def test_a_file_in_the_charset_of_its_manifest_is_edited(session: Client) -> None:
    source = create_source("north", connector="northlog_945")
    header = "ORDER;SHIPMENT;PO;CUST;BOL;LINE;ITEM;QTY;UOM;STATUS;SHIPPED;SCAC;TRACKING;SSCC\r\n"
    row = "S1;NL-1;;;;1;DÜBEL;1;ST;P;{};FDEG;1;\r\n"
    torn = (header + row.format("0303.2026")).encode("cp1252")
    original = message(source, state="parked", reason="timestamp", body=torn)
    url = f"/messages/{original}/edit"
    assert "DÜBEL" in text(session.get(url))
    right = header + row.format("03.03.2026 15:10")
    wrong = session.post(url, {"body": right.replace("DÜBEL", "磁"), "why": "Typo"})
    assert (wrong.status_code, "cp1252 has no character" in text(wrong)) == (422, True)
    session.post(url, {"body": right, "why": "Typo"})
    assert load_message_body(EditedMessage.objects.get().message_id) == right.encode("cp1252")


def test_a_running_replay_is_stopped_and_what_waits_is_parked_as_before(
    session: Client, source: Source
) -> None:
    ids = [torn(source) for _ in range(3)]
    session.post("/messages/replays", {"source": "wms"})
    replay = MessageReplay.objects.get()
    InboundMessage.objects.filter(id=ids[0]).update(state="applied", processed_at=database_now())
    page = text(session.get(f"/messages/replays/{replay.pk}"))
    assert "Stop replay" in page
    page = text(session.post(f"/messages/replays/{replay.pk}/stop", follow=True))
    assert "1 applied, none parked again, 2 not processed." in page
    assert "Stopped" in page
    rows = InboundMessage.objects.filter(id__in=ids[1:])
    assert set(rows.values_list("state", "reason", "detail")) == {("parked", "syntax", "torn")}
    assert AuditEntry.objects.get(action="message.replay_stopped").detail["count"] == 2
    assert "Nothing to stop" in text(
        session.post(f"/messages/replays/{replay.pk}/stop", follow=True)
    )


def test_stopping_an_earlier_replay_leaves_a_later_one_alone(
    session: Client, source: Source
) -> None:
    waiting = message(source, state="waiting", reason="schema")
    earlier, _ = (
        MessageReplay.objects.create(requested_at=database_now(), message_ids=[waiting])
        for _ in range(2)
    )
    session.post(f"/messages/replays/{earlier.pk}/stop")
    assert state_of(waiting) == "waiting"


def test_causes_state_the_orders_and_their_value_to_those_who_see_prices(source: Source) -> None:
    placed = [
        order_named("SO-1", total=Decimal("1200.40")),
        order_named("SO-2", total=Decimal(300)),
    ]
    for placed_order in placed:
        number = placed_order.number
        event = cloudevent("order.released", {"order": {"number": number}}, event_id=number)
        body = orjson.dumps(event)
        message(source, state="waiting", body=body, headers=dict(HEADERS))
    job_functions.process_messages_and_refold()
    Order.objects.filter(number="SO-1").update(total=Decimal("1200.40"), currency="USD")
    Order.objects.filter(number="SO-2").update(total=Decimal(300), currency="USD")
    InboundMessage.objects.update(state="parked", reason="schema", detail="sku")
    torn(source)
    page = text(signed_in(UserRole.OPERATIONS, "otto").get("/sources"))
    assert "1,500 USD" in page  # 1,200.40 + 300, without cents
    assert 'title="No order with a value is known for these messages."' in page
    assert "USD" not in text(signed_in(UserRole.INTEGRATOR, "ines").get("/sources"))
    causes = signed_in(UserRole.OPERATIONS, "otto").get("/api/v1/messages/parked").json()["items"]
    assert [(cause["orders"], cause["order_values"]) for cause in causes] == [
        (2, [{"amount": "1500.4000", "currency": "USD"}]),
        (None, []),
    ]


def test_decisions_over_the_api(session: Client, source: Source) -> None:
    discarded, original = torn(source), parked_wrong_event(source)
    answer = post_json(session, "messages/discards", {"message": discarded, "why": "Test"})
    assert (answer.status_code, answer.json()["messages"]) == (201, 1)
    url = f"messages/discards/{answer.json()['id']}"
    assert session.get(f"/api/v1/{url}").json()["discarded"] == 1
    assert post_json(session, f"{url}/undo", {}).json()["discarded"] == 0
    assert post_json(session, f"{url}/undo", {}).status_code == 409
    corrected = orjson.dumps(cloudevent("order.released", RIGHT, event_id="e1")).decode()
    wanted = {"body": corrected, "why": "Number from the ERP"}
    copied = post_json(session, f"messages/{original}/edited-copies", wanted)
    assert (copied.status_code, copied.json()["original"]) == (201, str(original))
    repeated = post_json(session, f"messages/{original}/edited-copies", wanted)
    assert repeated.status_code == 409
    copy = int(copied.json()["id"])
    assert post_json(session, f"messages/{copy}/edited-copies", wanted).status_code == 409


def test_message_pages_run_a_fixed_number_of_statements(session: Client, source: Source) -> None:
    torn(source)
    before = statements(session, "/messages/discard?source=wms")
    for _ in range(5):
        torn(source)
    assert statements(session, "/messages/discard?source=wms") == before <= 12


def test_a_discarded_message_keeps_no_payload_from_retention(
    session: Client, source: Source
) -> None:
    parked = message(source, state="parked", reason="syntax")
    now = database_now()
    assert sum(p.parked_count for p in check_partitions(now=now, days=30)) == 1
    session.post("/messages/discards", {"id": parked, "why": "Test"})
    assert sum(p.parked_count for p in check_partitions(now=now, days=30)) == 0


def test_a_replay_of_the_command_line_is_listed(session: Client, source: Source) -> None:
    MessageReplay.objects.create(requested_at=database_now(), message_ids=[torn(source)])
    page = session.get("/sources")
    assert page.status_code == 200
    assert "<td>command line</td>" in text(page)
