"""Endpoints of the catalog of systems, and of new sources."""

from collections.abc import Sequence
from typing import Any

import orjson
from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from connectors.sdk.connector import SourceRole
from connectors.sdk.settings import SettingType
from visibility.db.database_time import database_now
from visibility.ingest.add_source_and_rotate_secret import (
    CreatedSource,
    InvalidSource,
    add_source,
)
from visibility.ingest.check_new_source import SECRET
from visibility.screens.sources import connector_catalog
from visibility.web.api.base import ApiView, current_user
from visibility.web.api.common_serializers import (
    EnumField,
    PermissionFilteredSerializer,
    serialize_all,
)
from visibility.web.api.idempotency import run_idempotently
from visibility.web.api.problem_responses import ApiResponse, InvalidInput
from visibility.web.api.query_params import QueryParameter
from visibility.web.api.request_body_serializers import RequestBody, parse_body, read_body
from visibility.web.api.source_settings import SettingValueField
from visibility.web.api.sources_and_messages import SourceHealthListView
from visibility.web.permissions import Permission

OWN_FIELDS = frozenset({"slug", "title", "connector", SECRET})


class InvalidNewSourceInput(InvalidInput):
    """Fields or settings are invalid, each with its sentence."""

    def __init__(self, error: InvalidSource) -> None:
        super().__init__("", "; ".join(f"{e.name}: {e.sentence}" for e in error.errors))
        self.errors = [
            {
                "path": e.name if e.name in OWN_FIELDS else f"settings.{e.name}",
                "detail": e.sentence,
            }
            for e in error.errors
        ]


class DeclaredSettingSerializer(PermissionFilteredSerializer):
    """A setting that a source of this connector can have.

    A name such as `customer.<ISA id>` declares one setting for each id.
    """

    name = serializers.CharField()
    label = serializers.CharField(  # type: ignore[assignment]  # not the label of a DRF field
        source="label_or_derived_label"
    )
    type = EnumField(SettingType)
    help = serializers.CharField()
    default = serializers.CharField()
    is_required = serializers.BooleanField(source="required")
    is_secret = serializers.BooleanField()
    choices = serializers.ListField(child=serializers.CharField())


class ConnectorSerializer(PermissionFilteredSerializer):
    """A system that can be connected. `steps`: what to do at the vendor, in order."""

    slug = serializers.CharField()
    title = serializers.CharField()
    role = EnumField(SourceRole)
    summary = serializers.CharField()
    accepts_webhooks = serializers.BooleanField()
    polls = serializers.BooleanField()
    accepts_files = serializers.BooleanField()
    steps = serializers.ListField(child=serializers.CharField())
    settings = DeclaredSettingSerializer(many=True)


class ConnectorListSerializer(PermissionFilteredSerializer):
    """The systems, by title."""

    items = ConnectorSerializer(many=True)


class CreatedSourceSerializer(PermissionFilteredSerializer):
    """A new source.

    No later response contains `secret` and the token in `webhook_url`, if it has one, not even the
    same Idempotency-Key's.
    """

    slug = serializers.CharField()
    title = serializers.CharField()
    connector = serializers.CharField()
    webhook_url = serializers.CharField(allow_null=True)
    steps = serializers.ListField(child=serializers.CharField())
    secret = serializers.CharField(required=False)


class NewSourceBody(RequestBody):
    """A source. Without `secret`, one is created; without `title`, the connector names it."""

    slug = serializers.CharField(max_length=200)
    connector = serializers.CharField(max_length=60)
    title = serializers.CharField(max_length=200, required=False, default="")
    settings = serializers.DictField(child=SettingValueField(), required=False, default=dict)
    secret = serializers.CharField(max_length=1000, required=False, write_only=True, default="")


class ConnectorListView(ApiView):
    """`GET /connectors`."""

    http_method_names = ["get", "head"]
    required_permissions = (Permission.SOURCES_EDIT,)
    query_parameters = (QueryParameter("q", "Only systems with each of these words."),)

    @extend_schema(operation_id="connectors", responses=ConnectorListSerializer)
    def get(self, request: Request) -> Response:
        """List the systems that can be connected, with the settings of each."""
        entries = connector_catalog.list_connectors(self.params.get("q", ""))
        return Response({"items": serialize_all(ConnectorSerializer, entries)})


class SourceListView(SourceHealthListView):
    """`/sources`."""

    http_method_names = ["get", "head", "post"]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Only those who edit sources add one."""
        if request.method == "POST":
            self.required_permissions = (Permission.SOURCES_EDIT,)
        super().initial(request, *args, **kwargs)

    def declared_query_parameters(self) -> Sequence[QueryParameter]:
        """Only reads have parameters."""
        return self.query_parameters if self.request.method in {"GET", "HEAD"} else ()

    @extend_schema(
        operation_id="source_add",
        request=NewSourceBody,
        responses={201: CreatedSourceSerializer},
    )
    def post(self, request: Request) -> HttpResponse:
        """Add a source. Only this response has its secret."""
        body = read_body(request)
        created: list[CreatedSource] = []

        def do() -> ApiResponse:
            values = parse_body(NewSourceBody, body)
            try:
                result = add_source(
                    values["slug"],
                    connector=values["connector"],
                    config=values["settings"],
                    secret=values["secret"],
                    title=values["title"],
                    now=database_now(),
                    user=current_user(request),
                    any_drop_folder=False,
                )
            except InvalidSource as error:
                raise InvalidNewSourceInput(error) from error
            created.append(result)
            return ApiResponse.with_json_body(_content(result), status=201)

        response = run_idempotently(request, body, do)
        if created and response.status_code == 201:
            # The stored response of an Idempotency-Key must not contain the secret.
            secret = created[0].secret
            query = created[0].source.build_connector().webhook_url_query(secret)
            content = orjson.loads(response.content) | {"secret": secret}
            if content["webhook_url"]:
                content["webhook_url"] += query
            response.content = orjson.dumps(content)
        return response


def _content(created: CreatedSource) -> dict[str, Any]:
    entry = connector_catalog.find_connector(created.source.connector)
    assert entry is not None
    return {
        "slug": created.source.slug,
        "title": created.source.title,
        "connector": created.source.connector,
        "webhook_url": created.webhook_url if entry.accepts_webhooks else None,
        "steps": list(entry.steps),
    }
