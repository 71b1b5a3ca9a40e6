"""Compute the timeline of an order from its events, in plain Python."""

from visibility.timeline.claim_line_conflict_types import (
    Claim,
    Promise,
    TimelineConflict,
    TimelineLine,
)
from visibility.timeline.fold import fold
from visibility.timeline.model import (
    MilestoneCode,
    Package,
    RecordedEvent,
    Status,
    Timeline,
    TimelineEntry,
    TimelineMilestone,
    TimelineShipment,
)

__all__ = [
    "Claim",
    "MilestoneCode",
    "Package",
    "Promise",
    "RecordedEvent",
    "Status",
    "Timeline",
    "TimelineConflict",
    "TimelineEntry",
    "TimelineLine",
    "TimelineMilestone",
    "TimelineShipment",
    "fold",
]
