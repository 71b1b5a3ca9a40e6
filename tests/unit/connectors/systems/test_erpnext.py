"""ERPNext: signed webhooks, amended documents, statuses, and a poll in the clock of the site."""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from connectors.sdk.auth import InvalidSignature
from connectors.sdk.connector import ParseResult, RawMessage
from connectors.sdk.events import EventType, Measure
from connectors.sdk.payload import PayloadError
from connectors.sdk.webhook_and_poll_types import (
    PollContext,
    PolledPage,
    PollError,
    WebhookRequest,
)
from connectors.systems.erpnext.connector import ERPNext
from tests.builders.frappe_server import FrappeServer
from tests.builders.timelines import timeline_of_parsed_events
from visibility.outbound.http_client import OutgoingHttpClient

NOW = datetime(2026, 4, 1, tzinfo=UTC)
SECRET = b"secret-of-the-webhook-of-the-site"


def order(name: str, modified: str, **more: Any) -> dict[str, Any]:
    return {
        "doctype": "Sales Order",
        "name": name,
        "docstatus": 1,
        "status": "To Deliver and Bill",
        "transaction_date": "2026-03-02",
        "modified": modified,
        "items": [{"name": f"row-{name}", "item_code": "A", "qty": 5.0, "uom": "Nos"}],
    } | more


def parse(body: Any, **config: str) -> ParseResult:
    raw = json.dumps(body).encode()
    return ERPNext({"source": "erp", **config}).parse(RawMessage(raw, {}, NOW))


@pytest.fixture
def server(settings: Settings) -> Iterator[FrappeServer]:
    documents: dict[str, list[dict[str, Any]]] = {
        "Sales Order": [order("SO/1", "2026-03-02 09:00:00.5")],
        "Delivery Note": [],
        "Sales Invoice": [],
    }
    running = FrappeServer(documents)
    settings.OUTGOING_ALLOWED = [running.address]
    yield running
    running.close()


def poll(
    server: FrappeServer, cursor: str = "", now: datetime = NOW, **config: str
) -> list[PolledPage]:
    access = {"base_url": server.url, "api_key": "key:secret"}
    connector = ERPNext({"source": "erp", **access, **config})
    pages = connector.poll_with_context(OutgoingHttpClient(), cursor, [], PollContext(now))
    return list(pages)


def names(pages: list[PolledPage]) -> list[str]:
    return [json.loads(record.body)["name"] for page in pages for record in page.records]


class TestErpNextWebhook:
    def test_the_signature_of_the_bytes_is_checked(self) -> None:
        connector = ERPNext({"source": "erp"})
        body = b'{"name": "SO-1"}'
        digest = hmac.new(SECRET, body, hashlib.sha256).digest()
        headers = {"x-frappe-webhook-signature": base64.b64encode(digest).decode()}
        connector.verify(WebhookRequest("POST", "/", {}, headers, body), [SECRET], NOW)
        assert connector.build_signed_headers(body, SECRET, NOW) == headers
        for sent, signed in ((body + b" ", headers), (body, {})):
            with pytest.raises(InvalidSignature):
                connector.verify(WebhookRequest("POST", "/", {}, signed, sent), [SECRET], NOW)

    def test_webhook_and_poll_report_the_same_events(self, server: FrappeServer) -> None:
        (record,) = (record for page in poll(server) for record in page.records)
        webhook = order("SO/1", "2026-03-02 09:00:00.5")
        assert parse(json.loads(record.body)).events == parse(webhook).events


class TestErpNextDocuments:
    @pytest.mark.parametrize(
        ("more", "types"),
        [
            ({"docstatus": 0, "status": "Draft"}, []),
            ({}, ["order.received", "order.accepted", "order.released", "order.changed"]),
            ({"status": "On Hold"}, ["order.received", "order.accepted", "order.held"]),
            ({"status": "To Pay"}, ["order.received", "order.accepted", "order.changed"]),
            ({"status": "Closed"}, ["order.received", "order.accepted", "order.changed"]),
            ({"status": "Frozen"}, ["order.received", "order.accepted", "unmapped"]),
            ({"docstatus": 2, "status": "Cancelled"}, ["order.cancelled"]),
        ],
    )
    def test_statuses_of_orders_are_mapped(self, more: dict[str, Any], types: list[str]) -> None:
        events = parse(order("SO-1", "2026-03-02 09:00:00", **more)).events
        assert [event.type.value for event in events] == types

    def test_times_are_those_of_the_site(self) -> None:
        events = parse(order("SO-1", "2026-07-02 09:00:00"), zone="America/Chicago").events
        assert events[0].occurred_at == datetime(2026, 3, 2, 6, tzinfo=UTC)
        assert events[-1].occurred_at == datetime(2026, 7, 2, 14, tzinfo=UTC)

    def test_amended_order_is_the_same_order_and_not_cancelled(self) -> None:
        first = parse(order("SO-1", "2026-03-02 09:00:00")).events
        cancelled = parse(order("SO-1", "2026-03-03 09:00:00", docstatus=2)).events
        amended = order("SO-1-1", "2026-03-03 10:00:00", amended_from="SO-1")
        amended["items"][0]["qty"] = 4.0
        story = [*first, *cancelled]
        assert timeline_of_parsed_events(story, NOW).status == "cancelled"
        result = timeline_of_parsed_events([*story, *parse(amended).events], NOW)
        assert result.status == "released"
        ordered = [line.quantity(Measure.ORDERED) for line in result.lines]
        assert sum(ordered) == 4
        numbers = [i.value for i in parse(amended).events[0].objects[0].identifiers]
        assert numbers == ["SO-1-1", "SO-1"]

    def test_delivery_note_of_two_orders_names_the_order_of_each_line(self) -> None:
        rows = [
            {"item_code": "A", "qty": 2.0, "against_sales_order": f"SO-{n}", "so_detail": f"r{n}"}
            for n in (1, 2)
        ]
        body = {"doctype": "Delivery Note", "name": "DN-1", "docstatus": 1, "items": rows,
                "posting_date": "2026-03-05", "posting_time": "9:05:07",
                "modified": "2026-03-05 10:00:00"}  # fmt: skip
        (event,) = parse(body).events
        assert event.type is EventType.SHIPMENT_CONFIRMED
        assert event.occurred_at == datetime(2026, 3, 5, 9, 5, 7, tzinfo=UTC)
        assert [(line.line_id, line.order_index) for line in event.lines] == [("r1", 0), ("r2", 1)]

    def test_other_documents_are_parked(self) -> None:
        with pytest.raises(PayloadError, match="not Sales Order"):
            parse({"doctype": "Stock Entry", "name": "SE-1", "docstatus": 1})
        with pytest.raises(PayloadError, match="docstatus"):
            parse(order("SO-1", "2026-03-02 09:00:00", docstatus=3))


class TestErpNextPoll:
    def test_documents_are_read_by_name_with_their_rows(self, server: FrappeServer) -> None:
        (record,) = (record for page in poll(server) for record in page.records)
        assert json.loads(record.body)["items"][0]["qty"] == 5
        assert server.requests[1].target == "/api/resource/Sales%20Order/SO%2F1"

    def test_more_documents_of_one_second_than_a_page_has(self, server: FrappeServer) -> None:
        server.documents["Sales Order"] = [
            order(f"SO-{n}", "2026-03-05 10:00:00.250000") for n in range(10, 17)
        ]
        read = names(poll(server, page_size="2"))
        assert set(read) == {f"SO-{n}" for n in range(10, 17)}

    def test_poll_goes_back_an_hour_after_the_clock_was_put_back(
        self, server: FrappeServer
    ) -> None:
        """At 07:00 UTC on November 1, clocks in Chicago show 01:00 for the second time."""
        cursor = json.dumps({"Sales Order": "2026-11-01T01:58:00"})
        server.documents["Sales Order"] = [order("SO-2", "2026-11-01 01:03:00")]
        in_the_hour = datetime(2026, 11, 1, 7, 5, tzinfo=UTC)
        config = {"zone": "America/Chicago"}
        assert names(poll(server, cursor, now=in_the_hour, **config)) == ["SO-2"]
        days_later = datetime(2026, 11, 4, tzinfo=UTC)
        assert names(poll(server, cursor, now=days_later, **config)) == []

    def test_refused_key_and_requested_wait_fail_the_poll(self, server: FrappeServer) -> None:
        server.throttled = 1
        with pytest.raises(PollError) as caught:
            poll(server)
        assert (caught.value.status, caught.value.retry_after) == (429, "31")
        server.api_key = "key:renewed"
        with pytest.raises(PollError) as caught:
            poll(server)
        assert caught.value.status == 401
