"""A confirmed shipment must be scanned in time; a label is not a scan."""

from datetime import UTC, datetime, timedelta

from connectors.sdk.events import EventType
from tests.builders.timelines import timeline_of
from visibility.sla.calendar import Calendar
from visibility.sla.rules.no_tracking_scan import NoTrackingScan, Params

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
ALWAYS = Calendar(
    "UTC",
    {day: [("00:00", "24:00")] for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun")},
)
RULE, WITHIN = NoTrackingScan(), Params(within=timedelta(hours=24))
SHIPPED = (EventType.SHIPMENT_CONFIRMED, NOON)


def test_clock_starts_at_the_ship_confirmation() -> None:
    (clock,) = RULE.clocks(timeline_of(SHIPPED), WITHIN, ALWAYS)
    assert (clock.due_at, clock.stopped_at) == (NOON + timedelta(hours=24), None)
    assert clock.subject == "1Z1"


def test_label_is_not_a_scan() -> None:
    label = (EventType.LABEL_CREATED, NOON + timedelta(hours=1))
    (clock,) = RULE.clocks(timeline_of(SHIPPED, label), WITHIN, ALWAYS)
    assert clock.stopped_at is None


def test_first_scan_stops_the_clock() -> None:
    scans = [(EventType.IN_TRANSIT, NOON + timedelta(hours=h)) for h in (5, 9)]
    (clock,) = RULE.clocks(timeline_of(SHIPPED, *scans), WITHIN, ALWAYS)
    assert clock.stopped_at == NOON + timedelta(hours=5)


def test_scan_before_the_confirmation_stops_the_clock_at_the_confirmation() -> None:
    early = (EventType.PICKED_UP, NOON - timedelta(hours=2))
    (clock,) = RULE.clocks(timeline_of(early, SHIPPED), WITHIN, ALWAYS)
    assert clock.stopped_at == NOON
