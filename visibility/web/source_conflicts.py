"""The values of the two forms of a source, and the conflict if somebody else changed them."""

from collections.abc import Mapping

from visibility.db.database_time import database_now
from visibility.ingest.change_source import SourceProperties
from visibility.models import AuditEntry, Source
from visibility.screens.save_conflicts import SaveConflict, conflict_with_latest_entry
from visibility.screens.sources import settings_form

PROPERTY_LABELS = {
    "title": "Title",
    "poll_seconds": "Seconds between polls",
    "enabled": "Enabled",
    "owner": "Owner",
}


def stored_properties(source: Source) -> dict[str, str]:
    stored = SourceProperties.of_source(source)
    enabled = "yes" if stored.enabled else "no"
    return {
        "title": stored.title,
        "poll_seconds": str(stored.poll_seconds),
        "enabled": enabled,
        "owner": stored.owner,
    }


def settings_by_label(
    source: Source, *, entered: Mapping[str, str] | None = None
) -> dict[str, str]:
    """The settings that the form shows, stored or as entered; no secret is among them."""
    fields = settings_form.setting_fields(source, entered=entered, errors=())
    return {field.title: field.value for field in fields if not field.is_secret}


def properties_by_label(values: Mapping[str, str]) -> dict[str, str]:
    return {PROPERTY_LABELS[name]: text for name, text in values.items()}


def source_conflict(
    source: Source,
    action: str,
    stored: Mapping[str, str],
    entered: Mapping[str, str],
    *,
    form_id: str,
    note: str = "",
) -> SaveConflict:
    entries = AuditEntry.objects.select_related("user").filter(object=source.slug, action=action)
    return conflict_with_latest_entry(
        stored,
        entered,
        entries.order_by("-pk").first(),
        now=database_now(),
        form_id=form_id,
        reload_url=f"/sources/{source.slug}?tab=settings",
        note=note,
    )
