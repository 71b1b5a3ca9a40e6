"""Salesforce: outbound messages, change events of several records, ids, and statuses."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from connectors.sdk.auth import InvalidSignature
from connectors.sdk.connector import ParseResult, RawMessage
from connectors.sdk.events import EventType, Measure
from connectors.sdk.payload import PayloadError
from connectors.sdk.webhook_and_poll_types import WebhookRequest
from connectors.sdk.xml_documents import load_xml
from connectors.systems.salesforce.connector import Salesforce
from connectors.systems.salesforce.record_ids import long_record_id
from tests.unit.connectors.signatures import is_accepted

NOW = datetime(2026, 4, 1, tzinfo=UTC)
SECRET = b"a-token-of-at-least-24-bytes"
SHORT, LONG = "801Hs000001AbCd", "801Hs000001AbCdIAK"
FIELDS = (
    f"<sf:Id>{SHORT}</sf:Id><sf:OrderNumber>00000101</sf:OrderNumber><sf:Status>Activated"
    "</sf:Status><sf:CreatedDate>2026-03-02T08:00:00.000Z</sf:CreatedDate>"
    "<sf:ActivatedDate>2026-03-02T09:00:00.000Z</sf:ActivatedDate>"
)


def outbound(fields: str = FIELDS, kind: str = "Order") -> bytes:
    return (
        '<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope '
        'xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soapenv:Body>'
        '<notifications xmlns="http://soap.sforce.com/2005/09/outbound">'
        "<OrganizationId>00DHs000000aBcDMAU</OrganizationId><SessionId>00D!AQ.secret</SessionId>"
        f'<Notification><Id>04l1</Id><sObject xsi:type="sf:{kind}" '
        f'xmlns:sf="urn:sobject.enterprise.soap.sforce.com">{fields}</sObject></Notification>'
        "</notifications></soapenv:Body></soapenv:Envelope>"
    ).encode()


def parse(document: Any, **config: str) -> ParseResult:
    raw = document if isinstance(document, bytes) else json.dumps(document).encode()
    return Salesforce({"source": "crm", **config}).parse(RawMessage(raw, {}, NOW))


def change(kind: str = "UPDATE", ids: tuple[str, ...] = (LONG,), **fields: Any) -> dict[str, Any]:
    header = {
        "entityName": "Order",
        "recordIds": list(ids),
        "changeType": kind,
        "commitTimestamp": 1741684502000,
    }
    return {"payload": {"ChangeEventHeader": header, **fields}, "event": {"replayId": 6}}


def record(**fields: Any) -> dict[str, Any]:
    own = {"attributes": {"type": "Order"}, "Id": LONG, "OrderNumber": "00000101"}
    times = {"CreatedDate": "2026-03-02T08:00:00.000+0000"}
    return {**own, **times, "SystemModstamp": "2026-03-02T10:00:00.000+0000", **fields}


def types(result: ParseResult) -> list[str]:
    return [event.type.value for event in result.events]


def request(body: bytes, token: str = SECRET.decode()) -> WebhookRequest:
    query = {"token": token} if token else {}
    return WebhookRequest("POST", "/", query, {}, body)


class TestOutboundMessages:
    def test_the_token_of_the_url_and_the_organization_are_checked(self) -> None:
        own = Salesforce({"organization_id": "00DHs000000aBcD"})
        other = Salesforce({"organization_id": "00DHs000000xXxX"})
        assert is_accepted(own, request(outbound()), [SECRET], NOW)
        assert is_accepted(Salesforce({}), request(outbound()), [SECRET], NOW)
        assert not is_accepted(other, request(outbound()), [SECRET], NOW)
        assert not is_accepted(own, request(outbound(), "wrong"), [SECRET], NOW)
        with pytest.raises(InvalidSignature, match="token is missing"):
            own.verify(request(outbound(), ""), [SECRET], NOW)
        assert own.webhook_url_query("a&b") == "?token=a%26b"

    def test_the_answer_acknowledges_the_message(self) -> None:
        answer = Salesforce({}).success_response()
        assert (answer.status, answer.content_type) == (200, "text/xml; charset=utf-8")
        body = load_xml(answer.body).required_object("Body")
        response = body.required_object("notificationsResponse").required_object("Ack")
        assert response.text_at("#text") == "true"

    def test_the_session_is_not_stored(self) -> None:
        stored = Salesforce({}).body_to_store(request(outbound()))
        assert b"secret" not in stored
        assert parse(stored).events == parse(outbound()).events

    def test_the_fields_of_a_record_are_its_events(self) -> None:
        received, accepted = parse(outbound()).events
        assert (received.type, accepted.type) == (
            EventType.ORDER_RECEIVED,
            EventType.ORDER_ACCEPTED,
        )
        assert accepted.occurred_at == datetime(2026, 3, 2, 9, tzinfo=UTC)
        assert {(i.scheme.value, i.value) for i in received.objects[0].identifiers} == {
            ("order_number", "00000101"),
            ("source_id", LONG),
        }

    def test_other_documents_are_parked_and_document_types_are_refused(self) -> None:
        with pytest.raises(PayloadError, match="no outbound message"):
            parse(b"<html/>")
        with pytest.raises(PayloadError, match="DOCTYPE"):
            parse(b'<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>')
        assert parse(outbound(kind="Contact")).ignored == "Contact is not read"


class TestChangeEvents:
    def test_one_change_of_two_records_is_an_event_of_each(self) -> None:
        result = parse(change(ids=(SHORT, "801Hs000001AbCeIAK"), Status="Activated"))
        assert [event.key for event in result.events] == [
            f"Order {LONG} state",
            "Order 801Hs000001AbCeIAK state",
        ]
        assert {event.occurred_at for event in result.events} == {
            datetime(2025, 3, 11, 9, 15, 2, tzinfo=UTC)
        }
        assert result.poll_due

    @pytest.mark.parametrize("kind", ["GAP_UPDATE", "GAP_OVERFLOW", "DELETE"])
    def test_an_event_without_fields_makes_the_poll_due(self, kind: str) -> None:
        result = parse(change(kind))
        assert (result.events, result.poll_due) == ((), True)
        assert parse(change(ids=("801*",), Status="Activated")).events == ()

    def test_an_update_of_other_fields_changes_nothing_until_it_is_polled(self) -> None:
        result = parse(change(Description="x"))
        assert (types(result), result.poll_due) == ([], True)

    def test_a_created_record_has_all_fields(self) -> None:
        result = parse(change("CREATE", OrderNumber="00000101", Status="Draft"))
        assert types(result) == ["order.received"]


class TestSalesforceOrders:
    @pytest.mark.parametrize(
        ("status", "code", "expected"),
        [
            ("Draft", "Draft", []),
            ("Activated", "Activated", ["order.accepted"]),
            ("Canceled", "Canceled", ["order.cancelled"]),
            ("On review", "Draft", ["order.held"]),
            ("Old", "Activated", []),
            ("Sent", "Activated", ["order.accepted", "unmapped"]),
        ],
    )
    def test_the_status_of_the_organization_counts_before_its_category(
        self, status: str, code: str, expected: list[str]
    ) -> None:
        config = {"status.On review": "held", "status.Old": "ignored"}
        document = record(Status=status, StatusCode=code)
        assert types(parse(document, **config))[1:] == expected

    def test_a_report_without_lines_never_replaces_one_with_lines(self) -> None:
        items = {"records": [{"Id": "802Hs000002BcDe", "Quantity": 2.5}], "done": True}
        polled = parse(record(OrderItems=items)).events[0]
        pushed = parse(record(SystemModstamp="2026-03-02T12:00:00.000+0000")).events[0]
        assert polled.key == pushed.key
        assert polled.revision > pushed.revision
        assert [dict(line.quantities) for line in polled.lines] == [
            {Measure.ORDERED: Decimal("2.5")}
        ]
        assert polled.complete_measures == (Measure.ORDERED,)
        emptied = parse(record(OrderItems=None)).events[0]
        assert emptied.revision == polled.revision

    def test_the_own_field_names_the_order_of_another_system(self) -> None:
        config = {"order_field": "ERP__c", "reference": "sales_order@erp"}
        (event,) = parse(record(ERP__c="SO-1"), **config).events
        identifier = event.objects[0].identifiers[1]
        assert (identifier.scheme, identifier.value) == ("sales_order", "SO-1")

    def test_only_a_won_opportunity_is_an_order(self) -> None:
        own = {"attributes": {"type": "Opportunity"}, "Id": "006Hs000003CdEf"}
        won = {**own, "IsWon": True, "LastStageChangeDate": "2026-03-03T15:00:00.000+0000"}
        (event,) = parse(won).events
        assert event.type is EventType.ORDER_RECEIVED
        assert event.occurred_at == datetime(2026, 3, 3, 15, tzinfo=UTC)
        assert parse({**own, "IsWon": False}).ignored == "the opportunity is not won"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("001A0000006Vm9r", "001A0000006Vm9rIAC"),
        (SHORT, LONG),
        (LONG, LONG),
        ("", ""),
        ("not an id", "not an id"),
    ],
)
def test_ids_of_fifteen_characters_get_eighteen(given: str, expected: str) -> None:
    assert long_record_id(given) == expected
