"""Lines that are filled by other lines: substitutes and the components of kits."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from connectors.sdk.events import EventLine as RecordedLine
from connectors.sdk.events import EventType, Measure
from visibility.timeline.master_data_dictionary import ItemDefinition
from visibility.timeline.model import RecordedEvent

KeyedEvents = Sequence[tuple[RecordedEvent, list[tuple[int, str, RecordedLine]]]]
PROGRESS_MEASURES = (
    Measure.ALLOCATED,
    Measure.PICKED,
    Measure.PACKED,
    Measure.SHIPPED,
    Measure.DELIVERED,
)
FILLABLE_MEASURES = frozenset(
    {*PROGRESS_MEASURES, Measure.INVOICED, Measure.RETURNED, Measure.CREDITED}
)


@dataclass(frozen=True, slots=True)
class SubstitutesOrKitComponents:
    """The lines that fill another: child key -> quantity for one unit of the parent."""

    kit: bool
    children: Mapping[str, Fraction]

    def filled_quantity(
        self, own: Decimal | None, surpluses: Mapping[str, Fraction | None], scale: int
    ) -> Decimal | None:
        """The quantity of the line itself and of what fills it, None if unknown.

        `surpluses`: the base units of each child beyond its own demand. A kit needs all its
        components, a substitute counts by itself. `scale`: counting units per base unit.
        """
        if self.kit:
            if any(surplus is None for surplus in surpluses.values()):
                return own
            complete_kits = min((surpluses[c] or 0) // need for c, need in self.children.items())
            return max(own or Decimal(0), Decimal(complete_kits * scale))
        if own is None and all(surplus is None for surplus in surpluses.values()):
            return None
        added = sum((s or Fraction(0) for s in surpluses.values()), Fraction(0)) * scale
        return (own or Decimal(0)) + Decimal(added.numerator) / Decimal(added.denominator)


def find_kits(
    lines: Iterable[str], articles: Mapping[str, ItemDefinition | None]
) -> dict[str, SubstitutesOrKitComponents]:
    """Lines whose item is a kit, if a component of it is on a line."""
    keys = set(lines)
    result = {}
    for key, article in articles.items():
        if article is None or not article.components:
            continue
        children = {n.strip().upper(): Fraction(q) for n, q in article.components.items()}
        if keys & set(children):
            result[key] = SubstitutesOrKitComponents(kit=True, children=children)
    return result


def find_reported_and_inferred_substitutes(
    keyed: KeyedEvents,
) -> dict[str, SubstitutesOrKitComponents]:
    """Substitutes that are reported, or seen: a source ships another item on an ordered line."""
    pairs = [
        pair for recorded, lines in keyed for pair in _reported_substitute_pairs(recorded, lines)
    ]
    ordered: dict[tuple[str, str], str] = {}
    ordered_keys: set[tuple[str, str]] = set()
    for recorded, lines in keyed:
        if recorded.event.type is EventType.LINE_SUBSTITUTED:
            continue
        for _, key, line in lines:
            if Measure.ORDERED in line.quantities:
                ordered[(recorded.source, line.line_id)] = key
                ordered_keys.add((recorded.source, key))
    for recorded, lines in keyed:
        for _, key, line in lines:
            parent = ordered.get((recorded.source, line.line_id))
            has_progress = any(measure in line.quantities for measure in PROGRESS_MEASURES)
            if (
                parent
                and has_progress
                and parent != key
                and (recorded.source, key) not in ordered_keys
            ):
                pairs.append((parent, key))
    children_of: dict[str, dict[str, Fraction]] = {}
    for parent, child in sorted(set(pairs)):
        if (child, parent) not in pairs and parent != child:
            children_of.setdefault(parent, {})[child] = Fraction(1)
    return {
        parent: SubstitutesOrKitComponents(kit=False, children=children)
        for parent, children in children_of.items()
    }


def _reported_substitute_pairs(
    recorded: RecordedEvent, lines: Sequence[tuple[int, str, RecordedLine]]
) -> Iterable[tuple[str, str]]:
    """(replaced, substitute) pairs: lines with the same line id, or else all lines of the event."""
    if recorded.event.type is not EventType.LINE_SUBSTITUTED:
        return
    groups: dict[str, list[tuple[str, RecordedLine]]] = {}
    for _, key, line in lines:
        groups.setdefault(line.line_id, []).append((key, line))
    shared_ids = [group for group in groups.values() if len(group) > 1]
    for group in shared_ids or [[(key, line) for _, key, line in lines]]:
        parents = [key for key, line in group if Measure.CANCELLED in line.quantities]
        parent = parents[0] if parents else group[0][0] if group else ""
        yield from ((parent, key) for key, _ in group if key != parent)
