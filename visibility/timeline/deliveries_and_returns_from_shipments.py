"""Deliveries and returns of an order that only its shipments tell."""

from collections.abc import Mapping, MutableMapping, Sequence
from datetime import datetime
from decimal import Decimal

from connectors.sdk.events import EventType, Measure, ObjectKind
from visibility.timeline.authoritative_quantities import QuantityLedger
from visibility.timeline.model import (
    MilestoneCode,
    RecordedEvent,
    TimelineMilestone,
    TimelineShipment,
)

Milestones = MutableMapping[MilestoneCode, TimelineMilestone]


def names_only_returned_packages(
    recorded: RecordedEvent, shipments: Sequence[TimelineShipment]
) -> bool:
    """Whether a delivery is that of packages that came back: to the sender, or before it."""
    names = _shipment_and_package_keys(recorded)
    returned = {
        key
        for shipment in shipments
        for key, status in (
            (shipment.key, shipment.status),
            *((package.key, package.status) for package in shipment.packages),
        )
        if status == "returned"
    }
    packages = {p.key for s in shipments for p in s.packages} & names
    return bool(names) and (packages or names) <= returned


def set_delivered_share_from_packages(
    by_code: Milestones,
    ledger: QuantityLedger,
    shipments: Sequence[TimelineShipment],
    events: Sequence[RecordedEvent],
    at: datetime,
) -> None:
    """Without quantities, an order is delivered when all its known packages are.

    An event about the delivery of the order itself, without a shipment, completes it.
    """
    milestone = by_code.get(MilestoneCode.DELIVERED)
    if milestone is None or not shipments:
        return
    is_measured = ledger.order_fraction_reached(Measure.DELIVERED, at) is not None
    if is_measured or any(
        s.event.type is EventType.DELIVERED and not _shipment_and_package_keys(s) for s in events
    ):
        return
    arrivals = [
        arrival
        for shipment in shipments
        for arrival in _package_or_shipment_arrival_times(shipment)
    ]
    arrived = [arrival for arrival in arrivals if arrival]
    is_complete = len(arrived) == len(arrivals)
    by_code[MilestoneCode.DELIVERED] = TimelineMilestone(
        MilestoneCode.DELIVERED,
        reached_at=milestone.reached_at,
        completed_at=max(arrived) if arrived and is_complete else None,
        share=Decimal(len(arrived)) / len(arrivals),
        source=milestone.source,
    )


def add_milestone_of_returned_shipments(
    by_code: Milestones, shipments: Sequence[TimelineShipment]
) -> None:
    """Add the milestone of packages that the carrier brought back, unless a return has it."""
    returned = {s.returned_at: s for s in shipments if s.returned_at}
    if returned and MilestoneCode.RETURNED not in by_code:
        at = min(returned)
        by_code[MilestoneCode.RETURNED] = TimelineMilestone(
            MilestoneCode.RETURNED,
            reached_at=at,
            completed_at=at,
            share=Decimal(1),
            source=returned[at].sources[0],
        )


def are_all_shipments_returned(shipments: Sequence[TimelineShipment]) -> bool:
    """Whether the carrier brought back all that was sent."""
    carried = [s for s in shipments if not s.voided_at]
    return bool(carried) and all(s.returned_at for s in carried)


def _package_or_shipment_arrival_times(shipment: TimelineShipment) -> list[datetime | None]:
    """When each package arrived, or the shipment as a whole."""
    if shipment.delivered_at or not shipment.packages:
        return [shipment.delivered_at]
    return [package.delivered_at for package in shipment.packages]


def _shipment_and_package_keys(recorded: RecordedEvent) -> set[str]:
    kinds: Mapping[str, ObjectKind] = dict(
        zip(recorded.object_keys, (ref.kind for ref in recorded.event.objects), strict=True)
    )
    return {
        key
        for key, kind in kinds.items()
        if key and kind in {ObjectKind.SHIPMENT, ObjectKind.PACKAGE}
    }
