"""The OpenAPI document, its documentation page, and the JSON Schemas of event data."""

from dataclasses import asdict
from functools import cache
from typing import Any

import orjson
import yaml
from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.templatetags.static import static
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.plumbing import build_root_object, normalize_result_object
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from drf_spectacular.views import SpectacularSwaggerSplitView
from rest_framework import serializers
from rest_framework.renderers import TemplateHTMLRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from connectors.sdk.event_type_descriptions import EVENT_TYPES
from connectors.sdk.events import EventType
from connectors.sdk.published_schemas import (
    VERSION,
    published_versions,
    schema_path,
    with_id,
)
from visibility.web.api.base import ApiView
from visibility.web.api.common_serializers import EnumField, PermissionFilteredSerializer
from visibility.web.api.openapi_extensions import extend_document
from visibility.web.api.problem_responses import problem_response_for_exception
from visibility.web.api.query_params import QueryParameter
from visibility.web.intake.problem_body import PROBLEM_TYPE, problem_body

# Types that senders can use; `unmapped` is ours.
SENT_TYPES = [event_type for event_type in EventType if event_type is not EventType.UNMAPPED]
FORMAT_PARAMETER = QueryParameter(
    "format", "Document format. Default: `json`.", choices=("json", "yaml")
)


@cache
def openapi_document() -> dict[str, Any]:
    """The OpenAPI document. It is the same for all users, so it is built once per process."""
    generator = SchemaGenerator(urlconf="visibility.urls")  # type: ignore[no-untyped-call]  # untyped
    root = build_root_object(
        paths=generator.parse(None, True),  # type: ignore[no-untyped-call]  # untyped
        components=generator.registry.build({}),
        webhooks={},
        version=None,
    )
    # Skips drf-spectacular's enum hook, which would name each enum after its field.
    return extend_document(normalize_result_object(root))  # type: ignore[no-untyped-call]  # untyped


class PublicApiView(ApiView):
    """Base class of documents that describe the API: they contain no data and need no sign-in."""

    authentication_classes = []
    permission_classes = []


class EventTypeSerializer(PermissionFilteredSerializer):
    """An event type and where its JSON Schema is."""

    type = EnumField(EventType)
    version = serializers.CharField()
    url = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]  # not DRF's `label`
    meaning = serializers.CharField()
    effect = serializers.CharField(help_text="What it changes on the timeline of an order.")


class EventSchemaListSerializer(PermissionFilteredSerializer):
    """All event types."""

    items = EventTypeSerializer(many=True)


class OpenApiView(PublicApiView):
    """`GET /schema`."""

    query_parameters = (FORMAT_PARAMETER,)

    @extend_schema(exclude=True)
    def get(self, request: Request) -> HttpResponse:
        """The OpenAPI 3.1 document, as JSON or YAML."""
        chosen_format = self.params.get(FORMAT_PARAMETER.name)
        as_yaml = chosen_format == "yaml" or (
            not chosen_format and "yaml" in request.headers.get("Accept", "")
        )
        if as_yaml:
            plain = orjson.loads(orjson.dumps(openapi_document()))
            text = yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, width=100)
            return HttpResponse(text, content_type="application/yaml; charset=utf-8")
        return HttpResponse(
            orjson.dumps(openapi_document()), content_type="application/vnd.oai.openapi+json"
        )


class EventSchemaListView(PublicApiView):
    """`GET /event-schemas`."""

    @extend_schema(
        operation_id="event_schemas", auth=[], responses={200: EventSchemaListSerializer}
    )
    def get(self, request: Request) -> Response:
        """List the event types with their meaning, their effect and the URL of their schema."""
        items = [
            {
                "type": event_type.value,
                "version": str(VERSION),
                "url": settings.PUBLIC_URL.rstrip("/")
                + schema_path(VERSION, f"events/{event_type.value}"),
                **asdict(EVENT_TYPES[event_type]),
            }
            for event_type in SENT_TYPES
        ]
        return Response({"items": items})


class EventSchemaView(PublicApiView):
    """`GET /event-schemas/<type>/<version>`."""

    @extend_schema(
        operation_id="event_schema",
        auth=[],
        parameters=[
            OpenApiParameter(
                "kind",
                {"type": "string", "enum": [event_type.value for event_type in SENT_TYPES]},
                OpenApiParameter.PATH,
            )
        ],
        responses={(200, "application/schema+json"): OpenApiTypes.OBJECT},
    )
    def get(self, request: Request, kind: str, version: str) -> HttpResponse:
        """Retrieve the JSON Schema of the data of an event type."""
        if version not in {str(number) for number in published_versions()}:
            raise Http404
        try:
            schema = with_id(int(version), f"events/{kind}", settings.PUBLIC_URL.rstrip("/"))
        except KeyError:
            raise Http404 from None
        return HttpResponse(orjson.dumps(schema), content_type="application/schema+json")


class DocsPageRenderer(TemplateHTMLRenderer):
    """Renders the documentation page with a `lang` attribute and readable color contrast."""

    def render(self, *args: Any, **kwargs: Any) -> str:
        """The page with `lang="en"` and our style sheet after its own."""
        page = str(super().render(*args, **kwargs)).replace("<html>", '<html lang="en">', 1)
        stylesheet = f'<link rel="stylesheet" href="{static("css/api.css")}">'
        return page.replace("</head>", f"{stylesheet}</head>", 1)


class ApiDocsView(SpectacularSwaggerSplitView):
    """`GET /docs`: the documentation page. Its script has its own URL: the CSP forbids inline."""

    authentication_classes = PublicApiView.authentication_classes
    permission_classes = PublicApiView.permission_classes
    content_negotiation_class = ApiView.content_negotiation_class
    renderer_classes = [DocsPageRenderer]
    http_method_names = ["get", "head"]
    title = "Throughline API"
    url = "/api/v1/schema"
    url_self = "/api/v1/docs"

    @staticmethod
    def _swagger_ui_favicon() -> str:
        """Our favicon; the default would be loaded from another host."""
        return static("favicon.svg")


def events_method_not_allowed(_: HttpRequest) -> HttpResponse:
    """405 for other methods on `/events`; POST is served by the intake outside Django."""
    allow = {"Allow": "POST"}
    return HttpResponse(
        problem_body(405, "Method Not Allowed"),
        status=405,
        content_type=PROBLEM_TYPE,
        headers=allow,
    )


def not_found(_: HttpRequest) -> HttpResponse:
    """404 for all other URLs."""
    return problem_response_for_exception(Http404()).to_http_response()
