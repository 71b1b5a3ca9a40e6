"""Events of shipments to customers and of their returns."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
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
    ObjectKind,
    ObjectReference,
)
from connectors.sdk.payload import Node
from connectors.sdk.placeholders_and_issuers import blank_if_placeholder
from connectors.sdk.timestamps import ParsedTime
from connectors.systems.tryton.field_values import (
    TrytonLinkedLines,
    changed_time,
    related,
    related_text,
    revision_of,
    state_time,
    time_of_day_or_date,
)
from connectors.systems.tryton.source_settings import TrytonSettings


class TrytonShipmentReader:
    """Reader of shipments and returns."""

    # What each state reports, and the quantity that it is about.
    states: ClassVar[Mapping[str, tuple[EventType, Measure, str]]] = {
        "assigned": (EventType.LINE_ALLOCATED, Measure.ALLOCATED, "assigned"),
        "picked": (EventType.PICK_COMPLETED, Measure.PICKED, "picked"),
        "packed": (EventType.PACK_COMPLETED, Measure.PACKED, "packed"),
        "shipped": (EventType.SHIPMENT_CONFIRMED, Measure.SHIPPED, "shipped"),
        "done": (EventType.SHIPMENT_CONFIRMED, Measure.SHIPPED, "shipped"),
    }
    waiting: ClassVar[frozenset[str]] = frozenset({"draft", "waiting"})

    def __init__(self, settings: TrytonSettings) -> None:
        self.settings = settings
        self.source = settings.source

    def read_shipment(self, shipment: Node) -> tuple[list[CanonicalEvent], str]:
        """Return the event of a shipment, or none and the reason."""
        state = shipment.required_text("state")
        linked = TrytonLinkedLines(shipment.list_at("outgoing_moves."), self.source)
        if not linked.orders:
            return [], "a shipment without a sale"
        if state in self.waiting:
            return [], f"a shipment in the state {state}"
        base = f"shipment {shipment.required_text('id')}"
        ref = self._shipment_reference(shipment)
        refs: tuple[ObjectReference, ...] = (*linked.orders, ref)
        if state == "cancelled":
            event = self._event(shipment, EventType.SHIPMENT_VOID, f"{base} cancelled", refs)
            return [replace(event, takes_back=(EventType.SHIPMENT_CONFIRMED,))], ""
        if state not in self.states:
            event = self._event(shipment, EventType.UNMAPPED, f"{base} {state}", refs, raw=state)
            return [event], ""
        kind, measure, fact = self.states[state]
        packages, by_move = self._packages(shipment)
        lines = linked.quantities(measure)
        if kind is EventType.SHIPMENT_CONFIRMED and by_move:
            lines = _lines_in_packages(
                shipment.list_at("outgoing_moves."), by_move, len(refs), self.source
            )
        reached = ("shipped", "done") if kind is EventType.SHIPMENT_CONFIRMED else (state,)
        at = self._time_of(shipment, *reached)
        return [
            self._event(
                shipment, kind, f"{base} {fact}", (*refs, *packages), lines=lines, at=at,
                complete=[measure],
            )
        ], ""  # fmt: skip

    def read_return(self, shipment: Node) -> tuple[list[CanonicalEvent], str]:
        """Return the event of a return that arrived, or none and the reason."""
        state = shipment.required_text("state")
        linked = TrytonLinkedLines(shipment.list_at("incoming_moves."), self.source)
        if not linked.orders:
            return [], "a return that names no sale"
        if state in {"draft", "cancelled"}:
            return [], f"a return in the state {state}"
        number = shipment.required_text("number")
        refs = (*linked.orders, *(linked.returns or [self._own_return_reference(number)]))
        base = f"return {shipment.required_text('id')}"
        if state not in {"received", "done"}:
            return [
                self._event(shipment, EventType.UNMAPPED, f"{base} {state}", refs, raw=state)
            ], ""
        at = self._time_of(shipment, "received", "done")
        event = self._event(
            shipment, EventType.RETURN_RECEIVED, f"{base} received", refs,
            lines=linked.quantities(Measure.RETURNED), at=at, complete=[Measure.RETURNED],
        )  # fmt: skip
        return [event], ""

    def _time_of(self, shipment: Node, *states: str) -> ParsedTime | None:
        """When it reached a state by its log, or the date, or the time of change on that date."""
        return time_of_day_or_date(
            shipment,
            "effective_date",
            self.settings.zone,
            reached=state_time(shipment, *states),
            reported=changed_time(shipment),
        )

    def _own_return_reference(self, number: str) -> ObjectReference:
        ids = (EventIdentifier(IdentifierScheme.RMA, number, self.source),)
        return ObjectReference(ObjectKind.RETURN, ids)

    def _carrier(self, shipment: Node) -> str:
        """The name of the carrier: that of its party, because its own adds a product."""
        carrier = related(shipment, "carrier")
        if not isinstance(carrier.value, dict):
            return ""
        return related_text(carrier, "party", "rec_name") or carrier.text_at("rec_name")

    def _shipment_reference(self, shipment: Node) -> ObjectReference:
        return ObjectReference(
            ObjectKind.SHIPMENT,
            (
                EventIdentifier(
                    IdentifierScheme.SHIPMENT, shipment.required_text("number"), self.source
                ),
                EventIdentifier(
                    IdentifierScheme.SOURCE_ID, shipment.required_text("id"), self.source
                ),
            ),
        )

    def _packages(self, shipment: Node) -> tuple[list[ObjectReference], dict[str, int]]:
        """Return the packages with tracking numbers, and the package of each move by its id."""
        packages: list[ObjectReference] = []
        by_move: dict[str, int] = {}
        for package in shipment.list_at("packages."):
            number = blank_if_placeholder(package.text_at("shipping_reference"))
            if not number:
                continue
            for move in package.list_at("moves"):
                by_move[move.as_text()] = len(packages)
            packages.append(_package_reference(number))
        if not packages and (
            number := blank_if_placeholder(shipment.text_at("shipping_reference"))
        ):
            packages.append(_package_reference(number))
        return packages, by_move

    def _event(
        self,
        shipment: Node,
        kind: EventType,
        key: str,
        refs: Sequence[ObjectReference],
        *,
        lines: Sequence[EventLine] = (),
        at: ParsedTime | None = None,
        complete: Sequence[Measure] = (),
        raw: str = "",
    ) -> CanonicalEvent:
        moment = at or changed_time(shipment)
        return build_event(
            kind,
            key,
            moment,
            *refs,
            lines=lines,
            scope=" ".join(key.split(" ")[:2]),
            attributes={
                Attribute.STATUS: shipment.text_at("state"),
                Attribute.WAREHOUSE: related_text(shipment, "warehouse", "code"),
                Attribute.CARRIER: self._carrier(shipment),
            },
            revision=revision_of(shipment),
            raw_type=raw,
            flags=() if at else (Flag.TIME_OF_REPORT if moment else Flag.TIME_RECEIVED,),
            complete_measures=complete if lines else (),
        )


def _package_reference(number: str) -> ObjectReference:
    return ObjectReference(
        ObjectKind.PACKAGE, (EventIdentifier(IdentifierScheme.TRACKING, number),)
    )


def _lines_in_packages(
    moves: Sequence[Node], by_move: Mapping[str, int], first_package: int, source: str
) -> list[EventLine]:
    """Return the shipped quantities by line and package; a line can be in several packages."""
    all_moves = TrytonLinkedLines(moves, source)
    groups: dict[int, list[Node]] = {}
    for move in moves:
        groups.setdefault(by_move.get(move.text_at("id"), -1), []).append(move)
    lines = []
    for package, nodes in groups.items():
        linked = TrytonLinkedLines(nodes, source)
        for line in linked.quantities(Measure.SHIPPED):
            index = line.order_index
            if len(all_moves.orders) > 1:
                index = all_moves.orders.index(linked.orders[max(index, 0)])
            package_index = first_package + package if package >= 0 else -1
            lines.append(replace(line, package_index=package_index, order_index=index))
    return lines
