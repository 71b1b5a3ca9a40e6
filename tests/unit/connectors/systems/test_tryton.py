"""Tryton: sessions, new and changed documents, states, and returns that are sales."""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from connectors.sdk.connector import ParseResult, RawMessage
from connectors.sdk.events import EventType, Flag, Measure
from connectors.sdk.webhook_and_poll_types import PollContext, PolledPage, PollError
from connectors.systems.tryton.connector import Tryton
from tests.builders.tryton_server import FakeTrytonServer
from visibility.ingest.access_tokens import AccessTokens
from visibility.outbound.http_client import OutgoingHttpClient

NOW = datetime(2026, 4, 1, tzinfo=UTC)
PASSWORD = b"password-1"


def sale(number: int, created: str, changed: str | None = None, **more: Any) -> dict[str, Any]:
    return {
        "id": number,
        "number": f"S{number}",
        "state": "processing",
        "sale_date": None,
        "create_date": created,
        "write_date": changed,
        "lines.": [{"id": number, "type": "line", "quantity": 2.0, "product.": {"code": "A"}}],
    } | more


@pytest.fixture
def server(settings: Settings) -> Iterator[FakeTrytonServer]:
    tables: dict[str, list[dict[str, Any]]] = {
        "sale.sale": [sale(1, "2026-03-02T10:00:00"), sale(2, "2026-03-02T11:00:00.5")],
        "stock.shipment.out": [],
        "stock.shipment.out.return": [],
        "account.invoice": [],
        "sale.line": [],
    }
    running = FakeTrytonServer(tables)
    settings.OUTGOING_ALLOWED = [running.address]
    yield running
    running.close()


def poll(
    server: FakeTrytonServer,
    cursor: str = "",
    secrets: Sequence[bytes] = (PASSWORD,),
    tokens: AccessTokens | None = None,
    **config: str,
) -> list[PolledPage]:
    access = {"base_url": server.url, "database": "shop", "user": "reader"}
    context = PollContext(NOW, tokens=tokens or AccessTokens())
    connector = Tryton({"source": "erp", **access, **config})
    return list(connector.poll_with_context(OutgoingHttpClient(), cursor, secrets, context))


def polled_ids(pages: list[PolledPage]) -> list[int]:
    return [json.loads(record.body)["id"] for page in pages for record in page.records]


def parse(body: dict[str, Any], **config: str) -> ParseResult:
    raw = json.dumps(body).encode()
    return Tryton({"source": "erp", **config}).parse(RawMessage(raw, {}, NOW))


class TestTrytonPoll:
    def test_document_is_read_when_it_is_new_and_when_it_changed(
        self, server: FakeTrytonServer
    ) -> None:
        """The time of change of a new document is empty."""
        first = poll(server)
        assert polled_ids(first) == [1, 2]
        server.tables["sale.sale"][0]["write_date"] = "2026-03-02T12:00:00"
        server.tables["sale.sale"].append(sale(3, "2026-03-02T12:30:00"))
        second = poll(server, first[-1].cursor)
        assert polled_ids(second) == [2, 3, 1]  # 2 is in the overlap
        assert json.loads(second[-1].cursor) == {
            "sale.sale changed": "2026-03-02T12:00:00",
            "sale.sale new": "2026-03-02T12:30:00",
        }

    def test_more_documents_of_one_second_than_a_page_has(self, server: FakeTrytonServer) -> None:
        server.tables["sale.sale"] = [
            sale(n, "2026-03-01T10:00:00", "2026-03-05T10:00:00.25") for n in range(10, 17)
        ]
        assert set(polled_ids(poll(server, page_size="2"))) == set(range(10, 17))

    def test_a_session_serves_several_polls_and_is_replaced_when_it_ended(
        self, server: FakeTrytonServer
    ) -> None:
        tokens = AccessTokens()
        poll(server, tokens=tokens)
        poll(server, tokens=tokens)
        assert server.logins == 1
        server.sessions.clear()
        poll(server, tokens=tokens)
        assert server.logins == 2

    def test_either_password_of_a_rotation_opens_a_session(self, server: FakeTrytonServer) -> None:
        assert polled_ids(poll(server, secrets=[b"password-2", PASSWORD])) == [1, 2]
        with pytest.raises(PollError) as caught:
            poll(server, secrets=[b"password-2"])
        assert caught.value.status == 401

    def test_the_wait_that_the_server_asks_for_is_handed_on(self, server: FakeTrytonServer) -> None:
        server.throttled = 1
        with pytest.raises(PollError) as caught:
            poll(server)
        assert (caught.value.status, caught.value.retry_after) == (429, "9")

    def test_an_error_in_the_body_fails_the_poll(self, server: FakeTrytonServer) -> None:
        del server.tables["stock.shipment.out"]
        with pytest.raises(PollError, match="stock\\.shipment\\.out"):
            poll(server)

    def test_lines_name_the_sale_that_they_are_about(self, server: FakeTrytonServer) -> None:
        server.tables["sale.line"] = [{"id": 5, "sale.": {"id": 1, "number": "S1"}}]
        server.tables["stock.shipment.out"] = [
            {"id": 9, "number": "9", "state": "done", "effective_date": None,
             "create_date": "2026-03-03T10:00:00", "write_date": "2026-03-03T11:00:00",
             "outgoing_moves.": [{"id": 1, "origin": "sale.line,5", "quantity": 2.0,
                                  "state": "done", "product.": {"code": "A"}}]},
        ]  # fmt: skip
        bodies = [json.loads(record.body) for page in poll(server) for record in page.records]
        (event,) = parse(bodies[-1]).events
        assert [i.value for i in event.objects[0].identifiers] == ["S1", "1"]
        assert event.lines[0].quantities == {Measure.SHIPPED: 2}

    def test_log_tells_when_documents_reached_their_states(self, server: FakeTrytonServer) -> None:
        """Resetting a sale to draft starts its states over."""
        server.tables["ir.model.log"] = [
            {"id": n, "resource": resource, "event": "transition", "target": f"state:{state}",
             "create_date": f"2026-03-02T{at}:00"}
            for n, (resource, state, at) in enumerate([
                ("sale.sale,1", "confirmed", "10:05"), ("sale.sale,1", "draft", "10:06"),
                ("sale.sale,1", "confirmed", "10:10"), ("sale.sale,1", "processing", "11:30"),
                ("sale.sale,1", "processing", "12:30"), ("sale.sale,2", "confirmed", "11:00"),
            ])
        ]  # fmt: skip
        body = json.loads(poll(server)[0].records[0].body)
        received, accepted, released = parse(body).events
        assert received.occurred_at == datetime(2026, 3, 2, 10, tzinfo=UTC)
        assert accepted.occurred_at == datetime(2026, 3, 2, 10, 10, tzinfo=UTC)
        assert released.occurred_at == datetime(2026, 3, 2, 11, 30, tzinfo=UTC)
        assert Flag.TIME_OF_REPORT not in released.flags


class TestSales:
    def test_change_after_the_last_step_is_a_report_of_its_own(self) -> None:
        """The first report of each step stays, so a reduction does not change the past."""
        body = {"_model": "sale.sale", **sale(1, "2026-03-02T10:00:00+00:00")}
        body |= {"sale_date": "2026-03-02", "write_date": "2026-03-03T09:00:00+00:00"}
        body["lines."][0]["moves."] = [
            {"quantity": 1.5, "state": "done"},
            {"quantity": 0.5, "state": "draft"},
        ]
        body["lines."][0]["invoice_lines."] = [
            {"quantity": 1.0, "invoice.": {"state": "posted"}},
            {"quantity": 0.5, "invoice.": {"state": "draft"}},
        ]
        *steps, change = parse(body).events
        later = parse({**body, "write_date": "2026-03-04T09:00:00+00:00"}).events
        assert [event.key for event in steps] == [event.key for event in later[:-1]]
        assert all(a.revision > b.revision for a, b in zip(steps, later, strict=False))
        assert change.key != later[-1].key
        assert (change.type, change.occurred_at) == (
            EventType.ORDER_RELEASED,
            datetime(2026, 3, 3, 9, tzinfo=UTC),
        )
        expected = {Measure.ORDERED: 2, Measure.SHIPPED: Decimal("1.5"), Measure.INVOICED: 1}
        assert change.lines[0].quantities == expected
        assert set(change.complete_measures) == set(expected)

    def test_date_before_the_entry_of_a_migrated_sale_tells_nothing_else(self) -> None:
        body = {"_model": "sale.sale", **sale(1, "2026-03-20T10:00:00+00:00")}
        received, accepted, *_ = parse({**body, "sale_date": "2026-03-02"}).events
        assert accepted.occurred_at == datetime(2026, 3, 2, tzinfo=UTC)
        assert (accepted.lines, accepted.attributes) == ((), {})
        assert received.lines

    def test_fields_of_own_modules_tell_channel_dates_and_hold(self) -> None:
        body = {"_model": "sale.sale", **sale(1, "2026-03-02T10:00:00+00:00", state="confirmed")}
        body |= {"x_channel": "EDI", "x_due": "2026-03-09", "x_promise": "2026-03-11"}
        config = {
            "channel_field": "x_channel", "channel.EDI": "edi", "requested_field": "x_due",
            "promised_field": "x_promise", "hold_field": "x_hold",
        }  # fmt: skip
        received, *_ = parse(body, **config).events
        wanted = {"channel": "edi", "requested_at": "2026-03-09", "promised_at": "2026-03-11"}
        assert wanted.items() <= {k.value: v for k, v in received.attributes.items()}.items()
        types = [event.type for event in parse({**body, "x_hold": True}, **config).events]
        assert types[-1] is EventType.ORDER_HELD
        assert EventType.ORDER_HELD not in [event.type for event in parse(body, **config).events]

    def test_own_fields_are_read_if_the_model_has_them(self, server: FakeTrytonServer) -> None:
        server.tables["sale.sale"] = [sale(1, "2026-03-02T10:00:00", x_channel="EDI")]
        poll(server, channel_field="x_channel", hold_field="x_missing")
        (fields,) = {tuple(names) for model, names in server.fields if model == "sale.sale"}
        assert "x_channel" in fields
        assert "x_missing" not in fields

    def test_reference_is_an_order_name_of_the_shop_or_a_customer_po(self) -> None:
        body = {"_model": "sale.sale", **sale(1, "2026-03-02T10:00:00+00:00")}
        body["party."] = {"code": "C7"}

        def identifiers(reference: str, **config: str) -> list[tuple[str, str]]:
            event = parse({**body, "reference": reference}, **config).events[0]
            return [(i.scheme.value, i.issuer) for i in event.objects[0].identifiers][2:]

        assert identifiers("#1001") == [("customer_po", "C7")]
        assert identifiers("#1001", web_orders="shop") == [("web_order", "shop")]
        shop = {"web_orders": "shop", "web_order_prefix": "W-"}
        assert identifiers("PO-1", **shop) == [("customer_po", "C7")]
        assert identifiers("W-1", **shop) == [("web_order", "shop"), ("customer_po", "C7")]

    @pytest.mark.parametrize(
        ("state", "types"),
        [
            ("draft", []),
            ("quotation", []),
            ("confirmed", ["order.received", "order.accepted"]),
            ("processing", ["order.received", "order.accepted", "order.released"]),
            ("done", ["order.received", "order.accepted", "order.released"]),
            ("cancelled", ["order.cancelled"]),
            ("audited", ["unmapped"]),
        ],
    )
    def test_states_are_mapped(self, state: str, types: list[str]) -> None:
        body = {"_model": "sale.sale", **sale(1, "2026-03-02T10:00:00+00:00", state=state)}
        assert [event.type.value for event in parse(body).events] == types

    def test_confirmation_on_a_later_day_is_a_date_of_the_zone(self) -> None:
        body = {"_model": "sale.sale", **sale(1, "2026-03-02T10:00:00+00:00")}
        accepted = parse({**body, "sale_date": "2026-03-03"}, zone="America/Chicago").events[1]
        assert accepted.occurred_at == datetime(2026, 3, 3, 6, tzinfo=UTC)
        assert Flag.DATE_ONLY in accepted.flags
        same_day = parse({**body, "sale_date": "2026-03-02"}, zone="America/Chicago").events[1]
        assert same_day.occurred_at == datetime(2026, 3, 2, 10, tzinfo=UTC)

    def test_return_that_names_no_sale_is_ignored(self) -> None:
        lines = [{"id": 1, "type": "line", "quantity": -2.0}]
        body = {"_model": "sale.sale", **sale(1, "2026-03-02T10:00:00+00:00"), "lines.": lines}
        assert parse(body).ignored == "a return that names no sale"


class TestTrytonShipments:
    def shipment(self, state: str) -> dict[str, Any]:
        sale_line = {"id": 5, "sale.": {"id": 1, "number": "S1"}}
        move = {"id": 1, "quantity": 2.0, "product.": {"code": "A"}, "sale_line": sale_line}
        return {"_model": "stock.shipment.out", "id": 9, "number": "9", "state": state,
                "write_date": "2026-03-03T11:00:00+00:00", "outgoing_moves.": [move]}  # fmt: skip

    @pytest.mark.parametrize(
        ("state", "event_type"),
        [
            ("waiting", None),
            ("assigned", EventType.LINE_ALLOCATED),
            ("picked", EventType.PICK_COMPLETED),
            ("packed", EventType.PACK_COMPLETED),
            ("shipped", EventType.SHIPMENT_CONFIRMED),
            ("done", EventType.SHIPMENT_CONFIRMED),
            ("cancelled", EventType.SHIPMENT_VOID),
            ("weighed", EventType.UNMAPPED),
        ],
    )
    def test_states_are_mapped(self, state: str, event_type: EventType | None) -> None:
        events = parse(self.shipment(state)).events
        assert [event.type for event in events] == ([event_type] if event_type else [])

    def test_date_of_shipment_is_used_if_the_document_changed_later(self) -> None:
        body = {**self.shipment("done"), "effective_date": "2026-03-02"}
        (event,) = parse(body, zone="America/Chicago").events
        assert event.occurred_at == datetime(2026, 3, 2, 6, tzinfo=UTC)
        same_day = {**self.shipment("done"), "effective_date": "2026-03-03"}
        (event,) = parse(same_day, zone="America/Chicago").events
        assert event.occurred_at == datetime(2026, 3, 3, 11, tzinfo=UTC)


class TestTrytonInvoices:
    @pytest.mark.parametrize(
        ("state", "quantity", "types"),
        [
            ("draft", 2, []),
            ("audited", 2, ["unmapped"]),
            ("validated", 2, []),
            ("posted", 2, ["invoice.issued"]),
            ("paid", 2, ["invoice.issued", "invoice.paid"]),
            ("cancelled", 2, ["invoice.void"]),
            ("posted", -2, ["credit.issued"]),
            ("paid", -2, ["credit.issued"]),
        ],
    )
    def test_states_are_mapped(self, state: str, quantity: int, types: list[str]) -> None:
        line = {"id": 1, "quantity": quantity, "product.": {"code": "A"},
                "sale_line": {"id": 5, "sale.": {"id": 1, "number": "S1"}}}  # fmt: skip
        body = {"_model": "account.invoice", "id": 3, "number": "I3", "state": state,
                "total_amount": str(quantity), "lines.": [line],
                "write_date": "2026-03-03T11:00:00+00:00"}  # fmt: skip
        events = parse(body).events
        assert [event.type.value for event in events] == types
        for event in events[:1]:
            assert all(q == 2 for entry in event.lines for q in entry.quantities.values())
