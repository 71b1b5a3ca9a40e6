"""The share of people's actions on alerts that only snooze them."""

from decimal import Decimal

from visibility.kpi.kpi import EventMeasurement, KpiUnit
from visibility.kpi.measured_records import ActionKpi, ActionRecord

HANDLING = frozenset({"acknowledged", "assigned", "snoozed", "resolved"})


class SnoozedAlerts(ActionKpi):
    """The share of people's actions on alerts that snooze the alert."""

    code = "snoozed_alerts"
    title = "Snoozed alerts"
    unit = KpiUnit.PERCENT
    version = 1
    definition = (
        "Snoozes divided by the actions with which people handle alerts: acknowledge, assign, "
        "snooze and resolve. An action counts on its day, in the organization's time zone. Notes "
        "are not included."
    )
    higher_is_better = False
    outcome_labels = ("Other actions", "Snoozed")

    def measure_record(self, record: ActionRecord) -> EventMeasurement | None:
        """1 of 1 if it is a snooze."""
        if record.action not in HANDLING:
            return None
        return EventMeasurement(Decimal(record.action == "snoozed"), Decimal(1))
