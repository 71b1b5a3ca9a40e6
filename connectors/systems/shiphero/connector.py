"""ShipHero: warehouse webhooks; the kind is `webhook_type` in the body."""

import base64
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import ClassVar

from connectors.sdk.auth import Unauthentic, check_base64, hmac_sha256
from connectors.sdk.connector import Connector, Message, Parsed, Reply, Request, Role
from connectors.sdk.events import (
    Attribute,
    CanonicalEvent,
    EventType,
    Flag,
    Identifier,
    Line,
    Measure,
    ObjectKind,
    Ref,
    Scheme,
    identifying,
    issued,
    plain,
)
from connectors.sdk.payload import Node, PayloadError, Reason, load_json
from connectors.sdk.timestamps import Moment, instant
from connectors.systems.shiphero.fields import labels, lines_of, name_of, need, packages, tote_of

SIGNATURE = "x-shiphero-hmac-sha256"
MESSAGE_ID = "x-shiphero-message-id"
Events = Iterator[CanonicalEvent]


class ShipHero(Connector):
    """Allocation, picking, packing and shipping of one warehouse.

    Times have no zone, and some messages no time. Fields inside `packages[]` are right, those
    beside them are legacy; a tracking number may be text such as "Pickup". Allocation goes back and
    forth, each time under a new reference.
    https://developer.shiphero.com/webhooks
    """

    slug: ClassVar[str] = "shiphero"
    title: ClassVar[str] = "ShipHero"
    role: ClassVar[Role] = Role.WMS
    settings: ClassVar[Mapping[str, str]] = {
        "order_number": "Whose number order_number is, such as sales_order@erp.",
        "zone": "The IANA time zone of the account (default UTC).",
        "warehouse.<id>": "The name of the warehouse with this warehouse_id.",
        "test_traffic": "yes: read messages marked as test as well.",
    }
    kept_headers: ClassVar[frozenset[str]] = frozenset({SIGNATURE, MESSAGE_ID})
    silent: ClassVar[Mapping[str, str]] = {
        "Inventory Update": "stock levels are not read",
        "Inventory Change": "stock levels are not read",
        "Automation Rules": "the warehouse's own rules say nothing of where an order stands",
        "PO Update": "purchase orders are not customers' orders",
        "Capture Payment": "payments come from finance",
        "Generate Label": "a label asked for is no label yet",
        "Print Barcode": "a printed barcode says nothing of the order",
        "Tote Cleared": "an emptied tote says nothing of the order",
        "Shipment ASN": "the shipment itself comes as Shipment Update",
    }

    returns: ClassVar[Mapping[str, EventType]] = {"pending": EventType.RETURN_AUTHORISED}

    def verify(self, request: Request, secrets: Sequence[bytes], now: datetime) -> None:
        """HMAC-SHA256 of the raw body, base64."""
        given = request.headers.get(SIGNATURE, "")
        if not given:
            raise Unauthentic("there is no signature")
        check_base64(given, secrets, request.body)

    def sign(self, body: bytes, secret: bytes, now: datetime) -> Mapping[str, str]:
        """The inverse of `verify`."""
        return {SIGNATURE: base64.b64encode(hmac_sha256(secret, body)).decode()}

    def dedupe_key(self, request: Request) -> str:
        """The vendor's message id."""
        return request.headers.get(MESSAGE_ID, "")

    def acknowledge(self) -> Reply:
        """The answer the vendor's manual asks for."""
        return Reply(200, b'{"code": "200", "Message": "Success"}', "application/json")

    def parse(self, message: Message) -> Parsed:
        """By `webhook_type`; a word nobody has mapped is kept on the order it names."""
        body = load_json(message.body)
        kind = body.need("webhook_type")
        if kind in self.silent:
            return Parsed(ignored=f"{kind}: {self.silent[kind]}")
        if body.boolean("test") and self.config.get("test_traffic") != "yes":
            return Parsed(ignored="test message (test: 1)")
        readers: Mapping[str, Callable[[Node], Events]] = {
            "Order Allocated": self._allocated,
            "Order Deallocated": self._deallocated,
            "Tote Complete": self._picked,
            "Order Packed Out": self._packed,
            "Package Added": self._labelled,
            "Shipment Update": self._shipped,
            "Order Canceled": self._cancelled,
            "Return Update": self._returned,
        }
        events = tuple(readers.get(kind, self._unknown)(body))
        if body.sanitised:
            events = tuple(replace(e, flags=(*e.flags, Flag.SANITISED)) for e in events)
        return Parsed(events=events)

    def _allocated(self, body: Node) -> Events:
        """Without a reference the figures are the whole order's."""
        part, moment = self._allocation(body), self._when(body, "allocated_at")
        lines = lines_of(body.items("line_items"), Measure.ALLOCATED)
        key = f"{part or name_of(body)} allocated"
        yield self._event(EventType.LINE_ALLOCATED, key, body, moment, lines=lines, part=part)

    def _deallocated(self, body: Node) -> Events:
        """The vendor names the allocation and no lines: what was said of it is withdrawn."""
        part, moment = self._allocation(body), self._when(body, "deallocated_at")
        told = lines_of(body.items("line_items"), Measure.ALLOCATED)
        name = part or name_of(body)
        event = self._event(
            EventType.LINE_DEALLOCATED,
            f"{name} deallocated",
            body,
            moment,
            lines=tuple(replace(line, quantities={Measure.ALLOCATED: Decimal(0)}) for line in told),
            part=part,
            about={Attribute.REASON: body.text("reason")},
        )
        yield replace(event, corrects=() if told else (f"{name} allocated",))

    def _allocation(self, body: Node) -> str:
        reference = identifying(body.text("allocation_reference"))
        return f"allocation {reference}" if reference else ""

    def _picked(self, body: Node) -> Events:
        """A tote may hold several orders: each is picked on its own. There may be no time."""
        moment = self._when(body, "completed_at", "created_at")
        orders = [(tote, order) for tote in body.items("totes") for order in tote.items("orders")]
        if not orders:
            raise PayloadError(Reason.REFERENCE, "totes", "the message names no order")
        for tote, order in orders:
            part, lines = tote_of(tote), lines_of(order.items("items"), Measure.PICKED)
            # Totes are used again and again; the batch is not.
            parts = (part, "picked for", name_of(order), body.text("batch_id"))
            key = " ".join(p for p in parts if p)
            yield self._event(
                EventType.PICK_COMPLETED, key, order, moment, lines=lines, part=part or key
            )

    def _packed(self, body: Node) -> Events:
        """Some accounts send the items without quantities: then only the step is known."""
        items, part = body.items("items"), tote_of(body) or "packed"
        known = all(item.has("quantity") for item in items)
        yield self._event(
            EventType.PACK_COMPLETED,
            f"{part} packed for {name_of(body)}",
            body,
            self._when(body, "packed_at", "created_at"),
            lines=lines_of(items, Measure.PACKED) if known else (),
            part=part,
        )

    def _labelled(self, body: Node) -> Events:
        numbers, carrier = labels(body.items("packages") or [body])
        name = body.text("package_id") or body.text("shipment_id") or " ".join(numbers)
        yield self._event(
            EventType.LABEL_CREATED,
            f"package {name or name_of(body)} labelled",
            body,
            self._when(body, "created_at"),
            *packages(numbers),
            about={Attribute.CARRIER: carrier or body.text("carrier")},
        )

    def _shipped(self, body: Node) -> Events:
        """One shipment; what each parcel holds adds up."""
        shipment = body.child("fulfillment") if body.has("fulfillment") else body
        number = need(shipment, "shipment_id")
        boxes = shipment.items("packages") or body.items("packages")
        numbers, carrier = labels(boxes or [shipment])
        packed = [item for box in boxes for item in box.items("line_items")]
        own = Identifier(Scheme.SOURCE_ID, number, self.source)
        yield self._event(
            EventType.SHIPMENT_CONFIRMED,
            f"shipment {number} confirmed",
            shipment,
            self._when(shipment, "created_at"),
            Ref(ObjectKind.SHIPMENT, (own,)),
            *packages(numbers),
            lines=lines_of(packed or shipment.items("line_items"), Measure.SHIPPED),
            part=f"shipment {number}",
            about={
                Attribute.CARRIER: carrier or shipment.text("shipping_carrier"),
                Attribute.SERVICE: shipment.text("shipping_method"),
            },
        )

    def _cancelled(self, body: Node) -> Events:
        """The vendor gives no time; the hyphen in the key is the vendor's."""
        yield self._event(
            EventType.ORDER_CANCELLED,
            f"order {name_of(body)} cancelled",
            body,
            self._when(body, "canceled_at", "updated_at"),
            about={Attribute.STATUS: body.text("fulfillment-status")},
        )

    def _returned(self, body: Node) -> Events:
        """Goods are back once a quantity was received; `created_at` is when that was agreed."""
        number, status = need(body, "return_id"), body.text("status")
        part = f"return {number}"
        lines = lines_of(body.items("items"), Measure.RETURNED, "quantity_received")
        arrived = any(line.quantities[Measure.RETURNED] for line in lines)
        figures = " ".join(f"{e.line_id}={plain(e.quantities[Measure.RETURNED])}" for e in lines)
        kind = self.returns.get(status, EventType.UNMAPPED)
        yield self._event(
            EventType.RETURN_RECEIVED if arrived else kind,
            f"{part} received {figures}" if arrived else f"{part} {status}".strip(),
            body,
            self._when(body, "updated_at", *(() if arrived else ("created_at",))),
            Ref(ObjectKind.RETURN, (Identifier(Scheme.SOURCE_ID, number, self.source),)),
            lines=lines if arrived else (),
            part=part,
            about={Attribute.REASON: body.text("reason"), Attribute.STATUS: status},
            raw="" if arrived or kind is not EventType.UNMAPPED else f"return {status}",
        )

    def _unknown(self, body: Node) -> Events:
        kind, moment = body.text("webhook_type"), self._when(body, "updated_at", "created_at")
        parts = (kind, name_of(body), moment.at.isoformat() if moment else "")
        if not parts[1]:
            raise PayloadError(Reason.MAPPING, "webhook_type", f"{kind!r} is unknown and no order")
        about = {Attribute.REASON: body.text("reason")}
        key = " ".join(part for part in parts if part)
        yield self._event(EventType.UNMAPPED, key, body, moment, about=about, raw=kind)

    def _event(
        self,
        kind: EventType,
        key: str,
        body: Node,
        moment: Moment | None,
        *objects: Ref,
        lines: tuple[Line, ...] = (),
        part: str = "",
        about: Mapping[Attribute, str] | None = None,
        raw: str = "",
    ) -> CanonicalEvent:
        """An event of the order that `body` names, at its warehouse."""
        texts = {Attribute.WAREHOUSE: self._warehouse(body), **(about or {})}
        return CanonicalEvent(
            type=kind,
            key=key,
            occurred_at=moment.at if moment else None,
            objects=(self._order(body), *objects),
            lines=lines,
            part=part,
            attributes={name: text for name, text in texts.items() if text},
            raw_type=raw,
            flags=moment.flags if moment else (Flag.TIME_RECEIVED,),
        )

    def _order(self, body: Node) -> Ref:
        """By its number, the vendor's id, and the partner's word where it differs."""
        default = (Scheme.ORDER_NUMBER, self.source)
        scheme, issuer = issued(self.config.get("order_number", ""), default)
        number, own = identifying(body.text("order_number")), identifying(body.text("order_id"))
        partner = identifying(body.text("partner_order_id"))
        numbers = []
        if number:
            numbers.append(Identifier(scheme, number, issuer))
        if own:
            numbers.append(Identifier(Scheme.SOURCE_ID, own, self.source))
        if partner and partner != number:
            numbers.append(Identifier(Scheme.REFERENCE, partner, self.source, strong=not numbers))
        if not numbers:
            path = f"{body.path}.order_number".strip(".")
            raise PayloadError(Reason.REFERENCE, path, "the message names no order")
        return Ref(ObjectKind.ORDER, tuple(numbers))

    def _warehouse(self, body: Node) -> str:
        number = identifying(body.text("warehouse_id"))
        named = self.config.get(f"warehouse.{number}", "") if number else ""
        return named or identifying(body.text("warehouse")) or number

    def _when(self, body: Node, *keys: str) -> Moment | None:
        """The first of these times that is there: `2022-05-24 18:20:15` or with a T."""
        for key in keys:
            path = f"{body.path}.{key}".strip(".")
            moment = instant(body.text(key), path, self.config.get("zone") or "UTC")
            if moment:
                return moment
        return None
