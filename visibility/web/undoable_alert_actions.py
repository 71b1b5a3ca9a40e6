"""The latest alert action of a session, stored so that it can be undone."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.http import HttpRequest

from visibility.alerts import actions
from visibility.models import Alert
from visibility.models.alerts import ReplacedAlertState
from visibility.web.permissions import signed_in_user

SESSION_KEY = "alert_undo"
UNDOABLE_ACTIONS = frozenset({"acknowledge", "assign", "snooze", "escalate", "resolve"})
# Pages offer it for 10 seconds; a user who needs longer to reach the button still succeeds.
MAX_AGE = timedelta(minutes=5)
TIMES = frozenset({"acknowledged_at", "snoozed_until", "resolved_at"})


class UndoExpired(ValueError):
    """The action is not the latest one of this session, or too old."""


@dataclass(frozen=True, slots=True)
class UndoableAction:
    """An action with what it replaced, by alert."""

    action: str
    replaced: Sequence[tuple[int, ReplacedAlertState]]


def remember_action(
    request: HttpRequest,
    action: str,
    changed: Sequence[tuple[int, ReplacedAlertState | None]],
    *,
    now: datetime,
) -> bool:
    """Store what an action replaced, in place of the action before; False if it has no undo."""
    replaced = [(pk, state) for pk, state in changed if state is not None]
    if action not in UNDOABLE_ACTIONS or not replaced:
        return False
    request.session[SESSION_KEY] = {
        "token": secrets.token_urlsafe(12),
        "action": action,
        "at": now.isoformat(),
        "alerts": [[pk, state.entry_id, state_to_json(state)] for pk, state in replaced],
    }
    return True


def take_remembered_action(request: HttpRequest, *, now: datetime) -> UndoableAction:
    """Take the action that the form names out of the session. Raises UndoExpired."""
    stored = request.session.get(SESSION_KEY)
    if not stored or request.POST.get("token") != stored["token"]:
        raise UndoExpired
    del request.session[SESSION_KEY]
    if now - datetime.fromisoformat(stored["at"]) > MAX_AGE:
        raise UndoExpired
    return UndoableAction(
        stored["action"],
        [
            (pk, ReplacedAlertState(entry_id, state_from_json(values)))
            for pk, entry_id, values in stored["alerts"]
        ],
    )


def undo(
    request: HttpRequest, remembered: UndoableAction, *, now: datetime
) -> tuple[list[Alert], list[tuple[int, str]]]:
    """Undo an action; the alerts restored, and the others with the reason."""
    done, refused = [], []
    for pk, state in remembered.replaced:
        try:
            done.append(actions.undo(pk, replaced=state, by=signed_in_user(request), now=now))
        except actions.ActionRejected as error:
            refused.append((pk, str(error)))
    return done, refused


def state_to_json(state: ReplacedAlertState) -> dict[str, Any]:
    """The columns for a session."""
    return {n: v.isoformat() if n in TIMES and v else v for n, v in state.values.items()}


def state_from_json(values: dict[str, Any]) -> dict[str, Any]:
    """The columns from a session."""
    return {n: datetime.fromisoformat(v) if n in TIMES and v else v for n, v in values.items()}
