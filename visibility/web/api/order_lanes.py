"""Endpoints of how a person sees timelines of orders: the lanes, and the order of activity."""

from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from visibility.preferences.order_lanes import (
    MAX_LANES,
    LaneChoice,
    choose_activity_order,
    choose_lanes,
    load_lane_choice,
    reset_lanes,
)
from visibility.web.api.base import ApiView, current_user
from visibility.web.api.common_serializers import PermissionFilteredSerializer
from visibility.web.api.idempotency import run_idempotently
from visibility.web.api.problem_responses import ApiResponse, InvalidInput
from visibility.web.api.request_body_serializers import (
    EmptyBody,
    RequestBody,
    parse_body,
    read_body,
)
from visibility.web.pages.order_lanes import unknown_lanes
from visibility.web.permissions import Permission


class OrderLanesSerializer(PermissionFilteredSerializer):
    """Lanes by the slug of their source, `@team` for that of your team.

    `lanes`: in their order; others follow. `hidden`: not shown.
    """

    lanes = serializers.ListField(child=serializers.CharField())
    hidden = serializers.ListField(child=serializers.CharField())


class OrderLanesBody(RequestBody):
    """The order of the lanes, and the hidden ones."""

    lanes = serializers.ListField(
        child=serializers.CharField(max_length=60), required=False, max_length=MAX_LANES
    )
    hidden = serializers.ListField(
        child=serializers.CharField(max_length=60), required=False, max_length=MAX_LANES
    )


class OrderLanesView(ApiView):
    """`/order-lanes`."""

    http_method_names = ["get", "head", "put", "delete"]
    required_permissions = (Permission.ORDERS,)

    @extend_schema(operation_id="order_lanes", responses=OrderLanesSerializer)
    def get(self, request: Request) -> Response:
        """Retrieve which lanes you see on order pages, and in which order."""
        return Response(_serialize(request))

    @extend_schema(
        operation_id="order_lanes_choose", request=OrderLanesBody, responses=OrderLanesSerializer
    )
    def put(self, request: Request) -> HttpResponse:
        """Choose the lanes that you see on order pages, and their order."""
        body = read_body(request)

        def do() -> ApiResponse:
            values = parse_body(OrderLanesBody, body)
            lists = {
                name: list(dict.fromkeys(values.get(name, []))) for name in ("lanes", "hidden")
            }
            for name, keys in lists.items():
                if unknown := unknown_lanes(keys):
                    raise InvalidInput(name, f"No source has the slug {sorted(unknown)[0]}.")
            choice = LaneChoice(tuple(lists["lanes"]), frozenset(lists["hidden"]))
            choose_lanes(current_user(request).pk, choice)
            return ApiResponse.with_json_body(_serialize(request))

        return run_idempotently(request, body, do)

    @extend_schema(
        operation_id="order_lanes_reset", request=EmptyBody, responses=OrderLanesSerializer
    )
    def delete(self, request: Request) -> HttpResponse:
        """See all lanes in the order of their first event again."""
        body = read_body(request)

        def do() -> ApiResponse:
            parse_body(EmptyBody, body)
            reset_lanes(current_user(request).pk)
            return ApiResponse.with_json_body(_serialize(request))

        return run_idempotently(request, body, do)


class ActivityOrderSerializer(PermissionFilteredSerializer):
    """The order of the activity list on order pages."""

    oldest_first = serializers.BooleanField()


class ActivityOrderBody(RequestBody):
    """The order of the activity list."""

    oldest_first = serializers.BooleanField()


class ActivityOrderView(ApiView):
    """`/order-activity`."""

    http_method_names = ["get", "head", "put"]
    required_permissions = (Permission.ORDERS,)

    @extend_schema(operation_id="activity_order", responses=ActivityOrderSerializer)
    def get(self, request: Request) -> Response:
        """Retrieve whether your activity lists of orders begin with the oldest event."""
        return Response({"oldest_first": load_lane_choice(current_user(request).pk).oldest_first})

    @extend_schema(
        operation_id="activity_order_choose",
        request=ActivityOrderBody,
        responses=ActivityOrderSerializer,
    )
    def put(self, request: Request) -> HttpResponse:
        """Choose whether your activity lists of orders begin with the oldest event."""
        body = read_body(request)

        def do() -> ApiResponse:
            oldest_first = bool(parse_body(ActivityOrderBody, body)["oldest_first"])
            choose_activity_order(current_user(request).pk, oldest_first=oldest_first)
            return ApiResponse.with_json_body({"oldest_first": oldest_first})

        return run_idempotently(request, body, do)


def _serialize(request: Request) -> dict[str, Any]:
    choice = load_lane_choice(current_user(request).pk)
    return {"lanes": list(choice.lanes), "hidden": sorted(choice.hidden)}
