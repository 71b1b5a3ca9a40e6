"""The published JSON Schemas: an index for people, and the documents at stable addresses.

They describe the product and contain no data, so they need no sign-in, as the documentation of the
API.
"""

from functools import cache

import orjson
from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_safe

from connectors.sdk import published_schemas as published
from connectors.sdk.event_type_descriptions import EVENT_TYPES
from connectors.sdk.events import EventType

GROUPS = (("events/", "Events"), ("objects/", "Objects"), ("", "Envelopes and shared schemas"))
SCHEMA_TYPE = "application/schema+json"


@require_safe
def schema_index(request: HttpRequest) -> HttpResponse:
    """`/schemas`: all versions, what each changed, and the schemas of the newest."""
    numbers = published.published_versions()
    version = numbers[-1]
    remaining = dict(published.published_documents(version))
    groups = []
    for prefix, title in GROUPS:
        names = [name for name in remaining if name.startswith(prefix)]
        rows = [
            (
                name.removeprefix(prefix),
                published.schema_path(version, name),
                _meaning(name, remaining.pop(name)),
            )
            for name in names
        ]
        groups.append((title, rows))
    versions = [(number, published.published_contents(number)["changes"]) for number in numbers]
    context = {"version": version, "groups": groups, "versions": versions[::-1]}
    return render(request, "schemas/index.html", context)


@require_safe
def schema_document(_request: HttpRequest, version: int, name: str) -> HttpResponse:
    """`/schemas/v<version>/<name>.json`: one schema, or all as `bundle`."""
    try:
        content = _document(version, name)
    except (KeyError, FileNotFoundError):
        raise Http404 from None
    response = HttpResponse(content, content_type=SCHEMA_TYPE)
    # Editors and validators on other hosts read it; it has no data.
    response.headers["Access-Control-Allow-Origin"] = "*"
    if name == "bundle":
        file_name = f"throughline-schemas-v{version}.json"
        response.headers["Content-Disposition"] = f'attachment; filename="{file_name}"'
    return response


@cache
def _document(version: int, name: str) -> bytes:
    """The bytes of a document. Raises KeyError or FileNotFoundError, which are not cached."""
    host = settings.PUBLIC_URL.rstrip("/")
    if name == "bundle":
        return orjson.dumps(published.bundle(version, host))
    return orjson.dumps(published.with_id(version, name, host), option=orjson.OPT_INDENT_2)


def _meaning(name: str, schema: published.Schema) -> str:
    if name.startswith("events/"):
        described = EVENT_TYPES.get(EventType(name.removeprefix("events/")))
        return described.meaning if described else ""
    text: str = schema.get("description") or schema["title"]
    return text[:1].upper() + text[1:]


urlpatterns = [
    path("schemas", schema_index, name="schemas"),
    path("schemas/v<int:version>/<path:name>.json", schema_document, name="schema-document"),
]
