"""What was shipped in which package for which order: 856."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

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
from connectors.sdk.payload import PayloadError, Reason
from connectors.sdk.timestamps import Moment
from connectors.sdk.x12 import Segment
from connectors.systems.x12.document import Document
from connectors.systems.x12.elements import line_number, readable, summed, text_of

# BSN01: 00 original, 05 replacement, 06 confirmation, 14 advance notification.
NOTICES = {
    "": EventType.SHIPMENT_CONFIRMED,
    "00": EventType.SHIPMENT_CONFIRMED,
    "01": EventType.SHIPMENT_VOID,
    "03": EventType.SHIPMENT_VOID,
    "04": EventType.SHIPMENT_CONFIRMED,
    "05": EventType.SHIPMENT_CONFIRMED,
    "06": EventType.SHIPMENT_CONFIRMED,
    "14": EventType.SHIPMENT_CONFIRMED,
}
EXPECTED = {"017": Attribute.ETA, "067": Attribute.PROMISED_AT}


@dataclass(frozen=True, slots=True)
class Level:
    """One HL loop: what it is (shipment, order, tare, pack, item) and what it stands in."""

    number: str
    parent: str
    segments: tuple[Segment, ...]

    def all(self, tag: str) -> list[Segment]:
        """The segments of this level alone."""
        return [s for s in self.segments if s.tag == tag]


def ship_notice(doc: Document) -> list[CanonicalEvent]:
    """856: one event for each shipment, with all its orders, packages and items."""
    levels = [Level(loop[0][1], loop[0][2], loop) for loop in doc.loops("HL")]
    if not levels:
        raise PayloadError(Reason.EDI_ENVELOPE, doc.path("HL"), "the ship notice has no levels")
    tree = {level.number: level for level in levels}
    if len(tree) != len(levels):
        raise PayloadError(Reason.EDI_ENVELOPE, doc.path("HL01"), "a level number stands twice")
    shipments = [level for level in levels if level.segments[0][3] == "S"] or levels[:1]
    several = len(shipments) > 1
    return [
        _shipment(doc, top, [x for x in levels if top in _up(tree, x)], tree, f"/{n}" * several)
        for n, top in enumerate(shipments, 1)
    ]


def _up(tree: Mapping[str, Level], level: Level) -> Iterator[Level]:
    """A level and all it stands in, by HL02: the levels come in several orders."""
    seen: set[str] = set()
    here: Level | None = level
    while here is not None and here.number not in seen:
        yield here
        seen.add(here.number)
        here = tree.get(here.parent)


def _shipment(
    doc: Document, top: Level, members: Sequence[Level], tree: Mapping[str, Level], suffix: str
) -> CanonicalEvent:
    bsn = doc.first("BSN")
    if not identifying(bsn[2]):
        raise PayloadError(Reason.REFERENCE, doc.path("BSN02"), "the shipment has no number")
    name = identifying(bsn[2]) + suffix
    event_type = NOTICES.get(bsn[1], EventType.UNMAPPED)
    void = event_type is EventType.SHIPMENT_VOID
    orders = _orders(doc, members)
    packages = [doc.packages(x.segments) for x in members if x is not top]
    lines = [] if void else list(_items(doc, members, tree, list(orders)))
    return doc.event(
        event_type,
        f"{name} {'void' if void else 'shipped'}",
        at=_moment(doc, top),
        objects=(*orders.values(), *_goods(doc, top, name), *dict.fromkeys(packages)),
        lines=summed(lines),
        part=f"shipment {name}",
        attributes=_about(doc, top),
        raw_type="" if bsn[1] in NOTICES else f"856 purpose {bsn[1]}",
    )


def _shipped_on(top: Level) -> str:
    return next((s[2] for s in top.all("DTM") if s[1] == "011"), "")


def _moment(doc: Document, top: Level) -> Moment | None:
    """When the notice was made, unless it says that the goods left on another day (DTM*011)."""
    bsn, shipped = doc.first("BSN"), readable(_shipped_on(top))
    if shipped and shipped != readable(bsn[3]):
        return doc.moment(_shipped_on(top), "DTM*011")
    return doc.moment(bsn[3], "BSN03", bsn[4])


def _about(doc: Document, top: Level) -> dict[Attribute, str]:
    carrier = next(iter(top.all("TD5")), Segment("", ()))
    shipped = _shipped_on(top)
    told = {Attribute.CARRIER: carrier[3] or carrier[5], **doc.dated(top.segments, EXPECTED)}
    if shipped and not readable(shipped):
        told[Attribute.DETAIL] = f"DTM*011*{shipped[:40]} is not a date"
    return told


def _orders(doc: Document, members: Sequence[Level]) -> dict[str, Ref]:
    """The orders by their PO (PRF01), each once; REF*VN is the seller's number of it."""
    found: dict[str, Ref] = {}
    for level in members:
        po = next((identifying(s[1]) for s in level.all("PRF")), "")
        seller = next((identifying(s[2]) for s in level.all("REF") if s[1] == "VN"), "")
        ref = doc.order(po, *doc.seller(seller)) if po else None
        if ref is not None:
            found.setdefault(po, ref)
    return found


def _goods(doc: Document, top: Level, name: str) -> Iterator[Ref]:
    """The shipment, and the parcel that its own level names by a tracking number."""
    found = [Identifier(Scheme.SHIPMENT, name, doc.issuer)]
    carrier = next((s[3] for s in top.all("TD5")), "")
    for ref in top.all("REF"):
        if ref[1] == "BM" and identifying(ref[2]):
            # One truck, one bill of lading, many notices: a hint, it must not join them.
            found.append(Identifier(Scheme.BOL, ref[2], strong=False))
        elif ref[1] == "CN" and identifying(ref[2]):
            found.append(Identifier(Scheme.PRO, ref[2], carrier, strong=False))
    yield Ref(ObjectKind.SHIPMENT, tuple(dict.fromkeys(found)))
    marked = [s for s in top.segments if s.tag == "MAN" or (s.tag == "REF" and s[1] == "2I")]
    package = doc.packages(marked)
    if package is not None:
        yield package


def _items(
    doc: Document, members: Sequence[Level], tree: Mapping[str, Level], orders: Sequence[str]
) -> Iterator[Line]:
    """What was shipped of each item; its order is the nearest one that it stands in."""
    for level in members:
        for sn1 in level.all("SN1"):
            lin = next(iter(level.all("LIN")), Segment("", ()))
            shipped = doc.quantity(sn1[2], "SN102")
            sku = doc.sku(lin, 2)
            po = next((s[1] for x in _up(tree, level) for s in x.all("PRF") if s[1]), "")
            yield Line(
                line_id=line_number(lin[1] or sn1[1]) or sku,
                sku=sku,
                description=text_of(level.segments),
                unit=sn1[3] or "EA",
                quantities={} if shipped is None else {Measure.SHIPPED: shipped},
                order=orders.index(po) if po in orders else -1,
            )
