"""Converts orders and won opportunities of Salesforce to canonical events."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import ClassVar

from connectors.sdk.event_builder import build_event, revision_of_earliest_report
from connectors.sdk.event_codec import format_decimal, format_rfc3339
from connectors.sdk.events import (
    Attribute,
    CanonicalEvent,
    EventIdentifier,
    EventLine,
    EventType,
    Flag,
    IdentifierScheme,
    Measure,
    ObjectKind,
    ObjectReference,
)
from connectors.sdk.payload import Node, ParkReason, PayloadError
from connectors.sdk.placeholders_and_issuers import blank_if_placeholder
from connectors.sdk.settings import ParsedSettings
from connectors.sdk.timestamps import ParsedTime, parse_timestamp
from connectors.systems.salesforce.record_ids import long_record_id

Events = Iterator[CanonicalEvent]
# Values of the setting `status.<status>`.
MEANINGS: Mapping[str, EventType | None] = {
    "received": None,
    "accepted": EventType.ORDER_ACCEPTED,
    "held": EventType.ORDER_HELD,
    "released": EventType.ORDER_RELEASED,
    "cancelled": EventType.ORDER_CANCELLED,
    "ignored": None,
}


class SalesforceRecordReader:
    """Reader of Order and Opportunity.

    `Status` of an order is a picklist of the organization, `StatusCode` its category: the settings
    map the first, and the second is known. https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/sforce_api_objects_order.htm
    """

    codes: ClassVar[Mapping[str, EventType | None]] = {
        "draft": None,
        "activated": EventType.ORDER_ACCEPTED,
        "canceled": EventType.ORDER_CANCELLED,
        "cancelled": EventType.ORDER_CANCELLED,
    }

    def __init__(self, settings: ParsedSettings, source: str) -> None:
        self.settings = settings
        self.source = source

    def read_events(self, name: str, record: Node) -> tuple[list[CanonicalEvent], str]:
        """Return the events of a record, or none and why. Raises PayloadError."""
        if name == "Order":
            return list(self._order_events(record)), ""
        if name == "Opportunity":
            if not record.boolean_at("IsWon") and record.text_at("StageName") != "Closed Won":
                return [], "the opportunity is not won"
            return [self._opportunity_event(record)], ""
        return [], f"{name or 'a record without a type'} is not read"

    def _order_events(self, order: Node) -> Events:
        """Yield the order and its state. A report without lines never replaces one with lines."""
        number, changed = long_record_id(order.required_text("Id")), changed_at(order)
        created = _time(order, "CreatedDate") or changed
        lines, is_complete = self._lines(order)
        received = self._build_event(EventType.ORDER_RECEIVED, f"Order {number}", order, created)
        yield replace(
            received,
            lines=lines,
            complete_measures=(Measure.ORDERED,) * is_complete,
            revision=received.revision
            if isinstance(order.value, dict) and "OrderItems" in order.value
            else "",
        )
        activated = _time(order, "ActivatedDate")
        yield from self.state_events(number, order, order, activated or changed)

    def state_events(
        self, number: str, fields: Node, order: Node, time: ParsedTime | None
    ) -> Events:
        """Yield what Status and StatusCode mean. `fields` has them, `order` names the order.

        The state has one key, of which the newest revision counts.
        """
        status, code = fields.text_at("Status"), fields.text_at("StatusCode")
        meanings = self.settings.values_of_family_by_id("status.")
        known = {text.casefold(): MEANINGS[meaning] for text, meaning in meanings.items()}
        texts = [text.casefold() for text in (status, code) if text]
        mapped = [text for text in texts if text in known or text in self.codes]
        kind = None
        if mapped:
            kind = known.get(mapped[0], self.codes.get(mapped[0]))
        if kind:
            event = self._build_event(kind, f"Order {number} state", order, time)
            yield replace(event, raw_type=status or code)
        if status and status.casefold() not in {*known, *self.codes}:
            key = f"Order {number} {status}"
            event = self._build_event(EventType.UNMAPPED, key, order, changed_at(order) or time)
            yield replace(event, raw_type=status)

    def _opportunity_event(self, record: Node) -> CanonicalEvent:
        """Return the order that a won opportunity is. Of several reports the earliest counts."""
        number = long_record_id(record.required_text("Id"))
        stage = _time(record, "LastStageChangeDate")
        changed = changed_at(record)
        reported = ParsedTime(changed.time, (Flag.TIME_OF_REPORT,)) if changed else None
        time = stage or reported
        event = self._build_event(EventType.ORDER_RECEIVED, f"Opportunity {number}", record, time)
        return replace(
            event, raw_type="Opportunity won", revision=revision_of_earliest_report(time)
        )

    def _lines(self, order: Node) -> tuple[tuple[EventLine, ...], bool]:
        """Return the order products of a subquery, and whether they are all."""
        items = order.get("OrderItems")
        if not isinstance(items.value, dict):
            return (), False
        lines = []
        for item in items.list_at("records"):
            quantity, product = item.decimal_at("Quantity"), item.get("Product2")
            has_product = isinstance(product.value, dict)
            if quantity is None:
                continue
            if quantity < 0:
                path = item.get("Quantity").path
                raise PayloadError(ParkReason.QUANTITY, path, f"{quantity} is negative")
            lines.append(
                EventLine(
                    line_id=long_record_id(item.required_text("Id")),
                    sku=product.text_at("ProductCode") if has_product else "",
                    description=product.text_at("Name") if has_product else "",
                    price=item.decimal_at("UnitPrice"),
                    quantities={Measure.ORDERED: quantity},
                )
            )
        is_complete = not items.has_value("done") or items.boolean_at("done")
        return tuple(lines), is_complete

    def _build_event(
        self, kind: EventType, key: str, record: Node, time: ParsedTime | None
    ) -> CanonicalEvent:
        account, changed = record.get("Account"), changed_at(record)
        has_account = isinstance(account.value, dict)
        total = record.decimal_at("TotalAmount") or record.decimal_at("Amount")
        return build_event(
            kind,
            key,
            time,
            ObjectReference(ObjectKind.ORDER, tuple(self._order_identifiers(record))),
            attributes={
                Attribute.CUSTOMER_NO: self._customer_number(record),
                Attribute.CUSTOMER_NAME: account.text_at("Name") if has_account else "",
                Attribute.CURRENCY: record.text_at("CurrencyIsoCode"),
                Attribute.TOTAL: "" if total is None else format_decimal(total),
                Attribute.STATUS: record.text_at("Status") or record.text_at("StageName"),
            },
            revision=format_rfc3339(changed.time) if changed else "",
            flags=(Flag.TIME_RECEIVED,) * (time is None) + (Flag.SANITIZED,) * record.was_sanitized,
        )

    def _customer_number(self, record: Node) -> str:
        account = record.get("Account")
        number = account.text_at("AccountNumber") if isinstance(account.value, dict) else ""
        return number or long_record_id(record.text_at("AccountId"))

    def _order_identifiers(self, record: Node) -> Iterator[EventIdentifier]:
        """Yield the order number, the number of another system, the PO, and the id."""
        number = blank_if_placeholder(record.text_at("OrderNumber"))
        if number:
            yield EventIdentifier(IdentifierScheme.ORDER_NUMBER, number, self.source)
        default = (IdentifierScheme.REFERENCE, "")
        scheme, issuer = self.settings.identifier_scheme_and_issuer("reference", default)
        field = self.settings.text("order_field")
        other = blank_if_placeholder(record.text_at(field)) if field and issuer else ""
        if other:
            yield EventIdentifier(scheme, other, issuer)
        purchase_order = blank_if_placeholder(record.text_at("PoNumber"))
        customer = self._customer_number(record)
        if purchase_order:
            yield EventIdentifier(
                IdentifierScheme.CUSTOMER_PO, purchase_order, customer, strong=bool(customer)
            )
        reference = blank_if_placeholder(record.text_at("OrderReferenceNumber"))
        if reference:
            yield EventIdentifier(IdentifierScheme.REFERENCE, reference, self.source, strong=False)
        record_id = long_record_id(record.required_text("Id"))
        yield EventIdentifier(IdentifierScheme.SOURCE_ID, record_id, self.source)


def changed_at(record: Node) -> ParsedTime | None:
    """Return when a record was last changed, by the system or by a person."""
    return _time(record, "SystemModstamp") or _time(record, "LastModifiedDate")


def _time(record: Node, key: str) -> ParsedTime | None:
    """Return a time such as `2026-03-02T10:00:00.000+0000`; one without an offset is UTC."""
    return parse_timestamp(record.text_at(key), record.get(key).path, "UTC")


def type_of_record(record: Node) -> str:
    """Return the type of a record of the REST API. Raises PayloadError if it has none."""
    attributes = record.get("attributes")
    name = attributes.text_at("type") if isinstance(attributes.value, dict) else ""
    if not name:
        names = json.dumps(sorted(record.keys())[:5])
        detail = f"neither a record of Salesforce nor a change event: it has {names}"
        raise PayloadError(ParkReason.MAPPING, record.path or "$", detail)
    return name
