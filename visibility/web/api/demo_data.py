"""Endpoint of demo data: what happens to it, load it, remove it."""

from collections.abc import Callable

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from visibility.db.database_time import database_now
from visibility.pipeline.job_functions import ask_worker_to_go_on_with_demo_data
from visibility.preferences.change_demo_data import (
    DemoDataConflict,
    load_progress,
    request_demo_data,
    request_removal_of_demo_data,
)
from visibility.web.api.base import ApiView, current_user
from visibility.web.api.common_serializers import PermissionFilteredSerializer, serialize
from visibility.web.api.idempotency import run_idempotently
from visibility.web.api.problem_responses import ApiResponse, ConflictError
from visibility.web.api.request_body_serializers import EmptyBody, parse_body, read_body
from visibility.web.permissions import Permission


class DemoDataSerializer(PermissionFilteredSerializer):
    """`state`: `loading`, `loaded`, `removing`, or empty without demo data.

    `done` of `total`: messages that are read while it is loaded; messages, events and objects that
    are removed while it is removed. `error`: why the latest attempt of the worker failed.
    """

    state = serializers.CharField(allow_blank=True)
    done = serializers.IntegerField()
    total = serializers.IntegerField()
    messages = serializers.IntegerField(help_text="Stored messages of demo sources.")
    error = serializers.CharField(allow_blank=True)


class DemoDataView(ApiView):
    """`/demo-data`."""

    http_method_names = ["get", "head", "post", "delete"]
    required_permissions = (Permission.ADMINISTER,)

    @extend_schema(operation_id="demo_data", responses=DemoDataSerializer)
    def get(self, request: Request) -> Response:
        """Retrieve whether demo data is loaded, and how far its loading or removal is."""
        return Response(serialize(DemoDataSerializer, load_progress()))

    @extend_schema(
        operation_id="demo_data_load", request=EmptyBody, responses={202: DemoDataSerializer}
    )
    def post(self, request: Request) -> HttpResponse:
        """Load demo data. A worker does it; 409 if there is some already."""
        return _run(request, request_demo_data)

    @extend_schema(
        operation_id="demo_data_remove", request=EmptyBody, responses={202: DemoDataSerializer}
    )
    def delete(self, request: Request) -> HttpResponse:
        """Remove all demo data. A worker does it; 409 if there is none.

        What people did with demo orders is removed too. Own sources and their orders stay.
        """
        return _run(request, request_removal_of_demo_data)


def _run(request: Request, change: Callable[..., None]) -> HttpResponse:
    body = read_body(request)

    def do() -> ApiResponse:
        parse_body(EmptyBody, body)
        try:
            change(by=current_user(request), now=database_now())
        except DemoDataConflict as error:
            raise ConflictError(str(error)) from error
        ask_worker_to_go_on_with_demo_data()
        content = serialize(DemoDataSerializer, load_progress())
        return ApiResponse.with_json_body(content, status=202)

    return run_idempotently(request, body, do)
