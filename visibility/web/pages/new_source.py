"""Pages that connect a source: the catalog of systems, the form, and the secret, shown once."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_GET, require_http_methods

from connectors.sdk.settings import SettingError
from visibility.db.database_time import database_now
from visibility.ingest.add_source_and_rotate_secret import (
    CreatedSource,
    InvalidSource,
    add_source,
)
from visibility.ingest.queue_settings import has_queue
from visibility.screens.sources import connector_catalog, settings_form
from visibility.screens.sources.connector_catalog import ConnectorEntry
from visibility.web.permissions import Permission, require_permission, signed_in_user

MAX_SEARCH_LENGTH = 100
LOOPBACK_HOSTS = frozenset({"127.0.0.1", "::1", "localhost"})
# Inputs of the form that are not settings of the connector.
OWN_INPUTS = frozenset({"csrfmiddlewaretoken", "slug", "title", "secret"})


@require_GET
@require_permission(Permission.SOURCES_EDIT)
def catalog(request: HttpRequest) -> HttpResponse:
    """`/sources/new`: the systems that can be connected, with a search."""
    text = request.GET.get("q", "").replace("\0", "").strip()[:MAX_SEARCH_LENGTH]
    context = {"search": text, "connectors": connector_catalog.list_connectors(text)}
    return render(request, "sources/new.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@require_permission(Permission.SOURCES_EDIT)
def new_source(request: HttpRequest, connector: str) -> HttpResponse:
    """`/sources/new/<connector>`: the form; POST creates the source and shows its secret once.

    The response to POST is the page itself: a redirect would have to store the secret.
    """
    entry = connector_catalog.find_connector(connector)
    if entry is None:
        raise Http404(connector)
    if request.method != "POST":
        entered = {"slug": connector_catalog.unused_slug(connector)}
        return _render_form(request, entry, entered)
    entered = {name: str(text) for name, text in request.POST.items()}
    try:
        created = _create_source_from_form(request, entry, entered)
    except InvalidSource as error:
        response = _render_form(request, entry, entered, error)
    else:
        response = render(request, "sources/created.html", _created_context(created, entry))
    response.headers["Cache-Control"] = "no-store"
    return response


def _create_source_from_form(
    request: HttpRequest, entry: ConnectorEntry, entered: Mapping[str, str]
) -> CreatedSource:
    """Raises InvalidSource, with the errors of all fields."""
    blank = connector_catalog.new_source_of_form(entry.slug)
    errors = settings_form.new_entry_errors(blank, entered)
    merged = settings_form.merge_new_family_entries_into_posted(blank, entered)
    inputs = {
        name
        for family in settings_form.new_family_entries(blank)
        for name in (family.id_input, family.value_input)
    }
    config = {
        name: text.strip().replace("\r\n", "\n")
        for name, text in merged.items()
        if name not in OWN_INPUTS | inputs and text.strip()
    }
    try:
        if errors:
            raise InvalidSource(errors)
        return add_source(
            entered.get("slug", "").strip(),
            connector=entry.slug,
            config=config,
            secret=entered.get("secret", "").strip(),
            title=entered.get("title", "").strip(),
            now=database_now(),
            user=signed_in_user(request),
            any_drop_folder=False,
        )
    except UnicodeEncodeError:
        raise InvalidSource([SettingError("secret", "Enter valid characters.")]) from None


def _render_form(
    request: HttpRequest,
    entry: ConnectorEntry,
    entered: Mapping[str, str],
    error: InvalidSource | None = None,
) -> HttpResponse:
    errors = error.errors if error else ()
    sentences = {e.name: e.sentence for e in errors}
    groups = connector_catalog.new_source_fields(entry.slug, entered, errors)
    blank = connector_catalog.new_source_of_form(entry.slug)
    families = settings_form.new_family_entries(blank, entered=entered, errors=errors)
    shown = {"slug", "title", "secret"} | {
        field.name for field in (*groups.shown, *groups.more, *groups.queue, *groups.batches)
    }
    shown |= {f.id_input for f in families}
    shown |= {f.setting.family_prefix + f.id for f in families if f.error}
    context = {
        "connector": entry,
        "entered": entered,
        "errors": sentences,
        "other_errors": [e for e in errors if e.name not in shown],
        "fields": groups.shown,
        "more_fields": groups.more,
        "queue_fields": groups.queue,
        "opens_queue": groups.opens_queue,
        "batch_fields": groups.batches,
        "opens_batches": groups.opens_batches,
        "families": families,
        "opens_more": any(family.error for family in families) or _has_values(groups.more),
    }
    return render(request, "sources/new_form.html", context, status=422 if error else 200)


def _has_values(fields: Any) -> bool:
    return any(field.value for field in fields)


def _created_context(created: CreatedSource, entry: ConnectorEntry) -> dict[str, Any]:
    connector = created.source.build_connector()
    url = created.webhook_url + connector.webhook_url_query(created.secret)
    return {
        "source": created.source,
        "connector": entry,
        "url": url,
        "is_local": urlsplit(url).hostname in LOOPBACK_HOSTS,
        "uses_secret": entry.uses_secret,
        "has_queue": has_queue(created.source.config),
        "waiting_text": "Listening. The first request appears here with the check of its sender.",
        "secret": created.secret,
        "example": connector_catalog.example_request(
            created.source, url, created.secret, database_now()
        )
        if entry.accepts_webhooks
        else "",
    }


urlpatterns = [
    path("sources/new", catalog, name="source-catalog"),
    path("sources/new/<slug:connector>", new_source, name="source-new"),
]
