"""The business objects that Throughline event data refers to (see `event_schema`)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from connectors.sdk.events import (
    EventIdentifier,
    EventLine,
    IdentifierScheme,
    ObjectKind,
    ObjectReference,
)
from connectors.sdk.identifier_normalization import normalize_identifier
from connectors.sdk.payload import Node, ParkReason, PayloadError
from connectors.sdk.placeholders_and_issuers import (
    WORLDWIDE_SCHEMES,
    blank_if_placeholder,
    can_be_strong,
    usual_issuer,
)
from connectors.sdk.settings import ParsedSettings

SCHEMES = {scheme.value: scheme for scheme in IdentifierScheme}
# Members of the data that are one object with a number: (kind, scheme of the number).
SINGLE_OBJECTS: Mapping[str, tuple[ObjectKind, IdentifierScheme]] = {
    "shipment": (ObjectKind.SHIPMENT, IdentifierScheme.SHIPMENT),
    "delivery": (ObjectKind.SHIPMENT, IdentifierScheme.DELIVERY),
    "invoice": (ObjectKind.INVOICE, IdentifierScheme.INVOICE),
    "return": (ObjectKind.RETURN, IdentifierScheme.RMA),
    "return_delivery": (ObjectKind.RETURN_DELIVERY, IdentifierScheme.RETURN_DELIVERY),
    "quotation": (ObjectKind.QUOTATION, IdentifierScheme.QUOTATION),
    "contract": (ObjectKind.CONTRACT, IdentifierScheme.CONTRACT),
    "goods_movement": (ObjectKind.GOODS_MOVEMENT, IdentifierScheme.GOODS_MOVEMENT),
    "credit_memo_request": (ObjectKind.CREDIT_MEMO_REQUEST, IdentifierScheme.CREDIT_MEMO_REQUEST),
    "debit_memo_request": (ObjectKind.DEBIT_MEMO_REQUEST, IdentifierScheme.DEBIT_MEMO_REQUEST),
    "load": (ObjectKind.LOAD, IdentifierScheme.LOAD),
    "vehicle": (ObjectKind.VEHICLE, IdentifierScheme.VEHICLE),
    "container": (ObjectKind.CONTAINER, IdentifierScheme.CONTAINER),
    "transport_document": (ObjectKind.TRANSPORT_DOCUMENT, IdentifierScheme.TRANSPORT_DOCUMENT),
}
# Numbers that several orders share: each is the number of an object of its own, and of no other.
SHARED_MEMBERS = ("quotation", "contract", "load", "vehicle", "container", "transport_document")
MEMBER_OF_SCHEME = {SINGLE_OBJECTS[member][1]: member for member in SHARED_MEMBERS}


@dataclass(frozen=True, slots=True)
class ParsedReferences:
    """The references of an event, and which of them are its orders and packages, in data order.

    A position of -1 is a package without a number.
    """

    objects: tuple[ObjectReference, ...]
    orders: tuple[int, ...]
    packages: tuple[int, ...]

    def order_index(self, line: Node) -> int:
        """The order of a line: -1 if there is only one. Raises PayloadError."""
        node = line.get("order")
        if node.value is None:
            if len(self.orders) > 1:
                raise PayloadError(
                    ParkReason.REFERENCE,
                    node.path,
                    f"this event has {len(self.orders)} orders: say which one the line belongs to",
                )
            return -1
        index = self._position_by_index_or_number(node, self.orders, "orders")
        return index if len(self.orders) > 1 else -1

    def package_index(self, line: Node) -> int:
        """The package of a line, -1 if none is given. Raises PayloadError."""
        node = line.get("package")
        return (
            -1
            if node.value is None
            else self._position_by_index_or_number(node, self.packages, "packages")
        )

    def _position_by_index_or_number(
        self, node: Node, positions: Sequence[int], member: str
    ) -> int:
        """The reference that an index (a JSON number) or a number (text) names."""
        value = node.value
        is_index = isinstance(value, Decimal) and value == value.to_integral_value()
        if is_index and 0 <= value < len(positions) and positions[int(value)] >= 0:
            return positions[int(value)]
        text = node.as_text()
        matches = [p for p in positions if p >= 0 and self._has_number(p, text)]
        if len(matches) == 1:
            return matches[0]
        problem = f"names {len(matches)} of" if matches else "names none of"
        raise PayloadError(
            ParkReason.REFERENCE,
            node.path,
            f"{text[:40]!r} {problem} the {member} of this event: "
            f"give an index from 0 or a number that is given there",
        )

    def _has_number(self, position: int, text: str) -> bool:
        return any(
            normalize_identifier(i.scheme, text) == normalize_identifier(i.scheme, i.value)
            for i in self.objects[position].identifiers
        )


def parse_references(
    data: Node, settings: ParsedSettings, source: str, *, credit: bool
) -> ParsedReferences:
    """Return all references, orders first. `credit`: the invoice is a credit memo."""
    orders = _parse_orders(data, settings, source)
    singles = _parse_single_objects(data, source, credit=credit)
    first_package = len(orders) + len(singles)
    packages: dict[tuple[EventIdentifier, ...], int] = {}
    positions = []
    for identifiers in _parse_package_identifiers(data, source):
        if identifiers:
            packages.setdefault(identifiers, first_package + len(packages))
        positions.append(packages.get(identifiers, -1))
    return ParsedReferences(
        (*orders, *singles, *(ObjectReference(ObjectKind.PACKAGE, ids) for ids in packages)),
        tuple(range(len(orders))),
        tuple(positions),
    )


def member_text_or_plain_number(node: Node, member: str) -> str:
    """Return a member of an object, or plain text as its number."""
    if node.value is None:
        return ""
    if isinstance(node.value, dict):
        return blank_if_placeholder(node.text_at(member))
    return blank_if_placeholder(node.as_text()) if member == "number" else ""


def order_nodes(data: Node) -> list[Node]:
    """The order, or the orders. Raises PayloadError if both members are given."""
    if data.has_value("orders"):
        if data.has_value("order"):
            raise PayloadError(
                ParkReason.REFERENCE, data.get("orders").path, "give order or orders, not both"
            )
        return data.list_at("orders")
    return [data.get("order")]


def serial_references(lines: Sequence[EventLine]) -> tuple[ObjectReference, ...]:
    """One reference for each serial number of lines with a SKU, which is its issuer."""
    numbers = dict.fromkeys(
        (serial, line.sku) for line in lines if line.sku for serial in line.serials
    )
    return tuple(
        ObjectReference(
            ObjectKind.SERIALIZED_ITEM,
            (EventIdentifier(IdentifierScheme.SERIAL, serial, sku),),
        )
        for serial, sku in numbers
    )


def _parse_orders(data: Node, settings: ParsedSettings, source: str) -> list[ObjectReference]:
    result = []
    for node in order_nodes(data):
        identifiers = _order_identifiers(node, settings, source)
        if identifiers:
            result.append(ObjectReference(ObjectKind.ORDER, identifiers))
        elif data.has_value("orders"):
            raise PayloadError(ParkReason.REFERENCE, node.path, "the order has no number")
    return result


def _order_identifiers(
    order: Node, settings: ParsedSettings, source: str
) -> tuple[EventIdentifier, ...]:
    default = (IdentifierScheme.ORDER_NUMBER, source)
    scheme, issuer = settings.identifier_scheme_and_issuer("order_number", default)
    identifiers = []
    if number := member_text_or_plain_number(order, "number"):
        identifiers.append(EventIdentifier(scheme, number, issuer))
    if po := member_text_or_plain_number(order, "po"):
        customer = member_text_or_plain_number(order, "customer")
        identifiers.append(
            EventIdentifier(IdentifierScheme.CUSTOMER_PO, po, customer, strong=bool(customer))
        )
    if source_id := member_text_or_plain_number(order, "id"):
        identifiers.append(EventIdentifier(IdentifierScheme.SOURCE_ID, source_id, source))
    return tuple(
        dict.fromkeys(
            [*identifiers, *_parse_identifiers_in_numbers(order, source, ObjectKind.ORDER)]
        )
    )


def _parse_single_objects(data: Node, source: str, *, credit: bool) -> list[ObjectReference]:
    result = []
    for member, (kind, usual_scheme) in SINGLE_OBJECTS.items():
        if not data.has_value(member):
            continue
        is_credit_memo = credit and kind is ObjectKind.INVOICE
        scheme = IdentifierScheme.CREDIT_MEMO if is_credit_memo else usual_scheme
        node = data.get(member)
        identifiers = tuple(dict.fromkeys(_object_identifiers(node, scheme, source, kind)))
        if identifiers:
            result.append(ObjectReference(kind, identifiers))
    return result


def _object_identifiers(
    node: Node, scheme: IdentifierScheme, source: str, kind: ObjectKind
) -> Iterator[EventIdentifier]:
    if number := member_text_or_plain_number(node, "number"):
        yield EventIdentifier(scheme, number, "" if scheme in WORLDWIDE_SCHEMES else source)
    if source_id := member_text_or_plain_number(node, "id"):
        yield EventIdentifier(IdentifierScheme.SOURCE_ID, source_id, source)
    if scheme in {IdentifierScheme.SHIPMENT, IdentifierScheme.DELIVERY}:
        for other in (IdentifierScheme.BOL, IdentifierScheme.PRO):
            if text := member_text_or_plain_number(node, other.value):
                yield EventIdentifier(other, text, strong=False)
    yield from _parse_identifiers_in_numbers(node, source, kind)


def _parse_package_identifiers(data: Node, source: str) -> list[tuple[EventIdentifier, ...]]:
    """The identifiers of each package; the list `tracking` adds packages with other numbers."""
    packages: list[tuple[EventIdentifier, ...]] = []
    for node in data.list_at("packages"):
        if isinstance(node.value, dict):
            schemes = (IdentifierScheme.TRACKING, IdentifierScheme.SSCC)
            texts = [(s, blank_if_placeholder(node.text_at(s.value))) for s in schemes]
        else:
            texts = [(IdentifierScheme.TRACKING, blank_if_placeholder(node.as_text()))]
        identifiers = [EventIdentifier(scheme, text) for scheme, text in texts if text]
        numbers = _parse_identifiers_in_numbers(node, source, ObjectKind.PACKAGE)
        packages.append(tuple(dict.fromkeys([*identifiers, *numbers])))
    tracking = data.get("tracking")
    tracking_nodes = tracking.as_list() if isinstance(tracking.value, list) else [tracking]
    for number in map(blank_if_placeholder, (node.as_text() for node in tracking_nodes)):
        if number and not any(i.value == number for ids in packages for i in ids):
            packages.append((EventIdentifier(IdentifierScheme.TRACKING, number),))
    return packages


def _parse_identifiers_in_numbers(
    node: Node, source: str, kind: ObjectKind
) -> Iterator[EventIdentifier]:
    """The list `numbers` of an object: scheme, issuer, value and whether it is weak."""
    if not isinstance(node.value, dict):
        return
    for entry in node.list_at("numbers"):
        scheme_text = entry.required_text("scheme")
        scheme = SCHEMES.get(scheme_text)
        if scheme is None:
            raise PayloadError(
                ParkReason.MAPPING,
                entry.get("scheme").path,
                f"{scheme_text[:40]!r} is not a scheme; choose from {', '.join(sorted(SCHEMES))}",
            )
        member = MEMBER_OF_SCHEME.get(scheme)
        if member and SINGLE_OBJECTS[member][0] is not kind:
            raise PayloadError(
                ParkReason.MAPPING,
                entry.get("scheme").path,
                f"a {scheme} number names a {member.replace('_', ' ')}, which others may share; "
                f"give it as `{member}`",
            )
        value = blank_if_placeholder(entry.required_text("value"))
        if not value:
            continue
        issuer = entry.text_at("issuer")
        strong = can_be_strong(scheme, issuer) and not entry.boolean_at("weak")
        yield EventIdentifier(scheme, value, issuer or usual_issuer(scheme, source), strong=strong)
