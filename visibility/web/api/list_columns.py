"""Endpoints of the columns of lists."""

from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from visibility.preferences import list_columns
from visibility.screens.list_registry import LISTS
from visibility.screens.lists.list_definition import ListDefinition, UnknownColumns
from visibility.web.api.base import ApiView, current_user
from visibility.web.api.common_serializers import EnumField, PermissionFilteredSerializer
from visibility.web.api.idempotency import run_idempotently
from visibility.web.api.problem_responses import ApiResponse, InvalidInput
from visibility.web.api.request_body_serializers import (
    EmptyBody,
    RequestBody,
    parse_body,
    read_body,
)
from visibility.web.list_page_context import viewer_of_request
from visibility.web.permissions import Permission
from visibility.web.saved_view_requests import readable_list


class ListColumnSerializer(PermissionFilteredSerializer):
    """A column of a list. `sort`: the value of the parameter `sort`; empty: not sortable."""

    code = serializers.CharField()
    title = serializers.CharField()
    is_visible = serializers.BooleanField()
    sort = serializers.CharField()


class ListColumnsSerializer(PermissionFilteredSerializer):
    """The columns of a list that you may see, the visible ones first and in their order."""

    list = EnumField(LISTS)
    is_default = serializers.BooleanField()
    columns = ListColumnSerializer(many=True)


class ListColumnsBody(RequestBody):
    """The visible columns in their order."""

    columns = serializers.ListField(
        child=serializers.CharField(max_length=40), min_length=1, max_length=100
    )


class ListColumnsView(ApiView):
    """`/lists/<list>/columns`."""

    http_method_names = ["get", "head", "put", "delete"]
    required_permissions = (Permission.ORDERS,)

    @extend_schema(operation_id="list_columns", responses=ListColumnsSerializer)
    def get(self, request: Request, code: str) -> Response:
        """Retrieve the columns of a list, and which of them you see."""
        return Response(_serialize_columns(request, readable_list(code, request.user)))

    @extend_schema(
        operation_id="list_columns_choose",
        request=ListColumnsBody,
        responses=ListColumnsSerializer,
    )
    def put(self, request: Request, code: str) -> HttpResponse:
        """Choose the columns that you see, in their order."""
        body = read_body(request)

        def do() -> ApiResponse:
            values = parse_body(ListColumnsBody, body)
            definition = readable_list(code, request.user)
            try:
                chosen = definition.check_columns(
                    viewer_of_request(request._request), values["columns"]
                )
            except UnknownColumns as error:
                raise InvalidInput("columns", str(error)) from error
            list_columns.choose_columns(current_user(request).pk, code, chosen)
            return ApiResponse.with_json_body(_serialize_columns(request, definition))

        return run_idempotently(request, body, do)

    @extend_schema(
        operation_id="list_columns_reset", request=EmptyBody, responses=ListColumnsSerializer
    )
    def delete(self, request: Request, code: str) -> HttpResponse:
        """See the default columns again."""
        body = read_body(request)

        def do() -> ApiResponse:
            parse_body(EmptyBody, body)
            definition = readable_list(code, request.user)
            list_columns.reset_columns(current_user(request).pk, code)
            return ApiResponse.with_json_body(_serialize_columns(request, definition))

        return run_idempotently(request, body, do)


def _serialize_columns(request: Request, definition: ListDefinition) -> dict[str, Any]:
    viewer = viewer_of_request(request._request)
    chosen = list_columns.load_chosen_columns(viewer.user_id, definition.code)
    visible = definition.visible_columns(viewer, chosen)
    hidden = [c for c in definition.allowed_columns(viewer) if c not in visible]
    orders = definition.sort_orders(viewer)
    return {
        "list": definition.code,
        "is_default": chosen is None,
        "columns": [
            {
                "code": column.code,
                "title": column.title,
                "is_visible": column in visible,
                "sort": column.sort.code if column.sort and column.sort.code in orders else "",
            }
            for column in (*visible, *hidden)
        ],
    }
