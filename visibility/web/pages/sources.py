"""Pages of sources, and replay of their parked messages."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_GET, require_POST

from connectors.catalog import connectors_by_slug
from connectors.sdk.settings import SettingError
from visibility.db.database_time import database_now
from visibility.formatting import format_duration
from visibility.ingest.add_source_and_rotate_secret import (
    InvalidSource,
    change_settings_and_secret,
)
from visibility.ingest.change_source import change_source, owner_choices
from visibility.ingest.check_new_source import SECRET
from visibility.ingest.check_source_settings import stored_setting_errors
from visibility.ingest.file_drop import DROP_SETTING
from visibility.models import Source
from visibility.outbound.address_guard import CAN_BE_ALLOWED
from visibility.screens.messages import message_queries, parked
from visibility.screens.relative_and_absolute_time import displayed_time
from visibility.screens.save_conflicts import (
    NOT_SHOWN_NOTE,
    SEEN,
    SaveConflict,
    fingerprint_of_values,
    has_changed_since,
)
from visibility.screens.sources import connector_catalog, reading_report, settings_form
from visibility.screens.sources import health as sources
from visibility.web.pages import messages as message_pages
from visibility.web.pages.messages import message_list_context, message_row_context
from visibility.web.pages.source_requests import queue_context
from visibility.web.pages.source_tabs import SETTINGS_TABS, TAB_CONTEXTS, tabs_of_source
from visibility.web.permissions import (
    Permission,
    has_permission,
    require_permission,
    signed_in_user,
)
from visibility.web.source_conflicts import (
    properties_by_label,
    settings_by_label,
    source_conflict,
    stored_properties,
)
from visibility.web.source_lookup import source_or_404


@require_GET
@require_permission(Permission.SOURCES_SEE)
def source_detail(request: HttpRequest, slug: str) -> HttpResponse:
    """`/sources/<slug>`: a tab of the source, by `?tab=`."""
    return _render_source(request, source_or_404(slug), request.GET.get("tab", "overview"))


@require_POST
@require_permission(Permission.SOURCES_EDIT)
@transaction.atomic
def save_settings(request: HttpRequest, slug: str) -> HttpResponse:
    """Save the settings of a source, or show the form again with an error at each field."""
    source = source_or_404(slug, for_update=True)
    posted = {name: text for name, text in request.POST.items() if isinstance(text, str)}
    if has_changed_since(posted.pop(SEEN, ""), settings_by_label(source)):
        conflict = source_conflict(
            source,
            "source.set",
            settings_by_label(source),
            settings_by_label(source, entered=posted),
            form_id="settings-form",
            note=NOT_SHOWN_NOTE,
        )
        return _render_source(
            request, source, "settings", posted=posted, conflict=conflict, status=409
        )
    try:
        if errors := settings_form.new_entry_errors(source, posted):
            raise InvalidSource(errors)
        changes = settings_form.changed_settings(
            source, settings_form.merge_new_family_entries_into_posted(source, posted)
        )
        change_settings_and_secret(
            source,
            changes,
            secret=posted.get(settings_form.NEW_SECRET, "").strip(),
            now=database_now(),
            user=signed_in_user(request),
        )
    except InvalidSource as error:
        return _render_source(
            request, source, "settings", posted=posted, errors=error.errors, status=422
        )
    return HttpResponseRedirect(f"/sources/{source.slug}?tab=settings")


@require_POST
@require_permission(Permission.SOURCES_EDIT)
@transaction.atomic
def save_properties(request: HttpRequest, slug: str) -> HttpResponse:
    """Save the title, the poll interval and the switch, or show the form again with the errors."""
    source = source_or_404(slug, for_update=True)
    entered = {name: request.POST.get(name, "") for name in ("title", "poll_seconds")}
    entered["enabled"] = "yes" if request.POST.get("enabled") else "no"
    if "poll_seconds" not in request.POST:
        del entered["poll_seconds"]
    if "owner" in request.POST:
        entered["owner"] = request.POST["owner"]
    stored = properties_by_label(stored_properties(source))
    if has_changed_since(request.POST.get(SEEN, ""), stored):
        conflict = source_conflict(
            source,
            "source.changed",
            stored,
            properties_by_label(stored_properties(source) | entered),
            form_id="properties-form",
        )
        return _render_source(
            request, source, "settings", properties=entered, conflict=conflict, status=409
        )
    try:
        change_source(source, entered, now=database_now(), user=signed_in_user(request))
    except InvalidSource as error:
        errors = {e.name: e.sentence for e in error.errors}
        return _render_source(
            request, source, "settings", properties=entered, property_errors=errors, status=422
        )
    return HttpResponseRedirect(f"/sources/{source.slug}?tab=settings")


def _render_source(
    request: HttpRequest,
    source: Source,
    tab: str,
    *,
    posted: Mapping[str, str] | None = None,
    errors: Sequence[SettingError] = (),
    properties: Mapping[str, str] | None = None,
    property_errors: Mapping[str, str] | None = None,
    conflict: SaveConflict | None = None,
    status: int = 200,
) -> HttpResponse:
    """Render a tab. `errors` are those of the `posted` settings, which were not saved.

    `properties` and `property_errors`: the same for the title, the poll interval and the switch.
    """
    now = database_now()
    edits = has_permission(request.user, Permission.SOURCES_EDIT)
    tabs = tabs_of_source(source, edits=edits)
    if tab in dict(SETTINGS_TABS) and not edits:
        raise PermissionDenied(Permission.SOURCES_EDIT.value)
    tab = tab if tab in dict(tabs) else "overview"
    health = sources.load_source_health_reports(now, [source])[0]
    stored_errors = stored_setting_errors(source)
    context: dict[str, Any] = {
        "now": now,
        "source": source,
        "health": health,
        "row": _health_row(health, now),
        "tab": tab,
        "tabs": [(code, title, code == tab) for code, title in tabs],
        "may_replay": has_permission(request.user, Permission.PARKED_REPLAY),
        "may_check": edits and has_permission(request.user, Permission.MESSAGE_BODIES),
        "sees_prices": has_permission(request.user, Permission.PRICES),
        "setting_errors": stored_errors,
        "may_allow_address": CAN_BE_ALLOWED in source.poll_error + source.queue_error
        and has_permission(request.user, Permission.ADMINISTER),
        "setting_warnings": settings_form.setting_warnings_of_source(
            source, source.config_or_empty_if_invalid
        ),
        "conflict": conflict,
    }
    if tab == "overview":
        context["balance"] = sources.count_message_outcomes(source)
        context["queue"] = queue_context(source, now)
        rows = message_queries.list_messages(source_id=source.id)
        context["message_rows"] = [message_row_context(row, now) for row in rows[:10]]
    elif tab in TAB_CONTEXTS:
        context |= TAB_CONTEXTS[tab](request, source, now)
    elif tab == "reading":
        context["report"] = reading_report.load_reading_report(source)
    elif tab == "messages":
        context |= message_list_context(
            request, now, source_id=source.id, filters={"tab": "messages"}
        )
    elif tab == "parked":
        context["causes"] = [
            parked_cause_context(cause, now)
            for cause in parked.group_parked_messages_by_cause(source.id)
        ]
    else:
        context |= _webhook_setup_and_config_context(source, now)
        context |= {
            "settings_seen": fingerprint_of_values(settings_by_label(source)),
            "properties_seen": fingerprint_of_values(
                properties_by_label(stored_properties(source))
            ),
            "owners": owner_choices(),
            "properties": properties or stored_properties(source),
            "property_errors": property_errors or {},
        }
        shown_errors = stored_errors if posted is None else errors
        fields = settings_form.setting_fields(source, entered=posted, errors=shown_errors)
        entries = settings_form.new_family_entries(source, entered=posted, errors=shown_errors)
        secret_errors = [e.sentence for e in errors if e.name == SECRET]
        context |= {
            "setting_fields": connector_catalog.group_fields(source.connector, fields),
            "has_entry_errors": any(entry.error for entry in entries),
            "new_entries": entries,
            "secret_input": settings_form.NEW_SECRET,
            "secret_error": " ".join(secret_errors),
        }
        names = {SECRET} | {f.name for f in fields} | {entry.id_input for entry in entries}
        names |= {e.setting.family_prefix + e.id for e in entries if e.error}
        context["setting_errors"] = [*stored_errors, *(e for e in errors if e.name not in names)]
    return render(request, "sources/detail.html", context, status=status)


def _webhook_setup_and_config_context(source: Source, now: datetime) -> dict[str, Any]:
    connector = connectors_by_slug().get(source.connector)
    address = f"{settings.PUBLIC_URL}/hooks/{source.slug}"
    config = source.config_or_empty_if_invalid
    instance = connector({**config, "source": source.slug}) if connector else None
    unsigned = f"curl -X POST {address} -H 'content-type: application/json' --data @message.json"
    return {
        "connector": connector_catalog.find_connector(source.connector),
        "setup": connector.setup or " ".join(connector.derived_steps) if connector else "",
        "address": address,
        "query": instance.webhook_url_query("") if instance else "",
        "drop_folder": config.get(DROP_SETTING, ""),
        "curl": (signed := instance.request_example(address) if instance else "") or unsigned,
        "curl_is_signed": bool(signed),
        "config": message_queries.redact_headers_or_settings(config),
        "secret": displayed_time(source.changed_at, now) if source.sealed_secrets else None,
        "polls": source.is_polled,
        "poll": format_duration(source.poll_every),
    }


def _health_row(health: sources.HealthReport, now: datetime) -> dict[str, Any]:
    return {
        "health": health,
        "last": displayed_time(health.last_at, now),
        "expected": displayed_time(health.expected_at, now),
        "overdue": health.expected_at is not None and health.expected_at < now,
        "delay": format_duration(health.delay) if health.delay is not None else "",
        "parked_since": displayed_time(health.parked_since, now),
        "event_types": [
            (watched, format_duration(watched.limit), displayed_time(watched.since, now))
            for watched in health.event_type_limits
        ],
    }


def parked_cause_context(cause: parked.ParkedCause, now: datetime) -> dict[str, Any]:
    """A cause for `sources/_parked.html`."""
    what, then = cause.cause_and_remedy
    first, last = displayed_time(cause.first_at, now), displayed_time(cause.last_at, now)
    return {"cause": cause, "what": what, "then": then, "first": first, "last": last}


urlpatterns = [
    path("sources/<slug:slug>", source_detail, name="source"),
    path("sources/<slug:slug>/settings", save_settings, name="source-settings"),
    path("sources/<slug:slug>/properties", save_properties, name="source-properties"),
    *message_pages.urlpatterns,
]
