"""The choices of the forms of the inbox: rules, teams, and the people who can own an alert."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from django.contrib.auth.models import User
from django.db.models import Count, Q

from visibility.models import Alert, SlaRule
from visibility.screens.alerts.inbox import NEEDS_ATTENTION


@dataclass(frozen=True, slots=True)
class FilterChoices:
    """The options of the filters."""

    rules: Sequence[SlaRule] = field(default_factory=list)
    teams: Sequence[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Assignee:
    """A user who can be assigned alerts. `load` is how many active alerts they have."""

    id: int
    name: str
    load: int


def all_rules_and_teams_as_filter_choices() -> FilterChoices:
    """All rules and their teams. One SQL statement."""
    rules = list(SlaRule.objects.order_by("title")[:200])
    return FilterChoices(rules, sorted({rule.team for rule in rules if rule.team}))


def assignable_users(roles: Sequence[str]) -> list[Assignee]:
    """The users an alert can be assigned to, with their load. Two SQL statements."""
    users = (
        User.objects.filter(Q(groups__name__in=roles) | Q(is_superuser=True), is_active=True)
        .distinct()
        .order_by("first_name", "username")[:200]
    )
    loads = dict(
        Alert.objects.filter(owner__isnull=False, state__in=NEEDS_ATTENTION)
        .values_list("owner")
        .annotate(many=Count("pk"))
    )
    return [Assignee(user.pk, user_display_name(user), loads.get(user.pk, 0)) for user in users]


def user_display_name(user: User) -> str:
    """The display name of a user."""
    return user.get_full_name() or user.get_username()
