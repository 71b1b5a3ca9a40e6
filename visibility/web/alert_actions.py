"""What a person can do with an alert: the form's words into the stage's call."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib.auth.models import User

from visibility.alerts import actions as stage
from visibility.formatting import local
from visibility.models import Alert
from visibility.web.permissions import MATRIX, Right

NOTE = 4_000
LONGEST = timedelta(days=90)
PRESETS = {
    "1h": "1 hour",
    "4h": "4 hours",
    "tomorrow": "Tomorrow 08:00",
    "custom": "Until …",
}


class BadAct(ValueError):
    """The act cannot be done; the text is a sentence for the person."""


@dataclass(frozen=True, slots=True)
class Act:
    """One act: who may, what is said when it is done, and the doing."""

    right: Right
    done: str
    do: Callable[[int, User, Mapping[str, str], datetime], Alert]


def perform(what: str, alert_id: int, *, by: User, data: Mapping[str, str], now: datetime) -> Alert:
    """Do it. Raises BadAct."""
    try:
        return ACTS[what].do(alert_id, by, data, now)
    except stage.Refused as refused:
        raise BadAct(str(refused)) from refused


def _note(data: Mapping[str, str]) -> str:
    return data.get("note", "").strip()[:NOTE]


def _acknowledge(alert_id: int, by: User, data: Mapping[str, str], now: datetime) -> Alert:
    return stage.acknowledge(alert_id, by=by, now=now, note=_note(data))


def _assign(alert_id: int, by: User, data: Mapping[str, str], now: datetime) -> Alert:
    return stage.assign(
        alert_id, by=by, to=_owner(data.get("to", ""), by), now=now, note=_note(data)
    )


def _owner(wish: str, by: User) -> User | None:
    """`me`, `nobody`, or the number of somebody who may act on alerts."""
    if wish == "me":
        return by
    if wish == "nobody":
        return None
    able = User.objects.filter(is_active=True, pk=int(wish) if wish.isdecimal() else 0)
    found = able.filter(is_superuser=True) | able.filter(groups__name__in=MATRIX[Right.ALERTS_ACT])
    person = found.distinct().first()
    if person is None:
        raise BadAct("Choose who takes it.")
    return person


def _snooze(alert_id: int, by: User, data: Mapping[str, str], now: datetime) -> Alert:
    until = snooze_end(data.get("until", ""), data.get("at", ""), now=now)
    return stage.snooze(alert_id, by=by, until=until, now=now, note=_note(data))


def snooze_end(preset: str, at: str, *, now: datetime) -> datetime:
    """When a snooze ends; `at` is a local time of the organisation. Raises BadAct."""
    if preset in {"1h", "4h"}:
        return now + timedelta(hours=int(preset[0]))
    if preset == "tomorrow":
        day = local(now) + timedelta(days=1)
        return day.replace(hour=8, minute=0, second=0, microsecond=0)
    try:
        end = datetime.fromisoformat(at).replace(tzinfo=ZoneInfo(settings.TIME_ZONE))
        length = end - now
    except (ValueError, OverflowError):
        raise BadAct("Say until when: a snooze always has an end.") from None
    if length > LONGEST:
        raise BadAct("A snooze lasts 90 days at most.")
    return end


def _add_note(alert_id: int, by: User, data: Mapping[str, str], now: datetime) -> Alert:
    return stage.add_note(alert_id, by=by, now=now, note=_note(data))


def _resolve(alert_id: int, by: User, data: Mapping[str, str], now: datetime) -> Alert:
    if not _note(data):
        raise BadAct("Say what the cause was: resolving needs a reason.")
    return stage.resolve(alert_id, by=by, now=now, note=_note(data))


ACTS: Mapping[str, Act] = {
    "acknowledge": Act(Right.ALERTS_ACT, "Acknowledged", _acknowledge),
    "assign": Act(Right.ALERTS_ACT, "Assigned", _assign),
    "snooze": Act(Right.ALERTS_ACT, "Snoozed", _snooze),
    "note": Act(Right.ALERTS_NOTE, "Note added", _add_note),
    "resolve": Act(Right.ALERTS_RESOLVE, "Resolved", _resolve),
}
