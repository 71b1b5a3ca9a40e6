"""What people do with alerts: the fields of a body into the stage's call."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import User

from visibility.alerts import actions as stage
from visibility.models import Alert
from visibility.web.api.problems import Conflict, Invalid
from visibility.web.permissions import Right, may

LONGEST = timedelta(days=90)
RIGHTS: Mapping[str, Right] = {
    "acknowledge": Right.ALERTS_ACT,
    "assign": Right.ALERTS_ACT,
    "snooze": Right.ALERTS_ACT,
    "resolve": Right.ALERTS_RESOLVE,
    "note": Right.ALERTS_NOTE,
}


def only(what: str, fields: dict[str, Any]) -> dict[str, Any]:
    """The fields that belong to the act. Raises Invalid for others and for missing ones."""
    own = {"assign": "to", "snooze": "until"}.get(what)
    for name in ("to", "until"):
        if name in fields and name != own:
            raise Invalid(name, f"{what} has no such field")
    if own and own not in fields:
        raise Invalid(own, "this field is required")
    if what in {"resolve", "note"} and not fields["note"].strip():
        raise Invalid("note", f"{what} needs one")
    return fields


def perform(
    what: str, alert_id: int, *, by: User, fields: Mapping[str, Any], now: datetime
) -> Alert:
    """Do it. Raises Conflict where the alert does not stand so, Invalid for wrong fields."""
    try:
        return DOING[what](alert_id, by, fields, now)
    except stage.Refused as refused:
        raise Conflict(str(refused)) from refused


def _assign(alert_id: int, by: User, fields: Mapping[str, Any], now: datetime) -> Alert:
    wish = fields["to"]
    to = by if wish == "me" else None
    if to is None and wish is not None:
        to = User.objects.filter(pk=wish, is_active=True).first()
        if to is None or not may(to, Right.ALERTS_ACT):
            raise Invalid("to", "nobody who may act on alerts has this id")
    return stage.assign(alert_id, by=by, to=to, now=now, note=fields["note"])


def _snooze(alert_id: int, by: User, fields: Mapping[str, Any], now: datetime) -> Alert:
    until = fields["until"]
    if not now < until <= now + LONGEST:
        raise Invalid("until", "a moment ahead, at most 90 days")
    return stage.snooze(alert_id, by=by, until=until, now=now, note=fields["note"])


DOING: Mapping[str, Callable[[int, User, Mapping[str, Any], datetime], Alert]] = {
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
