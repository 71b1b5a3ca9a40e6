"""The alert inbox: its views, their counts, one page of rows, one alert in full."""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any

from django.contrib.auth.models import User
from django.db.models import Case, Count, F, IntegerField, Min, Q, QuerySet, Value, When
from django.db.models.functions import Coalesce

from visibility.formatting import midnight
from visibility.models import STANDING, Alert, AlertState, Severity, SlaClock, SlaRule

PAGE = 50
RANK = {severity.value: rank for rank, severity in enumerate(reversed(list(Severity)))}
IN_HAND = (AlertState.OPEN, AlertState.ACKNOWLEDGED)
OVER = (AlertState.RESOLVED, AlertState.WITHDRAWN)


class View(StrEnum):
    """The inbox's views; each alert that stands is in at least one of them."""

    MINE = "mine"
    TEAM = "team"
    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    SNOOZED = "snoozed"
    HELD = "held"
    RESOLVED = "resolved"


VIEW_TITLES = {
    View.MINE: "Mine",
    View.TEAM: "Unowned",
    View.OPEN: "All open",
    View.ACKNOWLEDGED: "Acknowledged",
    View.SNOOZED: "Snoozed",
    View.HELD: "Held, feed silent",
    View.RESOLVED: "Resolved today",
}


class Sort(StrEnum):
    """What stands on top."""

    WORST = "worst"
    MONEY = "money"
    NEWEST = "newest"


SORT_TITLES = {
    Sort.WORST: "Worst first",
    Sort.MONEY: "Most money first",
    Sort.NEWEST: "Newest first",
}
# The last key is the id: no two rows share a place. "-" means descending.
KEYS = {
    Sort.WORST: ("rank", "due_at", "id"),
    Sort.MONEY: ("-worth", "due_at", "id"),
    Sort.NEWEST: ("-opened_at", "-id"),
}
ROW = ("rule", "source", "owner", "acknowledged_by", "order__order")
RESOLVED_KEYS = ("-resolved_at", "-id")


class BadCursor(ValueError):
    """The place in the list is not one this list gave out."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which alerts: the view, the filters, and whose eyes look."""

    person: int
    view: View = View.OPEN
    severity: str = ""
    rule: str = ""
    team: str = ""
    sort: Sort = Sort.WORST
    # Integrators see the alerts of sources only; the others do not exist for them.
    sources_only: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """One page, and where the next begins ("" on the last)."""

    alerts: Sequence[Alert]
    next: str


@dataclass(frozen=True, slots=True)
class Quiet:
    """What an empty inbox says: the last breach, the clocks that run, the next one due."""

    last_breach_at: datetime | None = None
    running: int = 0
    next_due_at: datetime | None = None
    next_rule: str = ""


@dataclass(frozen=True, slots=True)
class Choices:
    """What the filters offer."""

    rules: Sequence[SlaRule] = field(default_factory=list)
    teams: Sequence[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who may own an alert, and how many they own now."""

    id: int
    name: str
    load: int


def visible(*, sources_only: bool) -> QuerySet[Alert]:
    """The alerts that exist for these eyes."""
    alerts = Alert.objects.all()
    return alerts.filter(source__isnull=False) if sources_only else alerts


def in_view(view: View, *, person: int, now: datetime) -> Q:
    """What belongs to a view."""
    return {
        View.MINE: Q(owner=person, state__in=IN_HAND),
        View.TEAM: Q(owner=None, state=AlertState.OPEN),
        View.OPEN: Q(state=AlertState.OPEN),
        View.ACKNOWLEDGED: Q(state=AlertState.ACKNOWLEDGED),
        View.SNOOZED: Q(state=AlertState.SNOOZED),
        View.HELD: Q(state=AlertState.HELD),
        View.RESOLVED: Q(state__in=OVER, resolved_at__gte=midnight(now)),
    }[view]


def filtered(wanted: Wanted) -> QuerySet[Alert]:
    """The filters without the view."""
    alerts = visible(sources_only=wanted.sources_only)
    if wanted.severity:
        alerts = alerts.filter(severity=wanted.severity)
    if wanted.rule:
        alerts = alerts.filter(rule__code=wanted.rule)
    if wanted.team:
        alerts = alerts.filter(team=wanted.team)
    return alerts


def counts(wanted: Wanted, now: datetime) -> dict[View, int]:
    """How many alerts each view holds under the same filters; two statements."""
    alerts = filtered(wanted)
    views = [view for view in View if view is not View.RESOLVED]
    found = alerts.filter(state__in=STANDING).aggregate(
        **{
            view.value: Count("pk", filter=in_view(view, person=wanted.person, now=now))
            for view in views
        }
    )
    resolved = alerts.filter(in_view(View.RESOLVED, person=wanted.person, now=now)).count()
    return {view: found.get(view.value, resolved) for view in View}


def page(wanted: Wanted, *, now: datetime, after: str = "", limit: int = PAGE) -> Page:
    """One page of the view, best first, with what a row shows; one statement. Raises BadCursor."""
    keys = RESOLVED_KEYS if wanted.view is View.RESOLVED else KEYS[wanted.sort]
    alerts = (
        filtered(wanted)
        .filter(in_view(wanted.view, person=wanted.person, now=now))
        .select_related(*ROW)
        .annotate(
            rank=Case(
                *(When(severity=name, then=Value(rank)) for name, rank in RANK.items()),
                default=Value(len(RANK)),
                output_field=IntegerField(),
            ),
            worth=Coalesce(F("money"), Value(Decimal(0))),
        )
        .order_by(*keys)
    )
    if after:
        alerts = alerts.filter(_beyond(keys, _read(after, keys)))
    rows = list(alerts[: limit + 1])
    more = len(rows) > limit
    return Page(rows[:limit], _place(rows[limit - 1], keys) if more else "")


def rows(wanted: Wanted, ids: Sequence[int]) -> list[Alert]:
    """These alerts, whatever view they are in now: what a page shows may have moved on."""
    alerts = visible(sources_only=wanted.sources_only).select_related(*ROW)
    return list(alerts.filter(pk__in=ids).order_by("pk")[:100])


def matching(wanted: Wanted, *, now: datetime, limit: int) -> list[int]:
    """The ids of all that match, up to a limit, the longest overdue first."""
    alerts = filtered(wanted).filter(in_view(wanted.view, person=wanted.person, now=now))
    return list(alerts.order_by("due_at", "pk").values_list("pk", flat=True)[:limit])


def _beyond(keys: Sequence[str], values: Sequence[Any]) -> Q:
    """Rows that come after a place, keys compared one after the other."""
    beyond, same = Q(), Q()
    for key, value in zip(keys, values, strict=True):
        name, operator = key.removeprefix("-"), "lt" if key.startswith("-") else "gt"
        beyond |= same & Q(**{f"{name}__{operator}": value})
        same &= Q(**{name: value})
    return beyond


def _place(alert: Alert, keys: Sequence[str]) -> str:
    values = [getattr(alert, key.removeprefix("-")) for key in keys]
    texts = [v.isoformat() if isinstance(v, datetime) else str(v) for v in values]
    return base64.urlsafe_b64encode(json.dumps(texts).encode()).decode().rstrip("=")


def _read(place: str, keys: Sequence[str]) -> list[Any]:
    try:
        texts = json.loads(base64.urlsafe_b64decode(place + "=" * (-len(place) % 4)))
        if not isinstance(texts, list) or len(texts) != len(keys):
            raise BadCursor
        return [_value(key.removeprefix("-"), text) for key, text in zip(keys, texts, strict=True)]
    except (ValueError, TypeError, AttributeError, InvalidOperation) as error:
        raise BadCursor(place) from error


def _value(name: str, text: str) -> Any:
    if name.endswith("_at"):
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise BadCursor
        return moment
    if name == "worth":
        number = Decimal(text)
        if not number.is_finite() or abs(number.adjusted()) > 24:
            raise BadCursor
        return number
    whole = int(text)
    if abs(whole) >= 2**63:
        raise BadCursor
    return whole


def quiet(now: datetime, *, sources_only: bool) -> Quiet:
    """What to say while nothing is open; three statements."""
    last = visible(sources_only=sources_only).order_by("-opened_at").first()
    running = SlaClock.objects.filter(state="running", stopped_at=None, due_at__gt=now)
    many = running.aggregate(many=Count("pk"), due=Min("due_at"))
    following = running.select_related("rule").order_by("due_at").first() if many["many"] else None
    return Quiet(
        last_breach_at=last.opened_at if last else None,
        running=many["many"],
        next_due_at=many["due"],
        next_rule=following.rule.title if following else "",
    )


def choices() -> Choices:
    """The rules and teams there are; one statement."""
    rules = list(SlaRule.objects.order_by("title")[:200])
    return Choices(rules, sorted({rule.team for rule in rules if rule.team}))


def people(roles: Sequence[str]) -> list[Person]:
    """Whom an alert may be given to, with how many they have; two statements."""
    found = (
        User.objects.filter(Q(groups__name__in=roles) | Q(is_superuser=True), is_active=True)
        .distinct()
        .order_by("first_name", "username")[:200]
    )
    loads = dict(
        Alert.objects.filter(owner__isnull=False, state__in=IN_HAND)
        .values_list("owner")
        .annotate(many=Count("pk"))
    )
    return [Person(user.pk, name(user), loads.get(user.pk, 0)) for user in found]


def name(user: User) -> str:
    """How a person is called on the screens."""
    return user.get_full_name() or user.get_username()
