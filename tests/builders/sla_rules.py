"""Builders of SLA rules and work calendars."""

from typing import Any

from visibility.models import SlaRule, WorkCalendar
from visibility.sla.calendar import DAYS


def always_open() -> WorkCalendar:
    """A calendar without closing times."""
    hours = {day: [["00:00", "24:00"]] for day in DAYS}
    return WorkCalendar.objects.create(code="always", title="Always", hours=hours)


def create_rule(calendar: WorkCalendar | None = None, **fields: Any) -> SlaRule:
    """Create a rule unless its code exists; `fields` override the defaults."""
    if calendar is None:
        calendar, _ = WorkCalendar.objects.get_or_create(
            code="dallas", defaults={"title": "Dallas, Mon to Fri"}
        )
    wanted: dict[str, Any] = {
        "calendar": calendar,
        "code": "stuck",
        "kind": "stuck_in_released",
        "title": "Released orders ship within 4 h",
        "params": {"within": 4},
        "severity": "high",
        "team": "Warehouse",
        "response": "Call the shift lead in Dallas.",
        "consequence": "The truck leaves at 17:00 without it.",
    } | fields
    return SlaRule.objects.get_or_create(code=wanted.pop("code"), defaults=wanted)[0]
