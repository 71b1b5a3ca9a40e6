"""Apply an alert action from a submitted form."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib.auth.models import User

from visibility.alerts import actions as stage
from visibility.formatting import in_zone
from visibility.models import Alert
from visibility.web.permissions import ROLE_PERMISSIONS, Permission

MAX_NOTE = 4_000
MAX_SNOOZE = timedelta(days=90)
SNOOZE_PRESETS = {
    "1h": "1 hour",
    "4h": "4 hours",
    "tomorrow": "Tomorrow 08:00",
    "custom": "Until …",
}


class FormRejected(ValueError):
    """The action is not possible; the message is shown to the user."""


@dataclass(frozen=True, slots=True)
class FormAction:
    """An alert action: its permission, its success message and its handler."""

    permission: Permission
    success_message: str
    handler: Callable[[int, User, Mapping[str, str], datetime], Alert]


def apply_form_action(
    action: str, alert_id: int, *, by: User, form: Mapping[str, str], now: datetime
) -> Alert:
    """Run the action. Raises FormRejected."""
    try:
        return FORM_ACTIONS[action].handler(alert_id, by, form, now)
    except stage.ActionRejected as refused:
        raise FormRejected(str(refused)) from refused


def _read_note(data: Mapping[str, str]) -> str:
    return data.get("note", "").strip()[:MAX_NOTE]


def _acknowledge(alert_id: int, by: User, data: Mapping[str, str], now: datetime) -> Alert:
    return stage.acknowledge(alert_id, by=by, now=now, note=_read_note(data))


def _assign(alert_id: int, by: User, data: Mapping[str, str], now: datetime) -> Alert:
    return stage.assign(
        alert_id,
        by=by,
        to=_parse_owner_choice(data.get("to", ""), by),
        now=now,
        note=_read_note(data),
    )


def _parse_owner_choice(choice: str, by: User) -> User | None:
    """The user for `me`, `nobody` or the id of a user who may act on alerts.

    Raises FormRejected.
    """
    if choice == "me":
        return by
    if choice == "nobody":
        return None
    active_users = User.objects.filter(is_active=True, pk=int(choice) if choice.isdecimal() else 0)
    users = active_users.filter(is_superuser=True) | active_users.filter(
        groups__name__in=ROLE_PERMISSIONS[Permission.ALERTS_MANAGE]
    )
    person = users.distinct().first()
    if person is None:
        raise FormRejected("Choose an owner.")
    return person


def _snooze(alert_id: int, by: User, data: Mapping[str, str], now: datetime) -> Alert:
    until = snooze_end(data.get("until", ""), data.get("at", ""), now=now)
    return stage.snooze(alert_id, by=by, until=until, now=now, note=_read_note(data))


def snooze_end(preset: str, at: str, *, now: datetime) -> datetime:
    """When a snooze ends; `at` is a local time of the organization. Raises FormRejected."""
    if preset in {"1h", "4h"}:
        return now + timedelta(hours=int(preset[0]))
    if preset == "tomorrow":
        day = in_zone(now, settings.TIME_ZONE) + timedelta(days=1)
        return day.replace(hour=8, minute=0, second=0, microsecond=0)
    try:
        end = datetime.fromisoformat(at).replace(tzinfo=ZoneInfo(settings.TIME_ZONE))
        length = end - now
    except (ValueError, OverflowError):
        raise FormRejected("Choose when the snooze ends.") from None
    if length > MAX_SNOOZE:
        raise FormRejected("A snooze can last at most 90 days.")
    return end


def _add_note(alert_id: int, by: User, data: Mapping[str, str], now: datetime) -> Alert:
    return stage.add_note(alert_id, by=by, now=now, note=_read_note(data))


def _resolve(alert_id: int, by: User, data: Mapping[str, str], now: datetime) -> Alert:
    if not _read_note(data):
        raise FormRejected("Enter the cause. Resolving an alert requires a note.")
    return stage.resolve(alert_id, by=by, now=now, note=_read_note(data))


FORM_ACTIONS: Mapping[str, FormAction] = {
    "acknowledge": FormAction(Permission.ALERTS_MANAGE, "Acknowledged", _acknowledge),
    "assign": FormAction(Permission.ALERTS_MANAGE, "Assigned", _assign),
    "snooze": FormAction(Permission.ALERTS_MANAGE, "Snoozed", _snooze),
    "note": FormAction(Permission.ALERTS_NOTE, "Note added", _add_note),
    "resolve": FormAction(Permission.ALERTS_RESOLVE, "Resolved", _resolve),
}
