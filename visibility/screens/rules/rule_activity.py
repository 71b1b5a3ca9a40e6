"""What each rule watches now, and how often it opened alerts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Q

from visibility.formatting import count_with_noun, format_number
from visibility.models import ACTIVE_ALERT_STATES, Alert, ClockState, SlaClock, SlaRule

WEEKS = 4


@dataclass(frozen=True, slots=True)
class RuleActivity:
    """The clocks of a rule by state, its active alerts, and the alerts opened in four weeks."""

    running: int = 0
    breached: int = 0
    met: int = 0
    active_alerts: int = 0
    opened: int = 0

    @property
    def ending_text(self) -> str:
        """What ends with the rule: `stops 4 running timers and closes 1 active alert`."""
        running = count_with_noun(self.running, "running timer")
        return f"stops {running} and closes {count_with_noun(self.active_alerts, 'active alert')}"

    @property
    def alerts_per_week(self) -> str:
        """`3`, `fewer than 1`, `0`: the average of four weeks."""
        if 0 < self.opened < WEEKS:
            return "fewer than 1"
        return format_number(round(self.opened / WEEKS))


def load_rule_activity(rules: Sequence[SlaRule], now: datetime) -> dict[int, RuleActivity]:
    """Return the activity of each rule by its id. Two statements."""
    clocks = {
        rule: counts
        for rule, *counts in SlaClock.objects.filter(rule__in=rules)
        .values_list("rule")
        .annotate(
            running=Count("pk", filter=Q(state=ClockState.RUNNING)),
            breached=Count("pk", filter=Q(state=ClockState.BREACHED)),
            met=Count("pk", filter=Q(state=ClockState.MET)),
        )
    }
    since = now - timedelta(weeks=WEEKS)
    alerts = {
        rule: counts
        for rule, *counts in Alert.objects.filter(rule__in=rules)
        .values_list("rule")
        .annotate(
            active=Count("pk", filter=Q(state__in=ACTIVE_ALERT_STATES)),
            opened=Count("pk", filter=Q(opened_at__gte=since)),
        )
    }
    nothing: list[int] = [0, 0, 0]
    return {
        rule.pk: RuleActivity(*clocks.get(rule.pk, nothing), *alerts.get(rule.pk, nothing[:2]))
        for rule in rules
    }
