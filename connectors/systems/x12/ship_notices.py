"""Ship notices: 856."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

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
from connectors.systems.x12.document import X12Document
from connectors.systems.x12.elements import (
    item_description,
    merge_lines,
    strip_line_number_zeros,
    to_iso_date_or_blank,
)
from connectors.systems.x12.order_and_package_references import (
    order_reference,
    package_reference_from_segments,
    seller_order_identifiers,
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
DATE_ATTRIBUTES = {"017": Attribute.ETA, "067": Attribute.PROMISED_AT}


@dataclass(frozen=True, slots=True)
class HierarchyLevel:
    """One HL loop (shipment, order, tare, pack or item) and the number of its parent."""

    number: str
    parent: str
    segments: tuple[Segment, ...]

    def segments_with_tag(self, tag: str) -> list[Segment]:
        """Return the segments of this level with this tag, without child levels."""
        return [s for s in self.segments if s.tag == tag]


def read_ship_notice(doc: X12Document) -> list[CanonicalEvent]:
    """Convert an 856 to one event per shipment, with its orders, packages and items."""
    levels = [HierarchyLevel(loop[0][1], loop[0][2], loop) for loop in doc.loops("HL")]
    if not levels:
        raise PayloadError(
            ParkReason.EDI_ENVELOPE, doc.element_path("HL"), "the ship notice has no HL segment"
        )
    level_by_number = {level.number: level for level in levels}
    if len(level_by_number) != len(levels):
        raise PayloadError(ParkReason.EDI_ENVELOPE, doc.element_path("HL01"), "duplicate HL number")
    shipments = [level for level in levels if level.segments[0][3] == "S"] or levels[:1]
    has_several = len(shipments) > 1
    return [
        _shipment_event(
            doc,
            top,
            [x for x in levels if top in _with_ancestors(level_by_number, x)],
            level_by_number,
            f"/{n}" * has_several,
        )
        for n, top in enumerate(shipments, 1)
    ]


def _with_ancestors(
    tree: Mapping[str, HierarchyLevel], level: HierarchyLevel
) -> Iterator[HierarchyLevel]:
    """Yield a level and its ancestors by HL02, as the nesting differs between senders."""
    seen: set[str] = set()
    current: HierarchyLevel | None = level
    while current is not None and current.number not in seen:
        yield current
        seen.add(current.number)
        current = tree.get(current.parent)


def _shipment_event(
    doc: X12Document,
    top: HierarchyLevel,
    members: Sequence[HierarchyLevel],
    tree: Mapping[str, HierarchyLevel],
    suffix: str,
) -> CanonicalEvent:
    bsn = doc.first_segment("BSN")
    if not blank_if_placeholder(bsn[2]):
        raise PayloadError(
            ParkReason.REFERENCE, doc.element_path("BSN02"), "the shipment has no number"
        )
    name = blank_if_placeholder(bsn[2]) + suffix
    event_type = PURPOSE_TYPES.get(bsn[1], EventType.UNMAPPED)
    is_void = event_type is EventType.SHIPMENT_VOID
    orders = _order_references_by_po(doc, members)
    packages = [package_reference_from_segments(x.segments) for x in members if x is not top]
    lines = [] if is_void else list(_shipped_lines(doc, members, tree, list(orders)))
    return doc.build_event(
        event_type,
        f"{name} {'void' if is_void else 'shipped'}",
        time=_notice_or_ship_time(doc, top),
        objects=(
            *orders.values(),
            *_shipment_and_package_references(doc, top, name),
            *dict.fromkeys(packages),
        ),
        lines=merge_lines(lines),
        scope=f"shipment {name}",
        attributes=_carrier_and_delivery_date_attributes(doc, top),
        raw_type="" if bsn[1] in PURPOSE_TYPES else f"856 purpose {bsn[1]}",
    )


def _raw_dtm_011_ship_date(top: HierarchyLevel) -> str:
    return next((s[2] for s in top.segments_with_tag("DTM") if s[1] == "011"), "")


def _notice_or_ship_time(doc: X12Document, top: HierarchyLevel) -> ParsedTime | None:
    """Return the time of the notice, or the ship date (DTM*011) if it is another day."""
    bsn, shipped = doc.first_segment("BSN"), to_iso_date_or_blank(_raw_dtm_011_ship_date(top))
    if shipped and shipped != to_iso_date_or_blank(bsn[3]):
        return doc.event_time(_raw_dtm_011_ship_date(top), "DTM*011")
    return doc.event_time(bsn[3], "BSN03", bsn[4])


def _carrier_and_delivery_date_attributes(
    doc: X12Document, top: HierarchyLevel
) -> dict[Attribute, str]:
    carrier = next(iter(top.segments_with_tag("TD5")), Segment("", ()))
    shipped = _raw_dtm_011_ship_date(top)
    attributes = {
        Attribute.CARRIER: carrier[3] or carrier[5],
        **doc.date_attributes(top.segments, DATE_ATTRIBUTES),
    }
    if shipped and not to_iso_date_or_blank(shipped):
        attributes[Attribute.DETAIL] = f"DTM*011*{shipped[:40]} is not a valid date"
    return attributes


def _order_references_by_po(
    doc: X12Document, members: Sequence[HierarchyLevel]
) -> dict[str, ObjectReference]:
    """Return the orders by PO (PRF01), with the seller's number (REF*VN)."""
    refs: dict[str, ObjectReference] = {}
    for level in members:
        po = next((blank_if_placeholder(s[1]) for s in level.segments_with_tag("PRF")), "")
        seller = next(
            (blank_if_placeholder(s[2]) for s in level.segments_with_tag("REF") if s[1] == "VN"), ""
        )
        ref = order_reference(doc, po, *seller_order_identifiers(doc, seller)) if po else None
        if ref is not None:
            refs.setdefault(po, ref)
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


def _shipped_lines(
    doc: X12Document,
    members: Sequence[HierarchyLevel],
    tree: Mapping[str, HierarchyLevel],
    orders: Sequence[str],
) -> Iterator[EventLine]:
    """Yield the shipped items. The order of an item is its nearest ancestor with a PO."""
    for level in members:
        for sn1 in level.segments_with_tag("SN1"):
            lin = next(iter(level.segments_with_tag("LIN")), Segment("", ()))
            shipped = doc.parse_nonnegative_quantity(sn1[2], "SN102")
            sku = doc.preferred_sku(lin, 2)
            po = next(
                (
                    s[1]
                    for x in _with_ancestors(tree, level)
                    for s in x.segments_with_tag("PRF")
                    if s[1]
                ),
                "",
            )
            yield EventLine(
                line_id=strip_line_number_zeros(lin[1] or sn1[1]) or sku,
                sku=sku,
                description=item_description(level.segments),
                unit=sn1[3] or "EA",
                quantities={} if shipped is None else {Measure.SHIPPED: shipped},
                order_index=orders.index(po) if po in orders else -1,
            )
