"""Endpoints that replace the secret of a source, archive it, or restore it."""

from typing import Any

import orjson
from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request

from visibility.db.database_time import database_now
from visibility.ingest.add_source_and_rotate_secret import InvalidSource
from visibility.ingest.change_source import SourceProperties, archive_source, restore_source
from visibility.ingest.poll_now import CannotPollNow, request_poll
from visibility.ingest.rotate_secret_as_person import rotate_secret_as_person
from visibility.pipeline.job_functions import ask_worker_to_run_job_now
from visibility.web.api.base import ApiView, current_user
from visibility.web.api.common_serializers import PermissionFilteredSerializer
from visibility.web.api.idempotency import run_idempotently
from visibility.web.api.problem_responses import ApiResponse, ConflictError
from visibility.web.api.request_body_serializers import (
    EmptyBody,
    RequestBody,
    parse_body,
    read_body,
)
from visibility.web.api.source_properties import (
    InvalidSourceInput,
    SourcePropertiesSerializer,
    source_content,
)
from visibility.web.permissions import Permission
from visibility.web.source_lookup import source_or_404


class NewSecretBody(RequestBody):
    """A new secret; without `secret` one is created. `hours`: how long old ones stay valid."""

    secret = serializers.CharField(max_length=1000, required=False, write_only=True, default="")
    hours = serializers.IntegerField(required=False, default=24)


class NewSecretSerializer(PermissionFilteredSerializer):
    """The new secret. No later response contains it, not even the same Idempotency-Key's."""

    slug = serializers.CharField()
    hours = serializers.IntegerField()
    secret = serializers.CharField(required=False)


class RotateSecretView(ApiView):
    """`POST /sources/<slug>/rotate`."""

    http_method_names = ["post"]
    required_permissions = (Permission.SOURCES_EDIT,)

    @extend_schema(
        operation_id="source_rotate", request=NewSecretBody, responses=NewSecretSerializer
    )
    def post(self, request: Request, slug: str) -> HttpResponse:
        """Replace the secret of a source. Old secrets stay valid for `hours`, at most 720."""
        body = read_body(request)
        created: list[str] = []

        def do() -> ApiResponse:
            values = parse_body(NewSecretBody, body)
            try:
                secret = rotate_secret_as_person(
                    source_or_404(slug),
                    secret=values["secret"],
                    hours=str(values["hours"]),
                    now=database_now(),
                    user=current_user(request),
                )
            except InvalidSource as error:
                raise InvalidSourceInput(error) from error
            created.append(secret)
            return ApiResponse.with_json_body({"slug": slug, "hours": values["hours"]})

        response = run_idempotently(request, body, do)
        if created and response.status_code == 200:
            content = orjson.loads(response.content) | {"secret": created[0]}
            response.content = orjson.dumps(content)
        return response


class ArchiveSourceView(ApiView):
    """`POST /sources/<slug>/archive`."""

    http_method_names = ["post"]
    required_permissions = (Permission.SOURCES_EDIT,)

    @extend_schema(
        operation_id="source_archive", request=EmptyBody, responses=SourcePropertiesSerializer
    )
    def post(self, request: Request, slug: str) -> HttpResponse:
        """Archive a source: it receives nothing, and its history stays. 409 if it is archived."""
        return _change(request, slug, archive_source, "The source is archived already.")


class PollSourceView(ApiView):
    """`POST /sources/<slug>/poll`."""

    http_method_names = ["post"]
    required_permissions = (Permission.SOURCES_EDIT,)

    @extend_schema(
        operation_id="source_poll", request=EmptyBody, responses=SourcePropertiesSerializer
    )
    def post(self, request: Request, slug: str) -> HttpResponse:
        """Poll a source now, also after many failures. 409 if a pause or quiet hours forbid it."""
        body = read_body(request)

        def do() -> ApiResponse:
            parse_body(EmptyBody, body)
            source = source_or_404(slug)
            try:
                request_poll(source, now=database_now(), user=current_user(request))
            except CannotPollNow as error:
                raise ConflictError(str(error)) from error
            return ApiResponse.with_json_body(
                source_content(source, SourceProperties.of_source(source))
            )

        response = run_idempotently(request, body, do)
        if response.status_code == 200:
            ask_worker_to_run_job_now("poll")
        return response


class RestoreSourceView(ApiView):
    """`POST /sources/<slug>/restore`."""

    http_method_names = ["post"]
    required_permissions = (Permission.SOURCES_EDIT,)

    @extend_schema(
        operation_id="source_restore", request=EmptyBody, responses=SourcePropertiesSerializer
    )
    def post(self, request: Request, slug: str) -> HttpResponse:
        """Restore an archived source. It stays disabled. 409 if it is not archived."""
        return _change(request, slug, restore_source, "The source is not archived.")


def _change(request: Request, slug: str, change: Any, conflict: str) -> HttpResponse:
    body = read_body(request)

    def do() -> ApiResponse:
        parse_body(EmptyBody, body)
        source = source_or_404(slug)
        if not change(source, now=database_now(), user=current_user(request)):
            raise ConflictError(conflict)
        source = source_or_404(slug)
        return ApiResponse.with_json_body(
            source_content(source, SourceProperties.of_source(source))
        )

    return run_idempotently(request, body, do)
