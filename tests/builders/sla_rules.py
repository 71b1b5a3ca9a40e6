"""Create SLA rules for tests."""

from typing import Any

from visibility.models import SlaRule, WorkCalendar


def create_rule(calendar: WorkCalendar, **fields: Any) -> SlaRule:
    """Create a rule with this calendar; `fields` override the defaults."""
    defaults = {
        "code": "stuck",
        "kind": "stuck_in_released",
        "title": "Released orders ship",
        "params": {"within": 4},
        "severity": "high",
        "team": "Warehouse",
        "response": "Call the shift lead.",
        "consequence": "Misses the cut-off.",
    }
    return SlaRule.objects.create(calendar=calendar, **defaults | fields)
