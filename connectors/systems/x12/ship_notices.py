"""Ship notices: 856."""

from collections.abc import Iterator, Sequence

from connectors.sdk.events import (
    Attribute,
    CanonicalEvent,
    EventIdentifier,
    EventLine,
    EventType,
    IdentifierScheme,
    Measure,
    ObjectKind,
    ObjectReference,
)
from connectors.sdk.payload import ParkReason, PayloadError
from connectors.sdk.placeholders_and_issuers import blank_if_placeholder
from connectors.sdk.timestamps import ParsedTime
from connectors.sdk.x12_segments import Segment
from connectors.systems.x12.document import EMPTY_SEGMENT, X12Document
from connectors.systems.x12.document_times import time_of_dtm
from connectors.systems.x12.elements import (
    item_description,
    merge_lines,
    strip_line_number_zeros,
    to_iso_date_or_blank,
    to_iso_time_or_blank,
)
from connectors.systems.x12.item_numbers import number_with_qualifier
from connectors.systems.x12.order_and_package_references import (
    order_reference,
    package_reference_from_segments,
    seller_order_identifiers,
)
from connectors.systems.x12.pack_sizes import pieces_per_unit
from connectors.systems.x12.ship_notice_hierarchy import HierarchyLevel, ShipNoticeHierarchy
from connectors.systems.x12.shortages_of_ship_notices import (
    MEASURES_AND_NAMES,
    build_event_per_shortage_type,
)

# BSN01: 00 original, 05 replacement, 06 confirmation, 14 advance notification.
PURPOSE_TYPES = {
    "": EventType.SHIPMENT_CONFIRMED,
    "00": EventType.SHIPMENT_CONFIRMED,
    "01": EventType.SHIPMENT_VOID,
    "03": EventType.SHIPMENT_VOID,
    "04": EventType.SHIPMENT_CONFIRMED,
    "05": EventType.SHIPMENT_CONFIRMED,
    "06": EventType.SHIPMENT_CONFIRMED,
    "14": EventType.SHIPMENT_CONFIRMED,
}
REPLACEMENTS = frozenset({"04", "05"})
DATE_ATTRIBUTES = {"017": Attribute.ETA, "067": Attribute.PROMISED_AT}
# (PO, release): the key of an order within a ship notice
OrderNumber = tuple[str, str]


def read_ship_notice(doc: X12Document) -> list[CanonicalEvent]:
    """Convert an 856 to one event per shipment, with its orders, packages and items.

    Statuses of lines that will not be shipped, or later, are events of their own.
    """
    hierarchy = ShipNoticeHierarchy.read(doc)
    has_several = len(hierarchy.shipments) > 1
    return [
        event
        for n, top in enumerate(hierarchy.shipments, 1)
        for event in _shipment_and_shortage_events(doc, top, hierarchy, f"/{n}" * has_several)
    ]


def _shipment_and_shortage_events(
    doc: X12Document, top: HierarchyLevel, hierarchy: ShipNoticeHierarchy, suffix: str
) -> list[CanonicalEvent]:
    bsn = doc.first_segment("BSN")
    if not blank_if_placeholder(bsn[2]):
        raise PayloadError(
            ParkReason.REFERENCE, doc.element_path("BSN02"), "the shipment has no number"
        )
    name = blank_if_placeholder(bsn[2]) + suffix
    event_type = PURPOSE_TYPES.get(bsn[1], EventType.UNMAPPED)
    is_void = event_type is EventType.SHIPMENT_VOID
    members = hierarchy.levels_of_shipment(top)
    orders = _order_references_by_number(doc, members)
    packages = [package_reference_from_segments(x.segments) for x in members if x is not top]
    items = [] if is_void else _shipped_items(doc, members, hierarchy, list(orders))
    time = _ship_time_else_notice_time(doc, top)
    shortages = build_event_per_shortage_type(
        doc, name, time, items, hierarchy, list(orders.values())
    )
    confirmed = doc.build_event(
        event_type,
        f"{name} {'void' if is_void else 'shipped'}",
        time=time,
        objects=(
            *orders.values(),
            *_shipment_and_package_references(doc, top, name),
            *dict.fromkeys(packages),
        ),
        lines=merge_lines([line for _, line in items]),
        scope=f"shipment {name}",
        attributes=_carrier_and_delivery_date_attributes(doc, top),
        raw_type="" if bsn[1] in PURPOSE_TYPES else f"856 purpose {bsn[1]}",
        replaced_facts=_keys_of_shortages_no_longer_reported(name, shortages)
        if bsn[1] in REPLACEMENTS
        else (),
    )
    return [confirmed, *shortages]


def _keys_of_shortages_no_longer_reported(
    shipment: str, shortages: Sequence[CanonicalEvent]
) -> Iterator[str]:
    """Yield the shortages that the replaced notice may have reported, and this one does not."""
    reported = {event.type for event in shortages}
    for event_type, (_, name) in MEASURES_AND_NAMES.items():
        if event_type not in reported:
            yield f"{shipment} {name}"


def _heading_and_shipment_segments(doc: X12Document, top: HierarchyLevel) -> tuple[Segment, ...]:
    """Return the segments of the shipment level, and those before the first HL."""
    return (*top.segments, *doc.header_segments("HL"))


def _dtm_of_ship_date(doc: X12Document, top: HierarchyLevel) -> Segment:
    """Return DTM*011 of the shipment level, else of the heading, or an empty segment."""
    segments = _heading_and_shipment_segments(doc, top)
    return next((s for s in segments if s.tag == "DTM" and s[1] == "011"), EMPTY_SEGMENT)


def _ship_time_else_notice_time(doc: X12Document, top: HierarchyLevel) -> ParsedTime | None:
    """Return when the goods left: DTM*011 with its time, else the time of the notice.

    BSN03 and BSN04 say when the notice was made. A ship date without a time is that time if it is
    the same day.
    """
    bsn, dtm = doc.first_segment("BSN"), _dtm_of_ship_date(doc, top)
    shipped = to_iso_date_or_blank(dtm[2])
    if shipped and to_iso_time_or_blank(dtm[3]):
        return time_of_dtm(dtm, doc.element_path("DTM*011"), doc.settings.zone)
    if shipped and shipped != to_iso_date_or_blank(bsn[3]):
        return doc.event_time(dtm[2], "DTM*011")
    return doc.event_time(bsn[3], "BSN03", bsn[4])


def _carrier_and_delivery_date_attributes(
    doc: X12Document, top: HierarchyLevel
) -> dict[Attribute, str]:
    carrier = next(iter(top.segments_with_tag("TD5")), EMPTY_SEGMENT)
    shipped = _dtm_of_ship_date(doc, top)[2]
    attributes = {
        Attribute.CARRIER: carrier[3] or carrier[5],
        **doc.date_attributes(_heading_and_shipment_segments(doc, top), DATE_ATTRIBUTES),
    }
    if shipped and not to_iso_date_or_blank(shipped):
        attributes[Attribute.DETAIL] = f"DTM*011*{shipped[:40]} is not a valid date"
    return attributes


def _po_and_release_numbers(level: HierarchyLevel) -> OrderNumber:
    """Return PRF01 and PRF02, else the PO of the LIN pairs; blanks if the level names no order."""
    prf = next((s for s in level.segments_with_tag("PRF") if blank_if_placeholder(s[1])), None)
    if prf is not None:
        return blank_if_placeholder(prf[1]), blank_if_placeholder(prf[2])
    return blank_if_placeholder(number_with_qualifier(level.lin_segment, 2, "PO")), ""


def _order_references_by_number(
    doc: X12Document, members: Sequence[HierarchyLevel]
) -> dict[OrderNumber, ObjectReference]:
    """Return the orders by PO and release (PRF), with the seller's number (REF*VN)."""
    refs: dict[OrderNumber, ObjectReference] = {}
    for level in members:
        po, release = _po_and_release_numbers(level)
        seller = next(
            (blank_if_placeholder(s[2]) for s in level.segments_with_tag("REF") if s[1] == "VN"), ""
        )
        ref = (
            order_reference(doc, po, *seller_order_identifiers(doc, seller), release=release)
            if po
            else None
        )
        if ref is not None:
            refs.setdefault((po, release), ref)
    return refs


def _shipment_and_package_references(
    doc: X12Document, top: HierarchyLevel, name: str
) -> Iterator[ObjectReference]:
    """Yield the shipment, and the package if the shipment level has a tracking number."""
    identifiers = [EventIdentifier(IdentifierScheme.SHIPMENT, name, doc.issuer_of_sender_numbers)]
    carrier = next((s[3] for s in top.segments_with_tag("TD5")), "")
    for ref in top.segments_with_tag("REF"):
        if ref[1] == "BM" and blank_if_placeholder(ref[2]):
            # All shipments of a truck share a bill of lading; it must not merge them.
            identifiers.append(EventIdentifier(IdentifierScheme.BOL, ref[2], strong=False))
        elif ref[1] == "CN" and blank_if_placeholder(ref[2]):
            identifiers.append(EventIdentifier(IdentifierScheme.PRO, ref[2], carrier, strong=False))
    yield ObjectReference(ObjectKind.SHIPMENT, tuple(dict.fromkeys(identifiers)))
    marked_segments = [
        s for s in top.segments if s.tag == "MAN" or (s.tag == "REF" and s[1] == "2I")
    ]
    package = package_reference_from_segments(marked_segments)
    if package is not None:
        yield package


def _shipped_items(
    doc: X12Document,
    members: Sequence[HierarchyLevel],
    hierarchy: ShipNoticeHierarchy,
    orders: Sequence[OrderNumber],
) -> list[tuple[HierarchyLevel, EventLine]]:
    """Return the shipped items with their levels. An invalid one is an error of the document."""
    items: list[tuple[HierarchyLevel, EventLine]] = []
    failed = 0
    for level in members:
        if not level.segments_with_tag("SN1") or hierarchy.is_breakdown_of_item(level):
            continue
        try:
            items += [(level, line) for line in _lines_of_level(doc, level, hierarchy, orders)]
        except PayloadError as error:
            detail = f"HL {level.number[:20]}: {error.detail}"
            doc.line_errors.append(PayloadError(error.reason, error.path, detail))
            failed += 1
    if failed and not items:
        raise doc.line_errors.pop()
    return items


def _lines_of_level(
    doc: X12Document,
    level: HierarchyLevel,
    hierarchy: ShipNoticeHierarchy,
    orders: Sequence[OrderNumber],
) -> Iterator[EventLine]:
    """Yield a line per SN1. The order of an item is its nearest ancestor with a PO."""
    order: OrderNumber = next(
        (n for x in hierarchy.with_ancestors(level) if (n := _po_and_release_numbers(x))[0]),
        ("", ""),
    )
    if order not in orders and len(orders) > 1:
        doc.not_understood.append(f"HL {level.number[:20]}: the item names no order")
    sku = doc.preferred_sku(level.lin_segment, 2)
    for sn1 in level.segments_with_tag("SN1"):
        line_id = strip_line_number_zeros(level.lin_segment[1] or sn1[1]) or sku
        if not line_id:
            detail = "the shipped quantity has no item number and no line number"
            raise PayloadError(ParkReason.REFERENCE, doc.element_path("LIN"), detail)
        shipped = doc.parse_nonnegative_quantity(sn1[2], "SN102")
        yield EventLine(
            line_id=line_id,
            sku=sku,
            description=item_description(level.segments),
            unit=sn1[3] or "EA",
            quantities={} if shipped is None else {Measure.SHIPPED: shipped},
            order_index=orders.index(order) if order in orders else -1,
            pieces_per_unit=pieces_per_unit(doc, level.segments, sn1[3]),
        )
