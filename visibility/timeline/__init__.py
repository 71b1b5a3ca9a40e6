"""What happened to an order, and when: plain Python over canonical events."""

from visibility.timeline.claims import Claim, Conflict, Line, Promise
from visibility.timeline.fold import fold
from visibility.timeline.model import (
    Entry,
    Milestone,
    MilestoneCode,
    Package,
    Shipment,
    Spoken,
    Status,
    Timeline,
)

__all__ = [
    "Claim",
    "Conflict",
    "Entry",
    "Line",
    "Milestone",
    "MilestoneCode",
    "Package",
    "Promise",
    "Shipment",
    "Spoken",
    "Status",
    "Timeline",
    "fold",
]
