"""The OpenAPI document, its documentation page, and the JSON Schemas of event data."""

from functools import cache
from typing import Any

import orjson
import yaml
from django.http import Http404, HttpRequest, HttpResponse
from django.templatetags.static import static
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.plumbing import build_root_object, normalize_result_object
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from drf_spectacular.views import SpectacularSwaggerSplitView
from rest_framework.renderers import TemplateHTMLRenderer
from rest_framework.request import Request

from connectors.sdk.event_schema import SCHEMA
from connectors.sdk.events import EventType
from visibility.web.api.base import ApiView
from visibility.web.api.openapi_extensions import extend_document
from visibility.web.api.problems import problem_response
from visibility.web.api.query_params import QueryParameter
from visibility.web.intake.problems import PROBLEM_TYPE, problem_body

VERSION = "1"
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


class OpenApiView(ApiView):
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


class EventSchemaView(ApiView):
    """`GET /event-schemas/<type>/<version>`."""

    @extend_schema(
        operation_id="event_schema",
        parameters=[
            OpenApiParameter(
                "kind",
                {"type": "string", "enum": [k.value for k in EventType if k != EventType.UNMAPPED]},
                OpenApiParameter.PATH,
            )
        ],
        responses={(200, "application/schema+json"): OpenApiTypes.OBJECT},
    )
    def get(self, request: Request, kind: str, version: str) -> HttpResponse:
        """Retrieve the JSON Schema of the data of an event type."""
        if kind not in set(EventType) or kind == EventType.UNMAPPED or version != VERSION:
            raise Http404
        schema = {
            **SCHEMA,
            "$id": request.build_absolute_uri(request.path),
            "title": f"{SCHEMA['title']}: {kind}",
        }
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

    authentication_classes = ApiView.authentication_classes
    permission_classes = ApiView.permission_classes
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
    return problem_response(Http404()).to_http_response()
