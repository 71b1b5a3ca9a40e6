"""Reads what Salesforce pushes: outbound messages (SOAP) and events of Change Data Capture."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from connectors.sdk.event_codec import format_rfc3339
from connectors.sdk.payload import Node, ParkReason, PayloadError
from connectors.sdk.timestamps import ParsedTime, to_plausible_utc
from connectors.sdk.xml_documents import load_xml

# The session of the message gives access to the API. It is not stored.
SESSION = re.compile(rb"(<(?:[\w.-]+:)?SessionId(?:\s[^>]*)?>)[^<]*(</)")
UNIX_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Without it, Salesforce sends the message for 24 hours.
ACKNOWLEDGMENT = (
    b'<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope '
    b'xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Body>'
    b'<notificationsResponse xmlns="http://soap.sforce.com/2005/09/outbound"><Ack>true</Ack>'
    b"</notificationsResponse></soapenv:Body></soapenv:Envelope>"
)


@dataclass(frozen=True, slots=True)
class PushedRecord:
    """A record of an outbound message: the type of the object, and its fields."""

    name: str
    fields: Node


@dataclass(frozen=True, slots=True)
class ChangeHeader:
    """The header of a change event. Several records may have the same change."""

    name: str
    change: str
    record_ids: tuple[str, ...]
    time: ParsedTime | None

    @property
    def has_data(self) -> bool:
        """Whether the event has fields: a gap event and one of many records have none."""
        return not self.change.startswith("GAP_") and not any("*" in i for i in self.record_ids)


def organization_id(body: bytes) -> str:
    """Return OrganizationId of an outbound message. Raises PayloadError."""
    return _notifications(load_xml(body)).text_at("OrganizationId")


def records_of_outbound_message(body: bytes) -> list[PushedRecord]:
    """Return the records of an outbound message, at most 100. Raises PayloadError.

    https://developer.salesforce.com/docs/atlas.en-us.api.meta/api/sforce_api_om_outboundmessaging_notifications.htm
    """
    notifications = _notifications(load_xml(body))
    value = notifications.value.get("Notification")
    pushed = []
    for number, item in enumerate(value if isinstance(value, list) else [value]):
        record = item.get("sObject") if isinstance(item, dict) else None
        if not isinstance(record, dict):
            path = f"Notification[{number}]"
            raise PayloadError(ParkReason.SCHEMA, path, "expected an sObject, got nothing")
        name = str(record.get("@type", "")).rpartition(":")[2]
        pushed.append(PushedRecord(name, Node(record, f"Notification[{number}].sObject", [False])))
    return pushed


def change_header(payload: Node) -> ChangeHeader:
    """Return the header of a change event. `commitTimestamp` is in milliseconds of Unix time."""
    header = payload.required_object("ChangeEventHeader")
    milliseconds = header.decimal_at("commitTimestamp")
    path, time = header.get("commitTimestamp").path, None
    if milliseconds is not None:
        try:
            moment = UNIX_EPOCH + timedelta(milliseconds=int(milliseconds))
        except OverflowError:
            raise PayloadError(ParkReason.TIMESTAMP, path, "the time is out of range") from None
        time = ParsedTime(to_plausible_utc(moment, path))
    ids = tuple(node.as_text() for node in header.list_at("recordIds"))
    if not ids:
        raise PayloadError(ParkReason.REFERENCE, header.path, "the change names no record")
    return ChangeHeader(header.required_text("entityName"), header.text_at("changeType"), ids, time)


def record_of_change(payload: Node, header: ChangeHeader, record_id: str) -> Node:
    """Return the fields of the change with the id of one record and the time of the change."""
    fields = {name: value for name, value in payload.value.items() if name != "ChangeEventHeader"}
    fields["Id"] = record_id
    if header.time:
        fields["SystemModstamp"] = format_rfc3339(header.time.time)
    return Node(fields, payload.path, [payload.was_sanitized])


def _notifications(envelope: Node) -> Node:
    value: Any = _plain(envelope.value)
    for name in ("Body", "notifications"):
        value = value.get(name) if isinstance(value, dict) else None
    if not isinstance(value, dict):
        raise PayloadError(ParkReason.MAPPING, "Body", "no outbound message of Salesforce")
    return Node(value, "", [envelope.was_sanitized])


def _plain(value: Any) -> Any:
    """Return elements with only a text as that text."""
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if not isinstance(value, dict):
        return value
    if value.keys() <= {"#text"}:
        return value.get("#text", "")
    return {name: _plain(item) for name, item in value.items()}
