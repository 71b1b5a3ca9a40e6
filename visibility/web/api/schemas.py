"""The contracts: the OpenAPI document, a page that shows it, and the schema of event data."""

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

from connectors.sdk.event_json import SCHEMA
from connectors.sdk.events import EventType
from visibility.web.api.base import Call
from visibility.web.api.openapi import complete
from visibility.web.api.problems import answer_of
from visibility.web.api.query_params import Parameter, asked
from visibility.web.intake.problems import MEDIA, problem

VERSION = "1"
FORMAT = Parameter("format", "JSON unless given.", choices=("json", "yaml"))


@cache
def document() -> dict[str, Any]:
    """The OpenAPI document: the same for everybody, so made once a process."""
    generator = SchemaGenerator(urlconf="visibility.urls")  # type: ignore[no-untyped-call]  # untyped
    found = build_root_object(
        paths=generator.parse(None, True),  # type: ignore[no-untyped-call]  # untyped
        components=generator.registry.build({}),
        webhooks={},
        version=None,
    )
    # Without the hook that names each list of words after the field it stands in.
    return complete(normalize_result_object(found))  # type: ignore[no-untyped-call]  # untyped


class Schema(Call):
    """`GET /schema`."""

    @extend_schema(exclude=True)
    def get(self, request: Request) -> HttpResponse:
        """OpenAPI 3.1, as JSON or YAML."""
        wish = asked(request, (FORMAT,)).get(FORMAT.name)
        yaml_ = wish == "yaml" or (not wish and "yaml" in request.headers.get("Accept", ""))
        if yaml_:
            plain = orjson.loads(orjson.dumps(document()))
            text = yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, width=100)
            return HttpResponse(text, content_type="application/yaml; charset=utf-8")
        return HttpResponse(
            orjson.dumps(document()), content_type="application/vnd.oai.openapi+json"
        )


class EventSchema(Call):
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
        """The JSON Schema of the data of one type of event."""
        asked(request, ())
        if kind not in set(EventType) or kind == EventType.UNMAPPED or version != VERSION:
            raise Http404
        found = {
            **SCHEMA,
            "$id": request.build_absolute_uri(request.path),
            "title": f"{SCHEMA['title']}: {kind}",
        }
        return HttpResponse(orjson.dumps(found), content_type="application/schema+json")


class Page(TemplateHTMLRenderer):
    """The ready-made template does not say its language, and some of its colours are too faint."""

    def render(self, *args: Any, **kwargs: Any) -> str:
        """The page, in English, with a style sheet of ours after its own."""
        page = str(super().render(*args, **kwargs)).replace("<html>", '<html lang="en">', 1)
        ours = f'<link rel="stylesheet" href="{static("css/api.css")}">'
        return page.replace("</head>", f"{ours}</head>", 1)


class Docs(SpectacularSwaggerSplitView):
    """`GET /docs`: the document as a page. Its script is an address of its own, not inline."""

    authentication_classes = Call.authentication_classes
    permission_classes = Call.permission_classes
    content_negotiation_class = Call.content_negotiation_class
    renderer_classes = [Page]
    http_method_names = ["get", "head"]
    title = "Throughline API"
    url = "/api/v1/schema"
    url_self = "/api/v1/docs"

    @staticmethod
    def _swagger_ui_favicon() -> str:
        """Ours; without it the page would ask another host for one."""
        return static("favicon.svg")


def events(_: HttpRequest) -> HttpResponse:
    """`/events` takes only POST, and that is answered beside Django."""
    allow = {"Allow": "POST"}
    return HttpResponse(
        problem(405, "Method Not Allowed"), status=405, content_type=MEDIA, headers=allow
    )


def nothing(_: HttpRequest) -> HttpResponse:
    """Every other address."""
    return answer_of(Http404()).response()
