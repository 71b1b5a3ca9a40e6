"""Shipped, and no carrier has scanned it in time."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar

from connectors.sdk.connector import Role
from visibility.sla.calendar import Calendar
from visibility.sla.rule import Clock, Rule, in_words
from visibility.timeline.model import Timeline


@dataclass(frozen=True)
class Params:
    """`within`: working time from the ship confirmation to the first scan of the carrier."""

    within: timedelta = timedelta(hours=24)


class NoTrackingScan(Rule):
    """A confirmed shipment must be scanned by its carrier within the time.

    A label is no scan. One clock per shipment; a voided shipment promises nothing. A shipment that
    has no parcel number at all waits for its scan just the same.
    """

    code: ClassVar[str] = "no_tracking_scan"
    title: ClassVar[str] = "Shipment without tracking scan"
    params_type: ClassVar[type[Any]] = Params

    def clocks(self, timeline: Timeline, params: Params, calendar: Calendar) -> Iterable[Clock]:
        """One clock per confirmed shipment."""
        for shipment in timeline.shipments:
            if shipment.shipped_at is None or shipment.voided_at:
                continue
            scanned = shipment.first_scan_at
            numbers = [p.tracking for p in shipment.packages if p.tracking]
            yield Clock(
                started_at=shipment.shipped_at,
                due_at=calendar.add(shipment.shipped_at, params.within),
                stopped_at=max(scanned, shipment.shipped_at) if scanned else None,
                obligation=shipment.key,
                subject=", ".join(numbers[:3]) or f"shipment {shipment.number}",
                waits_for=(Role.CARRIER,),
            )

    def sentence(self, params: Params, subject: str) -> str:
        """The alert's title."""
        return f"No carrier scan {in_words(params.within)} after shipping: {subject}"
