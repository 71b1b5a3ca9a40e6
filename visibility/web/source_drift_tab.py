"""The tab of a source with the changes of its messages: their versions and their fields."""

from datetime import datetime
from typing import Any

from django.http import HttpRequest

from connectors.sdk.sender_versions import VersionStatus
from visibility.models import FieldChangeKind, Source
from visibility.screens.relative_and_absolute_time import displayed_time
from visibility.screens.sources.field_drift import load_field_drift, load_open_field_changes
from visibility.storage.sent_versions import VersionInUse, load_versions_in_use
from visibility.web.permissions import Permission, has_permission

# The label and the tone of each change of a field, and of each version.
FIELD_CHANGE_LABELS = {
    FieldChangeKind.RETYPED: ("Type changed", "late"),
    FieldChangeKind.MISSING: ("Missing", "late"),
    FieldChangeKind.APPEARED: ("New", "waiting"),
}
VERSION_LABELS = {
    VersionStatus.SUPPORTED: ("Supported", "ok"),
    VersionStatus.DEPRECATED: ("Deprecated", "waiting"),
    VersionStatus.UNSUPPORTED: ("Not supported", "late"),
    VersionStatus.UNDECLARED: ("Recorded", "unknown"),
}


def drift_context(request: HttpRequest, source: Source, now: datetime) -> dict[str, Any]:
    """What the tab shows. Five statements."""
    open_changes = [
        (
            change,
            *FIELD_CHANGE_LABELS[FieldChangeKind(change.change)],
            displayed_time(change.seen_at, now),
        )
        for change in sorted(load_open_field_changes(source), key=lambda each: not each.is_read)
    ]
    drifts = []
    for drift in load_field_drift(source, now):
        of_kinds = (
            (FieldChangeKind.RETYPED, drift.retyped),
            (FieldChangeKind.MISSING, drift.missing),
            (FieldChangeKind.APPEARED, drift.appeared),
        )
        changes = [
            (change, *FIELD_CHANGE_LABELS[kind], displayed_time(change.at, now))
            for kind, of_kind in of_kinds
            for change in of_kind
        ]
        drifts.append((drift, displayed_time(drift.sampled_since, now), changes))
    in_use = load_versions_in_use([source], now).get(source.pk, [])
    return {
        "drifts": drifts,
        "open_changes": open_changes,
        "versions": [_version(each, now) for each in in_use],
        "may_edit": has_permission(request.user, Permission.SOURCES_EDIT),
        "newest_change": max((change.pk for change, *_ in open_changes), default=0),
    }


def _version(in_use: VersionInUse, now: datetime) -> dict[str, Any]:
    label, tone = VERSION_LABELS[in_use.status]
    return {
        "sent": in_use.sent,
        "label": f"{label}, parked" if in_use.is_parked else label,
        "tone": tone,
        "ends_on": in_use.ends_on,
        "has_ended": in_use.ends_on is not None and in_use.ends_on <= now.date(),
        "at": displayed_time(in_use.sent.last_seen_at, now),
        "first_at": displayed_time(in_use.sent.first_seen_at, now),
    }
