"""A promise for tests: released orders ship, unless told otherwise."""

from typing import Any

from visibility.models import SlaRule, WorkCalendar


def promise(calendar: WorkCalendar, **fields: Any) -> SlaRule:
    """A rule over this calendar; what the test does not say is of no matter to it."""
    usual = {
        "code": "stuck",
        "kind": "stuck_in_released",
        "title": "Released orders ship",
        "params": {"within": 4},
        "severity": "high",
        "team": "Warehouse",
        "response": "Call the shift lead.",
        "consequence": "Misses the cut-off.",
    }
    return SlaRule.objects.create(calendar=calendar, **usual | fields)
