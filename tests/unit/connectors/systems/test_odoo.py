"""Odoo: webhook and poll report the same facts, and a poll over HTTP loses nothing."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from connectors.sdk.auth import InvalidSignature
from connectors.sdk.connector import ParseResult, RawMessage
from connectors.sdk.events import CanonicalEvent, EventType, Flag, IdentifierScheme, Measure
from connectors.sdk.payload import PayloadError
from connectors.sdk.webhook_and_poll_types import PolledPage, PollError, WebhookRequest
from connectors.systems.odoo.connector import Odoo
from tests.builders.odoo_server import OdooServer
from visibility.outbound.http_client import OutgoingHttpClient

NOW = datetime(2026, 4, 1, tzinfo=UTC)
SECRET = b"token-in-the-url"
MOVES = {
    "product_uom": [1, "Units"],
    "sale_line_id": [21, "line"],
    "product_id": [5, "[VLV-20] Valve"],
}


def order(number: int, changed: str, **more: Any) -> dict[str, Any]:
    return {
        "id": number,
        "name": f"S{number:05}",
        "client_order_ref": False,
        "partner_id": [14, "Harbor Supply"],
        "state": "sale",
        "delivery_status": "pending",
        "date_order": "2026-03-02 08:00:00",
        "write_date": changed,
    } | more


def tables(*orders: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """One order of 10 pieces, of which 4 were shipped and invoiced."""
    return {
        "sale.order": [*orders] or [order(8, "2026-03-02 09:00:00.250000")],
        "sale.order.line": [
            {"id": 21, "order_id": [8, "S00008"], "product_id": [5, "[VLV-20] Valve"],
             "product_uom_qty": 10.0, "product_uom": [1, "Units"], "price_unit": 3.5,
             "display_type": False, "name": "Valve"},
        ],
        "stock.picking": [
            {"id": 31, "name": "WH/OUT/00031", "sale_id": [8, "S00008"], "state": "done",
             "picking_type_code": "outgoing", "date_done": "2026-03-03 15:00:00",
             "carrier_tracking_ref": "1Z1, 1Z2", "write_date": "2026-03-03 15:00:01",
             "create_date": "2026-03-02 08:00:00", "backorder_id": False},
            {"id": 32, "name": "WH/PICK/00032", "sale_id": [8, "S00008"], "state": "done",
             "picking_type_code": "internal", "date_done": "2026-03-03 14:00:00",
             "carrier_tracking_ref": False, "write_date": "2026-03-03 14:00:00",
             "create_date": "2026-03-02 08:00:00", "backorder_id": False},
        ],
        "stock.move": [
            {"id": 41, "picking_id": [31, "WH/OUT/00031"], "product_uom_qty": 4.0, "state": "done",
             "quantity": 4.0, **MOVES},
        ],
        "account.move": [
            {"id": 51, "name": "INV/1", "move_type": "out_invoice", "state": "posted",
             "payment_state": "not_paid", "invoice_origin": "S00008", "invoice_date": "2026-03-04",
             "write_date": "2026-03-04 10:00:00", "posted_before": True},
        ],
        "account.move.line": [
            {"id": 61, "move_id": [51, "INV/1"], "product_id": [5, "x"], "quantity": 4.0,
             "sale_line_ids": [21], "display_type": "product", "name": "Valve"},
        ],
        "product.product": [{"id": 5, "default_code": "VLV-20"}],
    }  # fmt: skip


@pytest.fixture
def server(settings: Settings) -> Iterator[OdooServer]:
    running = OdooServer(tables())
    settings.OUTGOING_ALLOWED = [running.address]
    yield running
    running.close()


def odoo(server: OdooServer, **config: str) -> Odoo:
    access = {"base_url": server.url, "database": "shop", "user": "reader", "api_key": "key-1"}
    return Odoo({"source": "erp", **access, **config})


def poll(server: OdooServer, cursor: str = "", **config: str) -> list[PolledPage]:
    return list(odoo(server, **config).poll(OutgoingHttpClient(), cursor, [SECRET]))


def polled_ids(pages: list[PolledPage], model: str = "sale.order") -> set[int]:
    bodies = [json.loads(record.body) for page in pages for record in page.records]
    return {body["id"] for body in bodies if body["_model"] == model}


def parse(body: Any, **config: str) -> ParseResult:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Odoo({"source": "erp", **config}).parse(RawMessage(raw, {}, NOW))


def polled_events(pages: list[PolledPage]) -> list[CanonicalEvent]:
    return [e for page in pages for r in page.records for e in parse(r.body).events]


class TestOdooWebhook:
    def test_the_token_of_the_url_is_checked(self) -> None:
        connector = Odoo({"source": "erp"})
        assert connector.webhook_url_query("a b") == "?token=a+b"
        connector.verify(WebhookRequest("POST", "/", {"token": SECRET.decode()}, {}, b""),
                         [SECRET], NOW)  # fmt: skip
        for query in ({}, {"token": "other"}):
            with pytest.raises(InvalidSignature):
                connector.verify(WebhookRequest("POST", "/", query, {}, b""), [SECRET], NOW)

    def test_reference_without_the_prefix_of_the_shop_is_the_customer_po(self) -> None:
        body = order(8, "2026-03-02 09:00:00", client_order_ref="PO-1")
        for prefix, scheme in (("", IdentifierScheme.WEB_ORDER), ("WS-", "customer_po")):
            (event, *_) = parse(body, web_order_prefix=prefix).events
            assert event.objects[0].identifiers[1].scheme == scheme

    def test_unknown_state_is_an_unmapped_event(self) -> None:
        body = order(8, "2026-03-02 09:00:00", state="on_review", delivery_status=False)
        (event,) = parse(body).events
        assert (event.type, event.raw_type) == (EventType.UNMAPPED, "on_review")

    def test_another_model_is_parked(self) -> None:
        with pytest.raises(PayloadError, match="not a model of orders"):
            parse({"_model": "res.partner", "id": 3})


class TestOdooPoll:
    def test_documents_are_read_with_their_lines(self, server: OdooServer) -> None:
        events = {event.key: event for event in polled_events(poll(server))}
        assert {key: event.type.value for key, event in events.items()} == {
            "sale 8 state": "order.accepted",
            "sale 8 released": "order.released",
            "sale 8 order": "order.received",
            "transfer 31 shipped": "shipment.confirmed",
            "invoice 51 state": "invoice.issued",
        }
        (line,) = events["sale 8 order"].lines
        assert (line.line_id, line.sku, line.unit) == ("21", "VLV-20", "EA")
        assert line.quantities == {Measure.ORDERED: 10}
        shipped = events["transfer 31 shipped"]
        assert shipped.occurred_at == datetime(2026, 3, 3, 15, tzinfo=UTC)
        assert [entry.quantities for entry in shipped.lines] == [{Measure.SHIPPED: 4}]
        numbers = [i.value for ref in shipped.objects for i in ref.identifiers]
        assert numbers == ["S00008", "8", "WH/OUT/00031", "31", "1Z1", "1Z2"]
        assert events["invoice 51 state"].lines[0].quantities == {Measure.INVOICED: 4}

    def test_poll_and_webhook_report_one_fact_by_one_key(self, server: OdooServer) -> None:
        polled = {e.key: e for e in polled_events(poll(server))}
        webhook = {"id": 8, "name": "S00008", "state": "sale", "delivery_status": "pending",
                   "partner_id": 14, "write_date": "2026-03-02 09:00:00"}  # fmt: skip
        for event in parse(webhook).events:
            assert polled[event.key].type is event.type
            # Of one state, the version with all fields is the effective one.
            assert polled[event.key].revision > event.revision
            assert polled[event.key].occurred_at == datetime(2026, 3, 2, 8, tzinfo=UTC)
        newer = parse({**webhook, "write_date": "2026-03-02 09:00:01"}).events[0]
        assert newer.revision > polled[newer.key].revision

    def test_the_next_poll_asks_from_the_newest_change(self, server: OdooServer) -> None:
        cursor = poll(server)[-1].cursor
        assert json.loads(cursor)["sale.order"] == "2026-03-02T09:00:00"
        server.searches.clear()
        repeated = poll(server, cursor)
        model, arguments = server.searches[0]
        assert (model, arguments["domain"]) == (
            "sale.order", [["write_date", ">=", "2026-03-02 08:50:00"]]
        )  # fmt: skip
        first = poll(server)
        keys = [[r.dedupe_key for p in pages for r in p.records] for pages in (first, repeated)]
        assert keys[0] == keys[1]

    def test_more_orders_changed_in_one_second_than_a_page_has(self, server: OdooServer) -> None:
        """As by one transaction: all have the same time, to the microsecond."""
        bulk = [order(n, "2026-03-05 10:00:00.123456") for n in range(100, 107)]
        later = [order(n, f"2026-03-05 10:00:0{n - 199}") for n in range(200, 204)]
        server.tables["sale.order"] += bulk + later
        pages = poll(server, page_size="3")
        assert polled_ids(pages) == {8, *range(100, 107), *range(200, 204)}

    def test_order_that_changes_while_it_is_read_hides_no_other(self, server: OdooServer) -> None:
        rows = [order(n, f"2026-03-05 10:00:{n:02}") for n in range(10, 20)]
        server.tables["sale.order"] = rows

        def change_the_first() -> None:
            server.after_search = lambda: None
            rows[0]["write_date"] = "2026-03-05 11:00:00"

        server.after_search = change_the_first
        assert polled_ids(poll(server, page_size="2")) == set(range(10, 20))

    def test_fields_that_a_version_does_not_have_are_not_asked_for(
        self, server: OdooServer
    ) -> None:
        for move in server.tables["stock.move"]:  # Odoo 16
            move["quantity_done"] = move.pop("quantity")
        del server.tables["stock.picking"][0]["carrier_tracking_ref"]
        del server.tables["stock.picking"][1]["carrier_tracking_ref"]
        events = {event.key: event for event in polled_events(poll(server))}
        assert events["transfer 31 shipped"].lines[0].quantities == {Measure.SHIPPED: 4}

    def test_json_2_reads_the_same(self, server: OdooServer) -> None:
        assert polled_events(poll(server, api="json_2")) == polled_events(poll(server))
        assert {r.path for r in server.requests} >= {"/json/2/sale.order/search_read"}

    @pytest.mark.parametrize("api", ["json_rpc", "json_2"])
    def test_refused_key_fails_the_poll(self, server: OdooServer, api: str) -> None:
        server.api_key = "key-2"
        with pytest.raises(PollError) as caught:
            poll(server, api=api)
        assert caught.value.status == 401
        assert "key-1" not in str(caught.value)

    def test_key_that_expires_during_a_poll_fails_it(self, server: OdooServer) -> None:
        def expire() -> None:
            server.api_key = "key-2"

        server.after_search = expire
        with pytest.raises(PollError, match="Access Denied"):
            poll(server)

    def test_the_wait_that_odoo_asks_for_is_handed_on(self, server: OdooServer) -> None:
        server.throttled = 1
        with pytest.raises(PollError) as caught:
            poll(server)
        assert (caught.value.status, caught.value.retry_after) == (429, "17")

    def test_it_is_configured_when_the_api_has_what_it_needs(self, server: OdooServer) -> None:
        assert odoo(server).is_poll_configured()
        assert not Odoo({"base_url": server.url, "api_key": "k"}).is_poll_configured()
        assert Odoo({"base_url": server.url, "api_key": "k", "api": "json_2"}).is_poll_configured()


class TestTransfers:
    def transfer(self, **more: Any) -> dict[str, Any]:
        return {
            "_model": "stock.picking", "id": 31, "name": "WH/OUT/00031", "sale_id": [8, "S00008"],
            "state": "done", "picking_type_code": "outgoing", "date_done": "2026-03-03 15:00:00",
            "write_date": "2026-03-03 15:00:01", "lines": [],
        } | more  # fmt: skip

    @pytest.mark.parametrize(
        ("more", "event_type"),
        [
            ({"state": "assigned"}, EventType.LINE_ALLOCATED),
            ({"state": "confirmed", "backorder_id": [30, "x"]}, EventType.LINE_BACKORDERED),
            ({"state": "confirmed", "backorder_id": False}, None),
            ({"state": "cancel"}, EventType.LINE_DEALLOCATED),
            ({"state": "done"}, EventType.SHIPMENT_CONFIRMED),
            ({"state": "held"}, EventType.UNMAPPED),
            ({"picking_type_code": "incoming"}, EventType.RETURN_RECEIVED),
            ({"picking_type_code": "incoming", "state": "assigned"}, EventType.RETURN_AUTHORIZED),
            ({"picking_type_code": "internal"}, None),
            ({"sale_id": False}, None),
        ],
    )
    def test_states_are_mapped(self, more: dict[str, Any], event_type: EventType | None) -> None:
        result = parse(self.transfer(**more))
        assert [event.type for event in result.events] == ([event_type] if event_type else [])
        assert bool(result.ignored) == (event_type is None)

    def test_components_of_a_kit_are_not_pieces_of_the_line(self) -> None:
        sold = [{"id": 21, "order_id": [8, "S00008"], "product_id": [5, "Kit"]}]
        move = {"id": 1, "quantity": 6.0, "sale_line_id": [21, "l"], "sale_lines": sold}
        kit = parse(self.transfer(lines=[{**move, "product_id": [9, "Screw"]}]))
        assert kit.events[0].lines == ()
        piece = parse(self.transfer(lines=[{**move, "product_id": [5, "Kit"]}]))
        assert piece.events[0].lines[0].quantities == {Measure.SHIPPED: 6}


class TestOdooInvoices:
    def invoice(self, **more: Any) -> dict[str, Any]:
        return {
            "_model": "account.move", "id": 51, "name": "INV/1", "move_type": "out_invoice",
            "state": "posted", "payment_state": "not_paid", "invoice_origin": "S00008, S00009",
            "invoice_date": "2026-03-04", "write_date": "2026-03-04 10:00:00",
        } | more  # fmt: skip

    @pytest.mark.parametrize(
        ("more", "types"),
        [
            ({}, [EventType.INVOICE_ISSUED]),
            ({"payment_state": "partial"}, [EventType.INVOICE_ISSUED]),
            ({"payment_state": "in_payment"}, [EventType.INVOICE_ISSUED]),
            ({"payment_state": "paid"}, [EventType.INVOICE_ISSUED, EventType.INVOICE_PAID]),
            ({"payment_state": "odd"}, [EventType.INVOICE_ISSUED, EventType.UNMAPPED]),
            ({"state": "cancel"}, [EventType.INVOICE_VOID]),
            ({"state": "draft", "posted_before": True}, [EventType.INVOICE_VOID]),
            ({"state": "draft"}, []),
            ({"move_type": "in_invoice"}, []),
            ({"move_type": "out_refund", "payment_state": "paid"}, [EventType.CREDIT_ISSUED]),
            ({"move_type": "out_refund", "state": "cancel"}, [EventType.UNMAPPED]),
            ({"invoice_origin": False}, []),
        ],
    )
    def test_states_are_mapped(self, more: dict[str, Any], types: list[EventType]) -> None:
        assert [event.type for event in parse(self.invoice(**more)).events] == types

    def test_origin_names_several_orders_and_the_date_is_that_of_the_zone(self) -> None:
        (event,) = parse(self.invoice(), invoice_zone="America/Chicago").events
        assert [ref.identifiers[0].value for ref in event.objects] == ["S00008", "S00009", "INV/1"]
        assert event.occurred_at == datetime(2026, 3, 4, 6, tzinfo=UTC)
        assert Flag.DATE_ONLY in event.flags

    def test_line_of_an_invoice_of_several_orders_names_its_order(self) -> None:
        def line(number: int, sale: int) -> dict[str, Any]:
            sold = [{"id": number, "order_id": [sale, f"S0000{sale}"], "product_id": [5, "x"]}]
            return {"id": number, "quantity": 2.0, "sale_line_ids": [number], "sale_lines": sold}

        (event,) = parse(self.invoice(lines=[line(21, 8), line(22, 9)])).events
        assert [(entry.line_id, entry.order_index) for entry in event.lines] == [
            ("21", 0), ("22", 1)
        ]  # fmt: skip
