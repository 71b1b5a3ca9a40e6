"""The HL levels of a ship notice (856), and which of them say what was shipped."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from connectors.sdk.payload import ParkReason, PayloadError
from connectors.sdk.x12_segments import Segment
from connectors.systems.x12.document import EMPTY_SEGMENT, X12Document


@dataclass(frozen=True, slots=True)
class HierarchyLevel:
    """One HL loop (shipment, order, tare, pack or item) and the number of its parent."""

    number: str
    parent: str
    segments: tuple[Segment, ...]

    def segments_with_tag(self, tag: str) -> list[Segment]:
        """Return the segments of this level with this tag, without child levels."""
        return [s for s in self.segments if s.tag == tag]

    @property
    def lin_segment(self) -> Segment:
        """The LIN segment, or an empty segment."""
        return next(iter(self.segments_with_tag("LIN")), EMPTY_SEGMENT)


@dataclass(frozen=True, slots=True)
class ShipNoticeHierarchy:
    """All levels by number, and the shipment levels (HL03 = S)."""

    levels: Sequence[HierarchyLevel]
    level_by_number: Mapping[str, HierarchyLevel]
    shipments: Sequence[HierarchyLevel]

    @classmethod
    def read(cls, doc: X12Document) -> "ShipNoticeHierarchy":
        """Read the levels.

        A level that leads to no shipment, because its parent is missing or levels name each other,
        is an error of the document, and the other levels are read. Raises PayloadError if there are
        no levels, two have one number, or no item level leads to a shipment.
        """
        levels = [
            HierarchyLevel(loop[0][1], loop[0][2], loop)
            for loop in doc.loops_starting_with_tag("HL")
        ]
        if not levels:
            raise PayloadError(
                ParkReason.EDI_ENVELOPE, doc.element_path("HL"), "the ship notice has no HL segment"
            )
        level_by_number = {level.number: level for level in levels}
        if len(level_by_number) != len(levels):
            raise PayloadError(
                ParkReason.EDI_ENVELOPE, doc.element_path("HL01"), "duplicate HL number"
            )
        shipments = [level for level in levels if level.segments[0][3] == "S"] or levels[:1]
        hierarchy = cls(levels, level_by_number, shipments)
        errors = dict(hierarchy._errors_of_levels_without_shipment(doc))
        items = [level for level in levels if level.segments_with_tag("SN1")]
        if items and all(level.number in errors for level in items):
            raise next(iter(errors.values()))
        doc.line_errors.extend(errors.values())
        return hierarchy

    def with_ancestors(self, level: HierarchyLevel) -> Iterator[HierarchyLevel]:
        """Yield a level and its ancestors by HL02, as the nesting differs between senders."""
        seen: set[str] = set()
        current: HierarchyLevel | None = level
        while current is not None and current.number not in seen:
            yield current
            seen.add(current.number)
            current = self.level_by_number.get(current.parent)

    def levels_of_shipment(self, shipment: HierarchyLevel) -> list[HierarchyLevel]:
        """Return the shipment level and all levels below it."""
        return [level for level in self.levels if shipment in self.with_ancestors(level)]

    def is_breakdown_of_item(self, level: HierarchyLevel) -> bool:
        """Whether the quantities of a level are part of those of an item level above it.

        In the structure shipment, order, item, pack, the SN1 of each pack says how many pieces of
        the item the pack contains. A pack names no other item than the one above it.
        """
        sku = level.lin_segment.elements[1:]
        for ancestor in list(self.with_ancestors(level))[1:]:
            has_quantity = bool(ancestor.segments_with_tag("SN1"))
            if has_quantity and ancestor.lin_segment.elements:
                return not sku or sku == ancestor.lin_segment.elements[1:]
        return False

    def _errors_of_levels_without_shipment(
        self, doc: X12Document
    ) -> Iterator[tuple[str, PayloadError]]:
        for level in self.levels:
            lineage = list(self.with_ancestors(level))
            if not any(level in self.shipments for level in lineage):
                top = lineage[-1]
                if not top.parent:
                    detail = f"level {top.number[:20]} has no parent level"
                elif top.parent in self.level_by_number:
                    detail = "the levels name each other as parents"
                else:
                    detail = f"the parent level {top.parent[:20]} does not exist"
                path = doc.element_path(f"HL {level.number[:20]}")
                yield level.number, PayloadError(ParkReason.EDI_ENVELOPE, path, detail)
