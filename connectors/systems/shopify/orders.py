"""Shopify's orders: a snapshot holds facts, each with a key of its own."""

from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import ClassVar

from connectors.sdk.events import (
    Attribute,
    CanonicalEvent,
    EventType,
    Identifier,
    Line,
    Measure,
    ObjectKind,
    Ref,
    Scheme,
    identifying,
)
from connectors.sdk.payload import Node, PayloadError, Reason
from connectors.systems.shopify.fields import Shop, event, line, number, quantity, stamp
from connectors.systems.shopify.fulfillments import Fulfilments

ZERO = Decimal(0)


class Orders(Shop):
    """Orders, their edits, their holds and their refunds.

    The facts inside an order name it by its id alone, as the webhooks of their own do: told twice,
    they are one telling.
    """

    # A refund is of money that had been paid.
    paid: ClassVar[frozenset[str]] = frozenset({"paid", "partially_refunded", "refunded"})

    def order(self, order: Node) -> Iterator[CanonicalEvent]:
        """Received, accepted, changed, shipped, refunded, cancelled."""
        own, name = self.named(order, "id"), f"order {number(order, 'id')}"
        revision = self.revision(order)
        yield event(
            EventType.ORDER_RECEIVED,
            f"{name} received",
            self.when(order, "created_at", "processed_at"),
            Ref(ObjectKind.ORDER, (*own.identifiers, *self._numbers(order))),
            lines=tuple(
                line(item, number(item, "id"), Measure.ORDERED, quantity(item))
                for item in order.items("line_items")
            ),
            about=self._about(order),
            revision=revision,
        )
        word = order.text("financial_status")
        if word in self.paid:
            at = self.when(order, "processed_at", "created_at")
            key = f"{name} accepted"
            yield event(EventType.ORDER_ACCEPTED, key, at, own, revision=revision, raw=word)
        yield from self._ended(order, own, name)
        fulfilments = Fulfilments(self.config, self.source)
        for fulfilment in order.items("fulfillments"):
            yield from fulfilments.fulfilment(fulfilment, own)
        for refund in order.items("refunds"):
            yield from self.refund(refund, own)

    def _ended(self, order: Node, own: Ref, name: str) -> Iterator[CanonicalEvent]:
        """What will not be sent any more: a cancellation, or quantities that edits took away."""
        gone = tuple(_taken_back(order))
        if order.has("cancelled_at"):
            yield event(
                EventType.ORDER_CANCELLED,
                f"{name} cancelled",
                self.when(order, "cancelled_at"),
                own,
                lines=gone,
                about={Attribute.REASON: order.text("cancel_reason")},
                revision=self.revision(order),
            )
        elif gone:
            # Edits leave no time in the order: it is that of the snapshot which first shows them.
            at = self.when(order, "updated_at")
            key = f"{name} changed {stamp(at)}".strip()
            yield event(EventType.ORDER_CHANGED, key, at, own, lines=gone)

    def edit(self, edit: Node) -> Iterator[CanonicalEvent]:
        """orders/edited tells only what was added and removed; the order's next snapshot counts."""
        yield event(
            EventType.ORDER_CHANGED,
            f"order edit {number(edit, 'id')}",
            self.when(edit, "created_at"),
            self.named(edit, "order_id"),
        )

    def refund(self, refund: Node, order: Ref) -> Iterator[CanonicalEvent]:
        """A credit and the lines it is for; some refunds are of an amount alone."""
        name = f"refund {number(refund, 'id')}"
        yield event(
            EventType.CREDIT_ISSUED,
            name,
            self.when(refund, "processed_at", "created_at"),
            order,
            lines=tuple(_credited(item) for item in refund.items("refund_line_items")),
            part=name,
            about={Attribute.REASON: refund.text("note")},
        )

    def hold(self, kind: EventType, node: Node) -> Iterator[CanonicalEvent]:
        """A fulfilment order put on hold or let go; the webhooks of late name no order at all."""
        if not node.has("order_id"):
            raise PayloadError(
                Reason.REFERENCE, "order_id", "the notice names a fulfilment order, not its order"
            )
        at = self.when(node, "updated_at", "created_at")
        reasons = [hold.text("reason") for hold in node.items("fulfillment_holds")]
        word = kind.value.removeprefix("order.")
        yield event(
            kind,
            f"fulfillment order {number(node, 'id')} {word} {stamp(at)}".strip(),
            at,
            self.named(node, "order_id"),
            about={
                Attribute.STATUS: node.text("status"),
                Attribute.REASON: ", ".join(reason for reason in reasons if reason),
            },
        )

    def unknown(self, node: Node, topic: str) -> Iterator[CanonicalEvent]:
        """A topic nobody has mapped is kept on the order it names."""
        inside = isinstance(node.at("order").value, dict)
        named, key = (node.child("order"), "id") if inside else (node, "order_id")
        if not named.has(key):
            detail = f"{topic} is not read" if topic else "there is no topic, and no field tells it"
            raise PayloadError(Reason.MAPPING, "topic", f"{detail}; no order is named")
        at = self.when(node, "updated_at", "created_at")
        parts = (topic, node.text("id"), stamp(at))
        name = " ".join(part for part in parts if part)
        yield event(EventType.UNMAPPED, name, at, self.named(named, key), raw=topic)

    def _numbers(self, order: Node) -> Iterator[Identifier]:
        name, counted = identifying(order.text("name")), identifying(order.text("order_number"))
        po, customer = identifying(order.text("po_number")), self._customer(order)
        if name:
            yield Identifier(Scheme.WEB_ORDER, name, self.source)
        if counted and counted != "".join(char for char in name if char.isdecimal()):
            yield Identifier(Scheme.ORDER_NUMBER, counted, self.source, strong=False)
        if po:
            yield Identifier(Scheme.CUSTOMER_PO, po, customer, strong=bool(customer))

    def _customer(self, order: Node) -> str:
        """The ERP's customer number, where the shop writes it into a note attribute."""
        wanted = self.config.get("customer_attribute", "")
        notes = order.items("note_attributes") if wanted else []
        found = (note.text("value") for note in notes if note.text("name") == wanted)
        return identifying(next(found, ""))

    def _about(self, order: Node) -> dict[Attribute, str]:
        company = person = ""
        if order.has("shipping_address"):
            company = order.child("shipping_address").text("company")
        if order.has("customer"):
            customer = order.child("customer")
            person = f"{customer.text('first_name')} {customer.text('last_name')}".strip()
        return {
            Attribute.CHANNEL: self.config.get("channel", "") or "web",
            Attribute.CURRENCY: order.text("currency"),
            Attribute.TOTAL: order.text("current_total_price") or order.text("total_price"),
            Attribute.CUSTOMER_NO: self._customer(order),
            Attribute.CUSTOMER_NAME: company or person,
            Attribute.STATUS: order.text("fulfillment_status") or order.text("financial_status"),
        }


def _credited(item: Node) -> Line:
    about = item.child("line_item") if item.has("line_item") else item
    return line(about, number(item, "line_item_id"), Measure.CREDITED, quantity(item))


def _taken_back(order: Node) -> Iterator[Line]:
    """Quantities that fell without goods coming back.

    `current_quantity` is `quantity` without everything removed, cancelled or returned. A refund
    with `no_restock` may be of goods sent or of goods never sent: what was sent decides.
    """
    sent: dict[str, Decimal] = {}
    for fulfilment in order.items("fulfillments"):
        if fulfilment.text("status") == "success":
            _add(sent, fulfilment.items("line_items"), "id")
    returned: dict[str, Decimal] = {}
    unsure: dict[str, Decimal] = {}
    for refund in order.items("refunds"):
        for item in refund.items("refund_line_items"):
            kind = item.text("restock_type")
            if kind != "cancel":
                _add(returned if kind == "return" else unsure, [item], "line_item_id")
    for item in order.items("line_items"):
        line_id, current = number(item, "id"), item.decimal("current_quantity")
        back = returned.get(line_id, ZERO)
        back += min(unsure.get(line_id, ZERO), sent.get(line_id, ZERO))
        gone = ZERO if current is None else quantity(item) - current - back
        if gone > 0:
            yield line(item, line_id, Measure.CANCELLED, gone)


def _add(totals: dict[str, Decimal], items: Iterable[Node], key: str) -> None:
    for item in items:
        line_id = number(item, key)
        totals[line_id] = totals.get(line_id, ZERO) + quantity(item)
