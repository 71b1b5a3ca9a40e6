"""Events of `sale.sale`: orders, and the returns that Tryton writes as sales."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from decimal import Decimal
from typing import ClassVar

from connectors.sdk.event_builder import build_event, revision_of_earliest_report
from connectors.sdk.events import (
    Attribute,
    CanonicalEvent,
    EventLine,
    EventType,
    Flag,
    Measure,
    ObjectReference,
)
from connectors.sdk.external_order_numbers import web_order_or_customer_po
from connectors.sdk.payload import Node
from connectors.sdk.timestamps import ParsedTime, parse_timestamp
from connectors.systems.tryton.field_values import (
    amount_at,
    changed_time,
    related,
    related_text,
    return_reference,
    revision_of,
    sale_reference,
    state_time,
    time_of_day_or_date,
    unit_of,
)
from connectors.systems.tryton.source_settings import TrytonSettings

# What a sale reports completely of its lines, if the user of the API may read these members.
MEASURES_OF_MEMBERS = ((Measure.SHIPPED, "moves."), (Measure.INVOICED, "invoice_lines."))


class SaleReader:
    """Reader of sales and returns. `zone`: where dates without a time begin and end."""

    # A sale is processed as soon as it is confirmed, unless the configuration delays it.
    confirmed: ClassVar[frozenset[str]] = frozenset({"confirmed", "processing", "done"})
    released: ClassVar[frozenset[str]] = frozenset({"processing", "done"})

    def __init__(self, settings: TrytonSettings) -> None:
        self.settings = settings
        self.zone = settings.zone

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
        base, ref = f"sale {sale.required_text('id')}", self._reference(sale)
        created = parse_timestamp(sale.text_at("create_date"), sale.get("create_date").path, "UTC")
        confirmed = self._confirmed_at(sale, created)
        if state == "cancelled":
            cancelled = state_time(sale, state)
            yield self._event(sale, EventType.ORDER_CANCELLED, f"{base} state", ref, at=cancelled)
            return
        if state not in self.confirmed:
            yield self._event(sale, EventType.UNMAPPED, f"{base} state {state}", ref, raw=state)
            return
        # A later change is an event of its own, so the first report of each step counts.
        first = revision_of_earliest_report(changed_time(sale))
        reached = [
            (EventType.ORDER_RECEIVED, f"{base} order", created),
            (EventType.ORDER_ACCEPTED, f"{base} state", confirmed),
        ]
        if state in self.released:
            released = state_time(sale, *self.released) or confirmed
            reached.append((EventType.ORDER_RELEASED, f"{base} released", released))
        for kind, key, at in reached:
            event = self._event(sale, kind, key, ref, at=at, lines=lines, revision=first)
            # A migrated sale can be dated before its entry, since when its content is known.
            is_backdated = created and at and at.time < created.time
            yield _without_content(event) if is_backdated else event
        kind, _, at = reached[-1]
        yield from self._change_events(sale, kind, base, ref, since=at, lines=lines)

    def _change_events(
        self,
        sale: Node,
        kind: EventType,
        base: str,
        ref: ObjectReference,
        *,
        since: ParsedTime | None,
        lines: list[Node],
    ) -> Iterator[CanonicalEvent]:
        """Yield what a sale says since it last changed, `kind` being the last step that it took."""
        changed = changed_time(sale)
        seen = f"seen {revision_of(sale)}"
        if state_is_open(sale) and self._is_on_hold(sale):
            yield self._event(sale, EventType.ORDER_HELD, f"{base} hold {seen}", ref, lines=lines)
        elif changed and since and changed.time > since.time:
            event = self._event(sale, kind, f"{base} {kind.value} {seen}", ref, lines=lines)
            is_hold_over = state_is_open(sale) and self.settings.hold_field
            yield replace(event, takes_back=(EventType.ORDER_HELD,)) if is_hold_over else event

    def _is_on_hold(self, sale: Node) -> bool:
        field = self.settings.hold_field
        return bool(field and sale.has_value(field) and sale.get(field).value)

    def _confirmed_at(self, sale: Node, created: ParsedTime | None) -> ParsedTime | None:
        """When it was confirmed, or the date of the sale and not before its entry on that day."""
        reached = state_time(sale, "confirmed")
        at = time_of_day_or_date(sale, "sale_date", self.zone, reached=reached, reported=created)
        return at or changed_time(sale)

    def _return_events(self, sale: Node, state: str) -> tuple[list[CanonicalEvent], str]:
        returned = sale.get("returned_sale")
        if not isinstance(returned.value, dict):
            return [], "a return that names no sale"
        if state == "cancelled":
            return [], "a cancelled return"
        refs = (
            sale_reference(returned, self.settings.source),
            return_reference(sale, self.settings.source),
        )
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
        revision: str = "",
        raw: str = "",
    ) -> CanonicalEvent:
        moment = at or changed_time(sale)
        return build_event(
            kind,
            key,
            moment,
            *refs,
            lines=[_order_line(line) for line in lines or []],
            complete_measures=_complete_measures(lines or []),
            attributes={
                Attribute.STATUS: sale.text_at("state"),
                Attribute.CUSTOMER_NO: related_text(sale, "party", "code"),
                Attribute.CUSTOMER_NAME: related_text(sale, "party", "rec_name"),
                Attribute.CURRENCY: related_text(sale, "currency", "code"),
                Attribute.TOTAL: amount_at(sale, "total_amount"),
                Attribute.WAREHOUSE: related_text(sale, "warehouse", "code"),
                Attribute.SHIP_BY: sale.text_at("shipping_date"),
                Attribute.REQUESTED_AT: self._own_text(sale, self.settings.requested_field),
                Attribute.PROMISED_AT: self._own_text(sale, self.settings.promised_field),
                Attribute.CHANNEL: self._channel(sale),
            },
            revision=revision or revision_of(sale),
            raw_type=raw,
            flags=() if at else (Flag.TIME_OF_REPORT if moment else Flag.TIME_RECEIVED,),
        )

    def _own_text(self, sale: Node, field: str) -> str:
        return sale.text_at(field) if field else ""

    def _channel(self, sale: Node) -> str:
        text = self._own_text(sale, self.settings.channel_field)
        return self.settings.channels.get(text) or self.settings.channel

    def _reference(self, sale: Node) -> ObjectReference:
        ref = sale_reference(sale, self.settings.source)
        others = web_order_or_customer_po(
            sale.text_at("reference"),
            customer=related_text(sale, "party", "code"),
            shop=self.settings.web_orders,
            prefix=self.settings.web_order_prefix,
        )
        return ObjectReference(ref.kind, (*ref.identifiers, *others))


def _without_content(event: CanonicalEvent) -> CanonicalEvent:
    return replace(event, lines=(), attributes={}, complete_measures=())


def state_is_open(sale: Node) -> bool:
    """Whether work on a sale has not begun."""
    return sale.text_at("state") == "confirmed"


def _order_line(line: Node) -> EventLine:
    return EventLine(
        line_id=line.required_text("id"),
        sku=related_text(line, "product", "code"),
        description=line.text_at("description"),
        unit=unit_of(line),
        price=line.decimal_at("unit_price"),
        quantities=dict(_order_quantities(line)),
        is_goods=related(line, "product").value is not None
        and related_text(line, "product", "type") != "service",
    )


def _order_quantities(line: Node) -> Iterator[tuple[Measure, Decimal]]:
    """Yield what was ordered, and what left and was invoiced; zero counts too."""
    ordered = line.decimal_at("quantity")
    if not ordered or ordered < 0:
        return
    yield Measure.ORDERED, ordered
    if isinstance(line.get("moves.").value, list):
        yield Measure.SHIPPED, _sum(move for move in line.list_at("moves.") if _is_done(move))
    if isinstance(line.get("invoice_lines.").value, list):
        invoice_lines = line.list_at("invoice_lines.")
        yield Measure.INVOICED, _sum(invoiced for invoiced in invoice_lines if _is_issued(invoiced))


def _complete_measures(lines: list[Node]) -> list[Measure]:
    if not lines:
        return []
    read = [
        measure
        for measure, member in MEASURES_OF_MEMBERS
        if all(isinstance(line.get(member).value, list) for line in lines)
    ]
    return [Measure.ORDERED, *read]


def _is_done(move: Node) -> bool:
    return move.text_at("state") == "done"


def _is_issued(invoice_line: Node) -> bool:
    return related_text(invoice_line, "invoice", "state") in {"posted", "paid"}


def _sum(nodes: Iterable[Node]) -> Decimal:
    return sum((node.decimal_at("quantity") or Decimal() for node in nodes), Decimal())
