"""Which shipment and orders a message of project44 is about, and who carries the goods."""

from collections.abc import Iterator
from dataclasses import dataclass

from connectors.sdk.events import (
    EventIdentifier,
    IdentifierScheme,
    ObjectKind,
    ObjectReference,
)
from connectors.sdk.payload import Node, ParkReason, PayloadError
from connectors.sdk.placeholders_and_issuers import blank_if_placeholder
from connectors.sdk.settings import ParsedSettings

SCAC_TYPES = ("CARRIER_SCAC", "SCAC")


@dataclass(frozen=True, slots=True)
class ReferencedShipment:
    """The objects of a shipment, its key in events, and its carrier (a name or a SCAC)."""

    key: str
    objects: tuple[ObjectReference, ...]
    carrier: str


@dataclass(frozen=True, slots=True)
class ShipmentReferences:
    """Reads identifiers, each with `type` and `value`."""

    settings: ParsedSettings
    source: str

    def of_shipment(self, shipment: Node) -> ReferencedShipment:
        """The shipment, and one order for each order number. Raises PayloadError without any."""
        numbers = [*_identifiers(shipment, "identifiers")]
        numbers += _identifiers(shipment, "shipmentIdentifiers")
        identifiers = list(self._shipment_identifiers(shipment, numbers))
        if not identifiers:
            raise PayloadError(
                ParkReason.REFERENCE, shipment.path, "the shipment has neither an id nor a number"
            )
        orders = dict.fromkeys(self._orders(numbers))
        return ReferencedShipment(
            identifiers[0].value,
            (ObjectReference(ObjectKind.SHIPMENT, tuple(identifiers)), *orders),
            _carrier(shipment, numbers),
        )

    def _shipment_identifiers(
        self, shipment: Node, numbers: list[tuple[str, str]]
    ) -> Iterator[EventIdentifier]:
        if number := blank_if_placeholder(shipment.text_at("id")):
            yield EventIdentifier(IdentifierScheme.SOURCE_ID, number, self.source)
        for kind, number in numbers:
            if kind == "BILL_OF_LADING":
                yield self._in_range("bill_of_lading", IdentifierScheme.BOL, number)
            elif kind == "PRO":
                yield EventIdentifier(IdentifierScheme.PRO, number, strong=False)

    def _orders(self, numbers: list[tuple[str, str]]) -> Iterator[ObjectReference]:
        """An order of its own for each number; a PO is weak, because its customer is unknown."""
        settings = {"ORDER": "order_number", "CUSTOMER_REFERENCE": "reference"}
        for kind, number in numbers:
            if kind == "PURCHASE_ORDER":
                identifier = EventIdentifier(IdentifierScheme.CUSTOMER_PO, number, strong=False)
            elif kind in settings:
                identifier = self._in_range(settings[kind], IdentifierScheme.REFERENCE, number)
            else:
                continue
            yield ObjectReference(ObjectKind.ORDER, (identifier,))

    def _in_range(self, setting: str, otherwise: IdentifierScheme, number: str) -> EventIdentifier:
        if not self.settings.text(setting):
            return EventIdentifier(otherwise, number, strong=False)
        scheme, issuer = self.settings.identifier_scheme_and_issuer(setting, (otherwise, ""))
        return EventIdentifier(scheme, number, issuer, strong=bool(issuer))


def _identifiers(node: Node, name: str) -> Iterator[tuple[str, str]]:
    for identifier in node.list_at(name):
        if number := blank_if_placeholder(identifier.text_at("value")):
            yield identifier.text_at("type").strip().upper(), number


def _carrier(shipment: Node, numbers: list[tuple[str, str]]) -> str:
    known = dict(numbers)
    carrier = shipment.get("carrierIdentifier") if shipment.has_value("carrierIdentifier") else None
    scac = carrier.text_at("value") if carrier and carrier.text_at("type") == "SCAC" else ""
    return known.get("CARRIER_NAME", "") or next(
        (known[kind] for kind in SCAC_TYPES if kind in known), scac
    )
