"""The actions on alerts that pages and the API offer, with their permissions and checks."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from django.contrib.auth.models import User

from visibility.alerts import actions as stage
from visibility.alerts.actions import ActionRejected
from visibility.alerts.snooze_ends import MAX_SNOOZE, SnoozeEnd
from visibility.db.parse_id_and_time import parse_row_id
from visibility.formatting import in_zone
from visibility.models import Alert
from visibility.storage.organization import organization_time_zone
from visibility.web.mentionable_users import mentionable_users_of_alert
from visibility.web.permissions import Permission, has_permission

MAX_NOTE = 4_000
SNOOZE_PRESETS = {
    "1h": "1 hour",
    "4h": "4 hours",
    "tomorrow": "Tomorrow 08:00",
    SnoozeEnd.NEXT_EVENT.value: "Until the next event of the order",
    SnoozeEnd.CUT_OFF.value: "Until the cut-off of its warehouse and carrier",
    SnoozeEnd.OPENING.value: "Until working hours begin",
    "custom": "Until …",
}


class InvalidActionField(ActionRejected):
    """A value of the request is not possible; the message is a sentence for the user."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True, slots=True)
class ActionFields:
    """The values that an action can take. `owner` is None for nobody."""

    note: str = ""
    owner: User | None = None
    until: datetime | SnoozeEnd | None = None


@dataclass(frozen=True, slots=True)
class AlertActionDefinition:
    """An alert action: its permission, its success message, its field and its handler."""

    permission: Permission
    success_message: str
    handler: Callable[[int, User, ActionFields, datetime], Alert]
    own_field: str | None = None
    note_prompt: str | None = None  # what to say if the note is missing; None: it is optional


def apply_alert_action(
    name: str, alert_id: int, *, by: User, fields: ActionFields, now: datetime
) -> Alert:
    """Run an action of ALERT_ACTIONS. Raises ActionRejected, InvalidActionField."""
    require_note_unless_optional(name, fields.note)
    return ALERT_ACTIONS[name].handler(alert_id, by, fields, now)


def require_note_unless_optional(action: str, note: str) -> None:
    """Raises InvalidActionField if the action needs a note and there is none."""
    prompt = ALERT_ACTIONS[action].note_prompt
    if prompt and not note.strip():
        raise InvalidActionField("note", prompt)


def require_assignable(user: User | None) -> User:
    """The user, if active and allowed to act on alerts. Raises InvalidActionField."""
    if user is None or not user.is_active or not has_permission(user, Permission.ALERTS_MANAGE):
        raise InvalidActionField(
            "to", "Choose an owner. It must be an active user who may act on alerts."
        )
    return user


def read_form(form: Mapping[str, str], *, by: User, now: datetime, action: str) -> ActionFields:
    """The fields of an action from a submitted form. Raises InvalidActionField."""
    own_field = ALERT_ACTIONS[action].own_field
    return ActionFields(
        note=form.get("note", "").strip()[:MAX_NOTE],
        owner=_parse_me_nobody_or_user_id(form.get("to", ""), by) if own_field == "to" else None,
        until=_parse_until(form, now=now) if own_field == "until" else None,
    )


def _parse_until(form: Mapping[str, str], *, now: datetime) -> datetime | SnoozeEnd:
    """Raises InvalidActionField."""
    choice = form.get("until", "")
    if choice in set(SnoozeEnd):
        return SnoozeEnd(choice)
    return snooze_end(choice, form.get("at", ""), now=now)


def _parse_me_nobody_or_user_id(choice: str, by: User) -> User | None:
    """The user for `me`, `nobody` or the id of a user who may act on alerts."""
    if choice == "nobody":
        return None
    key = parse_row_id(choice) or 0
    return by if choice == "me" else require_assignable(User.objects.filter(pk=key).first())


def snooze_end(preset: str, at: str, *, now: datetime) -> datetime:
    """When a snooze ends; `at` is a local time of the organization. Raises InvalidActionField."""
    if preset in {"1h", "4h"}:
        return now + timedelta(hours=int(preset[0]))
    if preset == "tomorrow":
        day = in_zone(now, organization_time_zone()) + timedelta(days=1)
        return day.replace(hour=8, minute=0, second=0, microsecond=0)
    try:
        end = (
            datetime.fromisoformat(at)
            .replace(tzinfo=ZoneInfo(organization_time_zone()))
            .astimezone(UTC)
        )
    except (ValueError, OverflowError):
        raise InvalidActionField("until", "Choose when the snooze ends.") from None
    return require_valid_snooze(end, now=now)


def require_valid_snooze(until: datetime, *, now: datetime) -> datetime:
    """The end of a snooze, if in the future and near enough. Raises InvalidActionField."""
    if until <= now:
        raise InvalidActionField("until", "A snooze must end in the future.")
    if until - now > MAX_SNOOZE:
        raise InvalidActionField("until", "A snooze can last at most 90 days.")
    return until


def _snooze(alert_id: int, by: User, fields: ActionFields, now: datetime) -> Alert:
    assert fields.until is not None
    until = fields.until
    if not isinstance(until, SnoozeEnd):
        until = require_valid_snooze(until, now=now)
    return stage.snooze(alert_id, by=by, until=until, now=now, note=fields.note)


def _add_note(alert_id: int, by: User, fields: ActionFields, now: datetime) -> Alert:
    mentionable = mentionable_users_of_alert(alert_id) if "@" in fields.note else ()
    return stage.add_note(alert_id, by=by, now=now, note=fields.note, mentionable=mentionable)


ALERT_ACTIONS: Mapping[str, AlertActionDefinition] = {
    "acknowledge": AlertActionDefinition(
        Permission.ALERTS_MANAGE,
        "Acknowledged",
        lambda alert, by, fields, now: stage.acknowledge(alert, by=by, now=now, note=fields.note),
    ),
    "assign": AlertActionDefinition(
        Permission.ALERTS_MANAGE,
        "Assigned",
        lambda alert, by, fields, now: stage.assign(
            alert, by=by, to=fields.owner, now=now, note=fields.note
        ),
        own_field="to",
    ),
    "snooze": AlertActionDefinition(
        Permission.ALERTS_MANAGE, "Snoozed", _snooze, own_field="until"
    ),
    "escalate": AlertActionDefinition(
        Permission.ALERTS_MANAGE,
        "Escalated",
        lambda alert, by, fields, now: stage.escalate(alert, by=by, now=now, note=fields.note),
        note_prompt="Enter a reason. Escalating an alert requires a note.",
    ),
    "note": AlertActionDefinition(
        Permission.ALERTS_NOTE,
        "Note added",
        _add_note,
        note_prompt="Enter a note.",
    ),
    "resolve": AlertActionDefinition(
        Permission.ALERTS_RESOLVE,
        "Resolved",
        lambda alert, by, fields, now: stage.resolve(alert, by=by, now=now, note=fields.note),
        note_prompt="Enter the cause. Resolving an alert requires a note.",
    ),
}
