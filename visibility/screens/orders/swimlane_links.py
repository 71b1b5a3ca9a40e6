"""Which object of an order came from which: order, delivery, shipment, invoice, return."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from connectors.sdk.event_term_descriptions import OBJECT_KINDS
from connectors.sdk.events import IdentifierScheme, ObjectKind, ObjectReference
from visibility.screens.orders.swimlane_axis import LogScaledGapTimeAxis
from visibility.timeline import RecordedEvent, Timeline

ORDER_RANK = 0
RANKS: Mapping[ObjectKind, int] = {
    ObjectKind.SHIPMENT: 2,
    ObjectKind.INVOICE: 3,
    ObjectKind.RETURN: 3,
    ObjectKind.RETURN_DELIVERY: 4,
}
DELIVERY_RANK = 1
MAX_LINKS = 60


@dataclass(frozen=True, slots=True)
class LinkEnd:
    """An object at the first event that names it."""

    text: str
    event_id: int
    source: str
    at: datetime


@dataclass(frozen=True, slots=True)
class ObjectLink:
    """One object came from another."""

    cause: LinkEnd
    effect: LinkEnd


@dataclass(frozen=True, slots=True)
class LaneArrow:
    """An arrow over the lanes, from the row of the cause to that of the effect.

    It goes along the lane of the effect. `left`, `width` in percent; rows are those of the grid.
    """

    first_row: int
    last_row: int
    left: float
    width: float
    is_up: bool
    is_back: bool

    @property
    def is_flat(self) -> bool:
        """Whether both ends are on one lane."""
        return self.first_row == self.last_row


def object_links(timeline: Timeline) -> list[ObjectLink]:
    """The links in the order of their effects.

    The cause of an object is what the events that name it name before it in the chain; without
    one, the order.
    """
    ends: dict[str, LinkEnd] = {}
    ranks: dict[str, int] = {}
    causes: dict[str, str] = {}
    recorded = [e.recorded for e in timeline.entries if not e.superseded]
    for event in sorted(recorded, key=lambda each: (each.occurred_at, each.event_id)):
        named = _named_objects(event, timeline.key)
        for key, (reference, rank) in named.items():
            ends.setdefault(
                key, LinkEnd(_text(reference), event.event_id, event.source, event.occurred_at)
            )
            ranks[key] = max(rank, ranks.get(key, 0))
            before = [other for other, (_, r) in named.items() if ORDER_RANK < r < rank]
            if before and key not in causes:
                causes[key] = max(before, key=lambda other: named[other][1])
    effects = sorted((ends[key].at, key) for key in ends if key != timeline.key)
    links = [(causes.get(key, timeline.key), key) for _, key in effects]
    return [ObjectLink(ends[cause], ends[key]) for cause, key in links if cause in ends]


def _named_objects(event: RecordedEvent, order_key: str) -> dict[str, tuple[ObjectReference, int]]:
    named: dict[str, tuple[ObjectReference, int]] = {}
    for index, (reference, key) in enumerate(
        zip(event.event.objects, event.object_keys, strict=True)
    ):
        if index == event.order_index:
            named[order_key] = (reference, ORDER_RANK)
        elif reference.kind in RANKS and key:
            named[key] = (reference, _rank(reference))
    return named


def _rank(reference: ObjectReference) -> int:
    return DELIVERY_RANK if _is_delivery(reference) else RANKS[reference.kind]


def _is_delivery(reference: ObjectReference) -> bool:
    schemes = {identifier.scheme for identifier in reference.identifiers}
    return IdentifierScheme.DELIVERY in schemes and IdentifierScheme.SHIPMENT not in schemes


def _text(reference: ObjectReference) -> str:
    kind = "delivery" if _is_delivery(reference) else OBJECT_KINDS[reference.kind].label
    return f"{kind} {reference.identifiers[0].value}"


def lane_arrows(
    links: Iterable[ObjectLink],
    axis: LogScaledGapTimeAxis,
    lanes: Sequence[str],
    *,
    since: datetime,
) -> list[LaneArrow]:
    """The arrows of those links whose two events are on a lane that is shown."""
    arrows = []
    for link in links:
        ends = (link.cause, link.effect)
        if any(end.source not in lanes or end.at < since for end in ends):
            continue
        # The first row of the grid has the dates.
        cause_row, effect_row = (lanes.index(end.source) + 2 for end in ends)
        x, until = (axis.percent(axis.x_position(end.at)) for end in ends)
        arrows.append(
            LaneArrow(
                min(cause_row, effect_row),
                max(cause_row, effect_row),
                min(x, until),
                round(abs(until - x), 2),
                effect_row < cause_row,
                until < x,
            )
        )
    return arrows
