"""Which alerts a form selects, and an action on many of them that comes in several requests."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from django.http import HttpRequest, QueryDict

from visibility.db.parse_id_and_time import parse_row_id
from visibility.models import Alert
from visibility.models.alerts import ReplacedAlertState
from visibility.screens.alerts import inbox
from visibility.screens.alerts.grouping import grouping_of_key
from visibility.screens.alerts.inbox import InboxQuery
from visibility.web.undoable_alert_actions import state_from_json, state_to_json

MAX_SELECTED = 5_000
# As many as a page shows; each takes a statement.
MAX_GROUPS = 100
SESSION_KEY = "alert_batch"


@dataclass
class BulkResult:
    """What an action did: the alerts changed, those that reopened, and those refused with why."""

    done: list[tuple[int, ReplacedAlertState | None]] = field(default_factory=list)
    reopened: int = 0
    refused: list[tuple[int, str]] = field(default_factory=list)


def selected_alert_ids(query: InboxQuery, form: QueryDict, *, now: datetime) -> list[int]:
    """The ids of the selected alerts, the longest overdue first, at most `MAX_SELECTED`.

    `ids` are ids of alerts and keys of at most `MAX_GROUPS` groups; a group means its alerts that
    match the view and the filters now. `all`: all that match.
    """
    if form.get("all"):
        return inbox.list_matching_alert_ids(query, now=now, limit=MAX_SELECTED)
    chosen = list(dict.fromkeys(form.getlist("ids")[:MAX_SELECTED]))
    selected: dict[int, None] = {}
    for key in [value for value in chosen if grouping_of_key(value)][:MAX_GROUPS]:
        if len(selected) >= MAX_SELECTED:
            break
        group = replace(query, group=key)
        selected |= dict.fromkeys(inbox.list_matching_alert_ids(group, now=now, limit=MAX_SELECTED))
    ids = list(filter(None, map(parse_row_id, chosen)))
    if ids and len(selected) < MAX_SELECTED:
        seen = inbox.visible_alerts(sources_only=query.sources_only).filter(pk__in=ids)
        selected |= dict.fromkeys(seen.order_by("due_at", "pk").values_list("pk", flat=True))
    return list(selected)[:MAX_SELECTED]


def continue_batch(request: HttpRequest, batch: str, result: BulkResult) -> BulkResult:
    """The result with those of the earlier requests of the same batch."""
    stored = request.session.get(SESSION_KEY)
    if not batch or not stored or stored["batch"] != batch:
        return result
    del request.session[SESSION_KEY]
    return BulkResult(
        done=[
            (pk, ReplacedAlertState(entry_id, state_from_json(values)) if entry_id else None)
            for pk, entry_id, values in stored["done"]
        ]
        + result.done,
        reopened=stored["reopened"] + result.reopened,
        refused=[(pk, why) for pk, why in stored["refused"]] + result.refused,
    )


def store_batch(request: HttpRequest, batch: str, result: BulkResult) -> None:
    """Keep the result for the next request of the batch."""
    request.session[SESSION_KEY] = {
        "batch": batch,
        "done": [
            [pk, state.entry_id if state else 0, state_to_json(state) if state else {}]
            for pk, state in result.done
        ],
        "reopened": result.reopened,
        "refused": result.refused,
    }


def replaced_states(alerts: Sequence[Alert]) -> list[tuple[int, ReplacedAlertState | None]]:
    """The alerts with what the action replaced, for an undo."""
    return [(alert.pk, alert.replaced) for alert in alerts]
