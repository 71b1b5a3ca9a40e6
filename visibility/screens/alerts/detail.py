"""One alert in full: why it fired, what would close it, what was done and who was told."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count

from visibility.formatting import clock as words
from visibility.formatting import span
from visibility.models import (
    STANDING,
    Alert,
    AlertEntry,
    Event,
    EventObject,
    FailedClock,
    Notification,
    Order,
    SlaClock,
    Source,
)
from visibility.models.alerts import WORD
from visibility.screens.alerts.inbox import OVER, visible

HISTORY = 200
SIMILAR = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Picture:
    """The clock as a bar: `due` and `rest` are shares (0..100) before and after the due time."""

    due: float
    rest: float
    started: str
    due_words: str
    end_words: str
    end_label: str
    over: str


@dataclass(frozen=True, slots=True)
class Similar:
    """How the same rule's other alerts of the last 90 days ended."""

    total: int
    standing: int
    resolved: int
    withdrawn: int


@dataclass(frozen=True, slots=True)
class Detail:
    """Everything the page shows."""

    alert: Alert
    order: Order | None
    clock: SlaClock | None
    why: str
    closes: str
    picture: Picture
    history: Sequence[AlertEntry]
    told: Sequence[Notification]
    last_events: Sequence[Event]
    similar: Similar | None

    @property
    def word(self) -> str:
        """The word of a source that nobody has mapped, where the alert is about one."""
        about = self.alert.obligation
        return about.removeprefix(WORD) if self.alert.source_id and about.startswith(WORD) else ""


def detail(alert_id: int, *, now: datetime, sources_only: bool) -> Detail | None:
    """The alert, or None where it does not exist for these eyes; nine statements at most."""
    alert = (
        visible(sources_only=sources_only)
        .select_related("rule__calendar", "source", "owner", "acknowledged_by", "order__order")
        .filter(pk=alert_id)
        .first()
    )
    if alert is None:
        return None
    clock = None
    if alert.order_id and alert.rule_id:
        clock = SlaClock.objects.filter(
            order=alert.order_id, rule=alert.rule_id, obligation=alert.obligation
        ).first()
    awaited = _awaited(clock)
    failed = _failed(alert) if clock is None else ""
    return Detail(
        alert=alert,
        order=getattr(alert.order, "order", None),
        clock=clock,
        why=failed or _why(alert, clock, awaited, now),
        closes=_closes(alert, "" if failed else awaited),
        picture=_picture(alert, clock, now),
        history=list(alert.entries.select_related("who").order_by("-at", "-pk")[:HISTORY]),
        told=list(
            Notification.objects.filter(alert=alert)
            .select_related("subscription__user")
            .order_by("-pk")[:HISTORY]
        ),
        last_events=_last_events(alert),
        similar=_similar(alert, now),
    )


def _awaited(clock: SlaClock | None) -> str:
    """Whose word would stop the clock."""
    slugs = clock.waits_for.split() if clock else []
    titles = list(Source.objects.filter(slug__in=slugs).values_list("title", flat=True)[:5])
    return " or ".join(sorted(titles))


def _failed(alert: Alert) -> str:
    """Why nobody knows how it stands, where the rule cannot be worked out any more."""
    found = FailedClock.objects.filter(order=alert.order_id, rule=alert.rule_id).first()
    if found is None or alert.state not in STANDING:
        return ""
    return (
        f"It was due {words(alert.due_at)}. How it stands now is not known, as the rule fails: "
        f"{found.error} The alert stays as it is until that is corrected."
    )


def _why(alert: Alert, clock: SlaClock | None, awaited: str, now: datetime) -> str:
    """The rule's sentence with this case's values."""
    if alert.source and alert.obligation.startswith(WORD):
        return (
            f"“{alert.obligation.removeprefix(WORD)}” is none of our words for what happens, first "
            f"heard from {alert.source.title} {words(alert.started_at)}. What it says is kept and "
            "stands on its orders' timelines, and counts for nothing until somebody maps it."
        )
    if alert.source:
        return (
            f"Nothing has come from {alert.source.title} since {words(alert.started_at)}. By its "
            f"own rhythm it should have spoken by {words(alert.due_at)}."
        )
    opening = f"The clock started {words(alert.started_at)}"
    if alert.rule:
        opening += f" and counts the hours of “{alert.rule.calendar.title}”"
    due = f"{f'word from {awaited}' if awaited else 'the next step'} was due {words(alert.due_at)}"
    came = clock.stopped_at if clock else None
    if came and came <= alert.due_at:
        return f"{opening}; {due} and came in time, {words(came)}: it was only heard of late."
    if came:
        return f"{opening}; {due} and came {words(came)}, {span(came - alert.due_at)} late."
    return f"{opening}; {due} and has not come: {span(now - alert.due_at)} over."


def _closes(alert: Alert, awaited: str) -> str:
    if alert.state not in STANDING:
        return ""
    if alert.source and alert.obligation.startswith(WORD):
        return "It closes by itself once the word is mapped, or set aside, on the Mappings page."
    if alert.source:
        return f"It closes by itself with the next message from {alert.source.title}."
    return (
        f"It closes by itself when {awaited or 'the system concerned'} reports the step: as "
        f"withdrawn if it happened by {words(alert.due_at)}, as resolved if it happened later."
    )


def _picture(alert: Alert, clock: SlaClock | None, now: datetime) -> Picture:
    stopped = (clock.stopped_at if clock else None) or alert.resolved_at
    end = max(stopped or now, alert.started_at)
    whole = max((max(end, alert.due_at) - alert.started_at).total_seconds(), 1.0)
    due = round(100 * max((alert.due_at - alert.started_at).total_seconds(), 0) / whole, 2)
    return Picture(
        due=due,
        rest=round(100 - due, 2) if end > alert.due_at else 0,
        started=words(alert.started_at),
        due_words=words(alert.due_at),
        end_words=words(end),
        end_label="Stopped" if stopped else "Now",
        over=span(end - alert.due_at) if end > alert.due_at else "",
    )


def _last_events(alert: Alert) -> list[Event]:
    """The last three things heard of the order itself."""
    if not alert.order_id:
        return []
    links = EventObject.objects.filter(object=alert.order_id).order_by("-occurred_at", "-event_id")
    some = list(links.values_list("event_id", "occurred_at")[:3])
    if not some:
        return []
    return list(
        Event.objects.filter(
            pk__in=[number for number, _ in some], occurred_at__in=[at for _, at in some]
        )
        .select_related("source")
        .order_by("-occurred_at", "-pk")
    )


def _similar(alert: Alert, now: datetime) -> Similar | None:
    if alert.rule_id is None:
        return None
    states = dict(
        Alert.objects.filter(rule=alert.rule_id, opened_at__gte=now - SIMILAR)
        .exclude(pk=alert.pk)
        .values_list("state")
        .annotate(many=Count("pk"))
    )
    standing = sum(many for state, many in states.items() if state not in OVER)
    resolved, withdrawn = (states.get(state, 0) for state in OVER)
    total = standing + resolved + withdrawn
    return Similar(total, standing, resolved, withdrawn) if total else None
