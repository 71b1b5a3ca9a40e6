"""Load the rules with their sentence, their parameters and their change history."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from django.db.models import Count, Q

from visibility.models import (
    ACTIVE_ALERT_STATES,
    Alert,
    AlertState,
    AuditEntry,
    SlaRule,
    Team,
    WorkCalendar,
)
from visibility.screens.rules.recheck_progress import RecheckProgress, load_recheck_progress
from visibility.screens.rules.subject_and_consequence_labels import (
    CONSEQUENCE_LABELS,
    SUBJECT_LABELS,
)
from visibility.sla.parameters import InvalidParameters, ParameterField, parameter_fields
from visibility.sla.registry import rule_kinds
from visibility.sla.rule import Rule
from visibility.sla.text_and_list_parameter_types import EnumType

PAGE_SIZE = 50
MAX_HISTORY = 50
MAX_TEAMS = 500
MAX_CALENDARS = 500


@dataclass(frozen=True, slots=True)
class RuleSummary:
    """A rule and its kind. `problem`: why it cannot run; then it has no sentence."""

    rule: SlaRule
    kind: Rule | None
    sentence: str
    problem: str
    # Of the active alerts, the open ones are what the inbox shows first.
    active_alerts: int = 0
    open_alerts: int = 0
    # None for a rule about sources, which is checked for all sources at once.
    recheck: RecheckProgress | None = None

    @property
    def subject(self) -> str:
        """What the rule is about, as people read it."""
        return SUBJECT_LABELS[self.kind.subject] if self.kind else ""

    @property
    def consequences(self) -> list[str]:
        """What a breach costs, as people read it."""
        return [CONSEQUENCE_LABELS[c] for c in self.kind.consequences] if self.kind else []

    @property
    def breach_meaning(self) -> str:
        """What a breach means."""
        return self.kind.meaning if self.kind else ""

    @property
    def scope_text(self) -> str:
        """The scope in words: `channel: web, warehouse: Dallas`."""
        scope = self.rule.scope if isinstance(self.rule.scope, dict) else {}
        return ", ".join(f"{name.replace('_', ' ')}: {value}" for name, value in scope.items())


@dataclass(frozen=True, slots=True)
class ParameterInput:
    """A parameter as a form field. `text` is what the field contains."""

    field: ParameterField
    text: str
    error: str = ""

    @property
    def choices(self) -> Sequence[str]:
        """The options of a parameter that has fixed values."""
        return self.field.type.member_values() if isinstance(self.field.type, EnumType) else ()


def list_rule_summaries(
    *, after: str = "", limit: int = PAGE_SIZE, archived: bool = False
) -> list[RuleSummary]:
    """Return rules in the order of their codes, after a code. Three statements.

    `archived`: the archived ones instead.
    """
    rules = SlaRule.objects.select_related("calendar", "owner_team").filter(
        code__gt=after, archived_at__isnull=not archived
    )
    return _with_alerts_and_rechecks(list(rules.order_by("code")[:limit]))


def load_rule_summary(code: str) -> RuleSummary | None:
    """Return one rule, or None if there is none with this code. Three statements."""
    rules = SlaRule.objects.select_related("calendar", "owner_team").filter(code=code)
    return next(iter(_with_alerts_and_rechecks(list(rules))), None)


def _with_alerts_and_rechecks(rules: Sequence[SlaRule]) -> list[RuleSummary]:
    """The rules with their active and open alerts, and how far they are rechecked."""
    if not rules:
        return []
    counts = {
        rule: (active, number)
        for rule, active, number in Alert.objects.filter(
            rule__in=rules, state__in=ACTIVE_ALERT_STATES
        )
        .values_list("rule")
        .annotate(active=Count("pk"), open=Count("pk", filter=Q(state=AlertState.OPEN)))
    }
    rechecks = load_recheck_progress(rules)
    summaries = []
    for rule in rules:
        active, number = counts.get(rule.pk, (0, 0))
        recheck = rechecks.get(rule.pk)
        summaries.append(
            replace(summarize_rule(rule), recheck=recheck, active_alerts=active, open_alerts=number)
        )
    return summaries


def summarize_rule(rule: SlaRule) -> RuleSummary:
    """Put a rule into words."""
    kind = rule_kinds().get(rule.kind)
    if kind is None:
        problem = f"No kind of rule is called “{rule.kind}”."
        return RuleSummary(rule, None, "", problem)
    try:
        sentence = kind.sentence(kind.parse_params(rule.params))
    except InvalidParameters as error:
        return RuleSummary(rule, kind, "", f"Its parameters are invalid: {error}.")
    return RuleSummary(rule, kind, sentence, "")


def parameter_inputs(summary: RuleSummary) -> list[ParameterInput]:
    """Return the parameters of a rule as form fields; an unreadable value is shown as stored."""
    if summary.kind is None:
        return []
    stored = summary.rule.params if isinstance(summary.rule.params, dict) else {}
    inputs = []
    for field in parameter_fields(summary.kind.params_type):
        try:
            value = (
                field.parse_without_bounds_check(stored[field.name])
                if field.name in stored
                else field.default
            )
            inputs.append(ParameterInput(field, field.type.form_text(value)))
        except ValueError as error:
            inputs.append(ParameterInput(field, str(stored[field.name]), str(error)))
    return inputs


def rule_history(code: str) -> list[AuditEntry]:
    """Return the latest changes of a rule."""
    actions = ("rule.created", "rule.changed", "rule.archived")
    entries = AuditEntry.objects.filter(action__in=actions, object=f"rule {code}")
    return list(entries.select_related("user").order_by("-pk")[:MAX_HISTORY])


def team_titles() -> list[str]:
    """Return the titles of all teams."""
    return list(Team.objects.order_by("title").values_list("title", flat=True)[:MAX_TEAMS])


def calendar_titles() -> list[tuple[str, str]]:
    """Return code and title of the calendars that a rule can count with."""
    rows = WorkCalendar.objects.order_by("title").values_list("code", "title")
    return list(rows[:MAX_CALENDARS])
