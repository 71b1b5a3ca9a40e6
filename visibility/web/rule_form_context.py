"""What the templates of the form of a rule need besides the form."""

from typing import Any

from visibility.models import Severity
from visibility.screens.rules.queries import calendar_titles, team_titles
from visibility.screens.rules.rule_form import RuleForm
from visibility.sla.create_default_source_rules import ALWAYS_OPEN_CODE


def rule_form_context(form: RuleForm) -> dict[str, Any]:
    """The choices of the form. The calendar that is always open is one before it exists."""
    calendars = calendar_titles()
    if ALWAYS_OPEN_CODE not in {code for code, _ in calendars}:
        calendars.append((ALWAYS_OPEN_CODE, "Around the clock"))
    return {
        "form": form,
        "severities": Severity.choices,
        "calendars": calendars,
        "teams": team_titles(),
    }
