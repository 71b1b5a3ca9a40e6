"""The rules about sources, which every installation has: created when they are missing."""

from visibility.models.rules_clocks_and_calendars import Severity, SlaRule, WorkCalendar
from visibility.models.teams import find_or_create_team
from visibility.sla.calendar import DAYS
from visibility.sla.load_enabled_rules import source_rule_kind_codes
from visibility.sla.registry import rule_kinds

ALWAYS_OPEN = {day: [["00:00", "24:00"]] for day in DAYS}


def create_source_rules_for_kinds_without_rule() -> list[SlaRule]:
    """Create a rule of each kind about sources that has none. People disable it to stop it."""
    codes = source_rule_kind_codes()
    present = set(SlaRule.objects.filter(kind__in=codes).values_list("kind", flat=True))
    return [_create_always_open_rule_of_kind(code) for code in codes if code not in present]


def _create_always_open_rule_of_kind(code: str) -> SlaRule:
    kind = rule_kinds()[code]
    calendar, _ = WorkCalendar.objects.get_or_create(
        code="around-the-clock", defaults={"title": "Around the clock", "hours": ALWAYS_OPEN}
    )
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
        },
    )
    return rule
