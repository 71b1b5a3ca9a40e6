"""The rules about sources, KPIs and alerts, which every installation has."""

from visibility.models.rules_clocks_and_calendars import Severity, SlaRule, WorkCalendar
from visibility.models.teams import find_or_create_team
from visibility.sla.calendar import DAYS
from visibility.sla.load_enabled_rules import rule_kind_codes_not_about_orders
from visibility.sla.registry import rule_kinds
from visibility.sla.rule import SourceRule

ALWAYS_OPEN_CODE = "around-the-clock"
ALWAYS_OPEN = {day: [["00:00", "24:00"]] for day in DAYS}


def create_source_rules_for_kinds_without_rule() -> list[SlaRule]:
    """Create a rule of each kind that is not about orders and has none.

    Rules about sources are enabled, and people disable them. Rules about KPIs and alerts are
    disabled, and people enable them.
    """
    codes = rule_kind_codes_not_about_orders()
    present = set(SlaRule.objects.filter(kind__in=codes).values_list("kind", flat=True))
    return [_create_always_open_rule_of_kind(code) for code in codes if code not in present]


def find_or_create_always_open_calendar() -> WorkCalendar:
    """Return the calendar in which every hour counts; rules without another one have it."""
    return WorkCalendar.objects.get_or_create(
        code=ALWAYS_OPEN_CODE, defaults={"title": "Around the clock", "hours": ALWAYS_OPEN}
    )[0]


def _create_always_open_rule_of_kind(code: str) -> SlaRule:
    kind = rule_kinds()[code]
    calendar = find_or_create_always_open_calendar()
    rule, _ = SlaRule.objects.get_or_create(
        code=code.replace("_", "-"),
        defaults={
            "kind": code,
            "title": kind.title,
            "severity": Severity(kind.severity),
            "team": kind.team,
            "owner_team": find_or_create_team(kind.team),
            "calendar": calendar,
            "response": kind.response,
            "consequence": kind.meaning,
            "enabled": isinstance(kind, SourceRule),
        },
    )
    return rule
