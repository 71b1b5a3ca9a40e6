"""Transport statuses: IFTSTA."""

from collections.abc import Iterator, Sequence

from connectors.sdk.events import (
    Attribute,
    CanonicalEvent,
    EventIdentifier,
    EventType,
    IdentifierScheme,
    ObjectKind,
    ObjectReference,
)
from connectors.sdk.payload import ParkReason, PayloadError
from connectors.sdk.placeholders_and_issuers import blank_if_placeholder
from connectors.systems.edifact.document import (
    EdifactDocument,
    Group,
    first_segment,
    reference_numbers,
)
from connectors.systems.edifact.lines import read_groups
from connectors.systems.edifact.references import (
    package_references,
    shipment_reference,
)
from connectors.systems.edifact.segments import EdifactSegment
from connectors.systems.edifact.source_settings import IGNORED_STATUS

# STS C555 9011, as far as senders agree. Codes are agreed between partners: the setting
# `status.<code>` comes first.
STATUS_TYPES = {
    "1": EventType.IN_TRANSIT,  # arrived
    "13": EventType.PICKED_UP,  # collected
    "21": EventType.DELIVERED,
    "23": EventType.SHIPMENT_EXCEPTION,
    "24": EventType.IN_TRANSIT,  # departed
    "31": EventType.IN_TRANSIT,
    "48": EventType.IN_TRANSIT,
    "58": EventType.SHIPMENT_EXCEPTION,
}
DATES = {"17": Attribute.ETA, "132": Attribute.ETA}


def read_status(doc: EdifactDocument) -> list[CanonicalEvent]:
    """Convert IFTSTA: one event per status (STS) of each consignment (CNI).

    CNI C503 is the carrier's number of the consignment. RFF+ON is the order, CU or AAK the
    shipper's shipment, CN the carrier's; GIN+BJ are packages. DTM 334 or 78 is the time.
    """
    statuses = [(head, group) for head, group in _statuses(doc)]
    if not statuses:
        raise PayloadError(ParkReason.SCHEMA, doc.path("STS"), "the message has no STS segment")
    heads = {id(group): head for head, group in statuses}

    def read(group: Group) -> CanonicalEvent | None:
        return _status_event(doc, heads[id(group)], group)

    events = read_groups(doc, [group for _, group in statuses], read)
    return [event for event in events if event is not None]


def _statuses(doc: EdifactDocument) -> list[tuple[Group, Group]]:
    """Return each STS with its segments, and the segments of its consignment before it."""
    result: list[tuple[Group, Group]] = []
    heading = list(doc.head("CNI", "STS"))
    for consignment in doc.groups("CNI") or [doc.segments]:
        starts = [n for n, s in enumerate(consignment) if s.tag == "STS"]
        # All references of a consignment name the same one.
        own_head = [
            s for n, s in enumerate(consignment) if starts and (n < starts[0] or s.tag == "RFF")
        ]
        for start, end in zip(starts, [*starts[1:], len(consignment)], strict=False):
            result.append(((*heading, *own_head), consignment[start:end]))
    return result


def _status_event(doc: EdifactDocument, head: Group, group: Group) -> CanonicalEvent | None:
    sts = group[0]
    code = sts.text(2) or sts.text(1)
    mapped = doc.settings.statuses.get(code, "")
    if mapped == IGNORED_STATUS:
        doc.not_understood.append(f"STS {code[:20]} is ignored by the settings")
        return None
    event_type = EventType(mapped) if mapped else STATUS_TYPES.get(code, EventType.UNMAPPED)
    consignment = blank_if_placeholder(first_segment(head, "CNI").text(2))
    loc = first_segment(group, "LOC")
    location = loc.text(2, 4) or loc.text(2)
    at = doc.time_of(group, "334", "78", "7", "1")
    moment = f"{at.time:%Y-%m-%dT%H:%M}" if at else ""
    carrier = first_segment((*group, *head), "TDT")
    reason = sts.text(3, 4) or sts.text(3)
    return doc.build_event(
        event_type,
        " ".join(filter(None, (consignment or doc.number, code, moment, location))),
        time=at,
        objects=_status_objects(doc, (*head, *group), consignment),
        attributes={
            Attribute.CARRIER: carrier.text(5, 4) or carrier.text(5) or doc.party_name("CA"),
            Attribute.LOCATION: location,
            Attribute.STATUS: code,
            Attribute.REASON: reason,
            **doc.dates(group, DATES),
        },
        raw_type=f"IFTSTA {code}" if event_type is EventType.UNMAPPED else "",
    )


def _status_objects(
    doc: EdifactDocument, segments: Group, consignment: str
) -> list[ObjectReference]:
    objects = list(_orders(doc, segments))
    shippers = reference_numbers(segments, "AAK", "CU", "SRN")[:1]
    objects += [shipment_reference(doc, n, segments, is_of_sender=False) for n in shippers]
    packages = package_references(segments)
    carriers = [consignment, *reference_numbers(segments, "CN")]
    packages += [
        ObjectReference(ObjectKind.PACKAGE, (EventIdentifier(IdentifierScheme.TRACKING, n),))
        for n in dict.fromkeys(filter(None, carriers))
        if len(n) >= 8
    ]
    objects += dict.fromkeys(packages)
    if not objects:
        raise PayloadError(
            ParkReason.REFERENCE, doc.path("CNI"), "no order, shipment or package is named"
        )
    return objects


def _orders(doc: EdifactDocument, segments: Sequence[EdifactSegment]) -> Iterator[ObjectReference]:
    """Yield the orders, if their number range is set. A carrier does not know whose PO it is."""
    if doc.settings.carrier_order is None:
        return
    scheme, issuer = doc.settings.carrier_order
    for number in reference_numbers(segments, "ON"):
        yield ObjectReference(ObjectKind.ORDER, (EventIdentifier(scheme, number, issuer),))
