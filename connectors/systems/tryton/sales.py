"""Events of `sale.sale`: orders, and the returns that Tryton writes as sales."""

from collections.abc import Iterator
from typing import ClassVar

from connectors.sdk.event_builder import build_event
from connectors.sdk.events import (
    Attribute,
    CanonicalEvent,
    EventIdentifier,
    EventLine,
    EventType,
    Flag,
    IdentifierScheme,
    Measure,
    ObjectReference,
)
from connectors.sdk.payload import Node
from connectors.sdk.placeholders_and_issuers import blank_if_placeholder
from connectors.sdk.timestamps import ParsedTime, parse_timestamp
from connectors.systems.tryton.field_values import (
    amount_at,
    changed_time,
    related,
    related_text,
    return_reference,
    revision_of,
    sale_reference,
    time_of_day_or_date,
    unit_of,
)


class SaleReader:
    """Reader of sales and returns. `zone`: where dates without a time begin and end."""

    # A sale is processed as soon as it is confirmed, unless the configuration delays it.
    confirmed: ClassVar[frozenset[str]] = frozenset({"confirmed", "processing", "done"})
    released: ClassVar[frozenset[str]] = frozenset({"processing", "done"})

    def __init__(self, source: str, zone: str) -> None:
        self.source, self.zone = source, zone

    def read(self, sale: Node) -> tuple[list[CanonicalEvent], str]:
        """Return the events of a sale, or none and the reason."""
        state = sale.required_text("state")
        if state in {"draft", "quotation"}:
            return [], "a quotation is not an order yet"
        lines = [line for line in sale.list_at("lines.") if line.text_at("type") == "line"]
        quantities = [line.decimal_at("quantity") or 0 for line in lines]
        if lines and all(quantity < 0 for quantity in quantities):
            return self._return_events(sale, state)
        return list(self._order_events(sale, state, lines)), ""

    def _order_events(self, sale: Node, state: str, lines: list[Node]) -> Iterator[CanonicalEvent]:
        number, ref = sale.required_text("id"), self._reference(sale)
        created = parse_timestamp(sale.text_at("create_date"), sale.get("create_date").path, "UTC")
        confirmed = self._confirmed_at(sale, created)
        if state == "cancelled":
            yield self._event(sale, EventType.ORDER_CANCELLED, f"sale {number} state", ref)
            return
        if state not in self.confirmed:
            yield self._event(
                sale, EventType.UNMAPPED, f"sale {number} state {state}", ref, raw=state
            )
            return
        yield self._event(
            sale, EventType.ORDER_RECEIVED, f"sale {number} order", ref, at=created, lines=lines
        )
        yield self._event(sale, EventType.ORDER_ACCEPTED, f"sale {number} state", ref, at=confirmed)
        if state in self.released:
            yield self._event(
                sale, EventType.ORDER_RELEASED, f"sale {number} released", ref, at=confirmed
            )

    def _confirmed_at(self, sale: Node, created: ParsedTime | None) -> ParsedTime | None:
        """The date of the sale, and not before it was entered on that day."""
        precise = created
        return time_of_day_or_date(sale, "sale_date", self.zone, precise) or changed_time(sale)

    def _return_events(self, sale: Node, state: str) -> tuple[list[CanonicalEvent], str]:
        returned = sale.get("returned_sale")
        if not isinstance(returned.value, dict):
            return [], "a return that names no sale"
        if state == "cancelled":
            return [], "a cancelled return"
        refs = sale_reference(returned, self.source), return_reference(sale, self.source)
        at = self._confirmed_at(sale, changed_time(sale))
        key = f"sale {sale.required_text('id')} return"
        return [self._event(sale, EventType.RETURN_AUTHORIZED, key, *refs, at=at)], ""

    def _event(
        self,
        sale: Node,
        kind: EventType,
        key: str,
        *refs: ObjectReference,
        at: ParsedTime | None = None,
        lines: list[Node] | None = None,
        raw: str = "",
    ) -> CanonicalEvent:
        moment = at or changed_time(sale)
        return build_event(
            kind,
            key,
            moment,
            *refs,
            lines=[_ordered_line(line) for line in lines or []],
            complete_measures=[Measure.ORDERED] if lines else [],
            attributes={
                Attribute.STATUS: sale.text_at("state"),
                Attribute.CUSTOMER_NO: related_text(sale, "party", "code"),
                Attribute.CUSTOMER_NAME: related_text(sale, "party", "rec_name"),
                Attribute.CURRENCY: related_text(sale, "currency", "code"),
                Attribute.TOTAL: amount_at(sale, "total_amount"),
                Attribute.WAREHOUSE: related_text(sale, "warehouse", "code"),
                Attribute.SHIP_BY: sale.text_at("shipping_date"),
            },
            revision=revision_of(sale),
            raw_type=raw,
            flags=() if at else (Flag.TIME_OF_REPORT if moment else Flag.TIME_RECEIVED,),
        )

    def _reference(self, sale: Node) -> ObjectReference:
        ref = sale_reference(sale, self.source)
        text = blank_if_placeholder(sale.text_at("reference"))
        if not text:
            return ref
        customer = related_text(sale, "party", "code")
        scheme = IdentifierScheme.CUSTOMER_PO
        po = EventIdentifier(scheme, text, customer, strong=bool(customer))
        return ObjectReference(ref.kind, (*ref.identifiers, po))


def _ordered_line(line: Node) -> EventLine:
    quantity = line.decimal_at("quantity")
    return EventLine(
        line_id=line.required_text("id"),
        sku=related_text(line, "product", "code"),
        description=line.text_at("description"),
        unit=unit_of(line),
        price=line.decimal_at("unit_price"),
        quantities={Measure.ORDERED: quantity} if quantity and quantity > 0 else {},
        is_goods=related(line, "product").value is not None
        and related_text(line, "product", "type") != "service",
    )
