"""A confirmed shipment must be scanned in time; a label is no scan."""

from datetime import UTC, datetime, timedelta

from connectors.sdk.events import EventType
from tests.evaluate.told import told
from visibility.sla.calendar import Calendar
from visibility.sla.rules.no_tracking_scan import NoTrackingScan, Params

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
ALWAYS = Calendar(
    "UTC",
    {day: [("00:00", "24:00")] for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun")},
)
RULE, WITHIN = NoTrackingScan(), Params(within=timedelta(hours=24))
SHIPPED = (EventType.SHIPMENT_CONFIRMED, NOON)


def test_the_clock_runs_from_the_confirmation() -> None:
    (clock,) = RULE.clocks(told(SHIPPED), WITHIN, ALWAYS)
    assert (clock.due_at, clock.stopped_at) == (NOON + timedelta(hours=24), None)
    assert clock.subject == "1Z1"


def test_a_label_is_no_scan() -> None:
    label = (EventType.LABEL_CREATED, NOON + timedelta(hours=1))
    (clock,) = RULE.clocks(told(SHIPPED, label), WITHIN, ALWAYS)
    assert clock.stopped_at is None


def test_the_first_scan_stops_it() -> None:
    scans = [(EventType.IN_TRANSIT, NOON + timedelta(hours=h)) for h in (5, 9)]
    (clock,) = RULE.clocks(told(SHIPPED, *scans), WITHIN, ALWAYS)
    assert clock.stopped_at == NOON + timedelta(hours=5)


def test_a_scan_before_the_confirmation_counts_from_it() -> None:
    early = (EventType.PICKED_UP, NOON - timedelta(hours=2))
    (clock,) = RULE.clocks(told(early, SHIPPED), WITHIN, ALWAYS)
    assert clock.stopped_at == NOON
