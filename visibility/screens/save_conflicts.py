"""What somebody else saved in a form while a person edited it: the same for every form.

A form shows a version, or a fingerprint of the values that it was opened with. If what is stored is
another one when the form is saved, nothing is written: the page shows both, and the person keeps
their own values (the form is sent again with the new version) or takes the stored ones.
"""

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import User
from django.db.models import Q

from visibility.models.audit import AuditEntry
from visibility.screens.relative_and_absolute_time import IsoRelativeAndAbsoluteTime, displayed_time

# The name of the hidden input with the fingerprint.
SEEN = "seen"
# For forms with a secret, which no page shows.
NOT_SHOWN_NOTE = (
    "A secret that you entered is not shown: enter it again before you keep your values."
)


@dataclass(frozen=True, slots=True)
class SaveConflict:
    """Who saved what. `differences`: (label, your value, their value).

    `form_id`: the form that is sent to save your values, with the button `button` if it has one.
    `reload_url` shows theirs. `note`: what to do before.
    """

    who: str
    at: IsoRelativeAndAbsoluteTime | None
    differences: tuple[tuple[str, str, str], ...]
    form_id: str
    reload_url: str
    button: str = ""
    note: str = ""


def fingerprint_of_values(values: Mapping[str, str]) -> str:
    """A short text that differs if one of the values differs."""
    text = json.dumps(sorted(values.items()), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def has_changed_since(seen: str, stored: Mapping[str, str]) -> bool:
    """Whether the values are others than those that the form was opened with, if it says which."""
    return bool(seen) and seen != fingerprint_of_values(stored)


def build_save_conflict(
    stored: Mapping[str, str],
    entered: Mapping[str, str],
    *,
    by: User | None,
    at: datetime | None,
    now: datetime,
    form_id: str,
    reload_url: str,
    button: str = "",
    note: str = "",
) -> SaveConflict:
    """Compare the values by label, in the order of the stored ones."""
    labels = dict.fromkeys([*stored, *entered])
    pairs = ((label, entered.get(label, "").strip(), stored.get(label, "")) for label in labels)
    return SaveConflict(
        who=(by.get_full_name() or by.get_username()) if by else "The command line",
        at=displayed_time(at, now),
        differences=tuple(pair for pair in pairs if pair[1] != pair[2].strip()),
        form_id=form_id,
        reload_url=reload_url,
        button=button,
        note=note,
    )


def latest_change(of: str, *actions: str) -> AuditEntry | None:
    """The latest entry of the audit log with one of these actions on an object."""
    return latest_change_of(*((action, [of]) for action in actions))


def latest_change_of(*changes: tuple[str, Collection[str]]) -> AuditEntry | None:
    """The latest entry with one of these actions on one of its objects."""
    wanted = Q(pk__in=())
    for action, objects in changes:
        wanted |= Q(action=action, object__in=objects)
    return AuditEntry.objects.filter(wanted).select_related("user").order_by("-pk").first()


def conflict_with_latest_entry(
    stored: Mapping[str, str],
    entered: Mapping[str, str],
    latest: AuditEntry | None,
    *,
    now: datetime,
    form_id: str,
    reload_url: str,
    note: str = "",
) -> SaveConflict:
    """The conflict with the change that the latest entry of the audit log records."""
    return build_save_conflict(
        stored,
        entered,
        by=latest.user if latest else None,
        at=latest.at if latest else None,
        now=now,
        form_id=form_id,
        reload_url=reload_url,
        note=note,
    )
