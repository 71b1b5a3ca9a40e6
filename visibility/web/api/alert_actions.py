"""Apply an alert action from the validated fields of an API request body."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import User

from visibility.alerts import actions as stage
from visibility.models import Alert
from visibility.web.api.problems import ConflictError, InvalidInput
from visibility.web.permissions import Permission, has_permission

MAX_SNOOZE = timedelta(days=90)
ACTION_PERMISSIONS: Mapping[str, Permission] = {
    "acknowledge": Permission.ALERTS_MANAGE,
    "assign": Permission.ALERTS_MANAGE,
    "snooze": Permission.ALERTS_MANAGE,
    "resolve": Permission.ALERTS_RESOLVE,
    "note": Permission.ALERTS_NOTE,
}


def validate_action_fields(action: str, fields: dict[str, Any]) -> dict[str, Any]:
    """Check that the fields belong to the action.

    Raises InvalidInput for extra or missing fields.
    """
    own_field = {"assign": "to", "snooze": "until"}.get(action)
    for name in ("to", "until"):
        if name in fields and name != own_field:
            raise InvalidInput(name, f"`{action}` does not take this field")
    if own_field and own_field not in fields:
        raise InvalidInput(own_field, "This field is required.")
    if action in {"resolve", "note"} and not fields["note"].strip():
        raise InvalidInput("note", f"`{action}` requires a note")
    return fields


def apply_api_action(
    action: str, alert_id: int, *, by: User, fields: Mapping[str, Any], now: datetime
) -> Alert:
    """Run the action. Raises Conflict if the alert's state forbids it, Invalid for wrong fields."""
    try:
        return ACTION_HANDLERS[action](alert_id, by, fields, now)
    except stage.ActionRejected as refused:
        raise ConflictError(str(refused)) from refused


def _assign(alert_id: int, by: User, fields: Mapping[str, Any], now: datetime) -> Alert:
    target = fields["to"]
    assignee = by if target == "me" else None
    if assignee is None and target is not None:
        assignee = User.objects.filter(pk=target, is_active=True).first()
        if assignee is None or not has_permission(assignee, Permission.ALERTS_MANAGE):
            raise InvalidInput("to", "no active user with this id may act on alerts")
    return stage.assign(alert_id, by=by, to=assignee, now=now, note=fields["note"])


def _snooze(alert_id: int, by: User, fields: Mapping[str, Any], now: datetime) -> Alert:
    until = fields["until"]
    if not now < until <= now + MAX_SNOOZE:
        raise InvalidInput("until", "must be in the future and at most 90 days ahead")
    return stage.snooze(alert_id, by=by, until=until, now=now, note=fields["note"])


ACTION_HANDLERS: Mapping[str, Callable[[int, User, Mapping[str, Any], datetime], Alert]] = {
    "acknowledge": lambda alert, by, fields, now: stage.acknowledge(
        alert, by=by, now=now, note=fields["note"]
    ),
    "assign": _assign,
    "snooze": _snooze,
    "resolve": lambda alert, by, fields, now: stage.resolve(
        alert, by=by, now=now, note=fields["note"]
    ),
    "note": lambda alert, by, fields, now: stage.add_note(
        alert, by=by, now=now, note=fields["note"]
    ),
}
