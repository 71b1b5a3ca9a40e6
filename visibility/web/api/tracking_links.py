"""Endpoints of the links that show customers where their orders are."""

from typing import Any

import orjson
from django.http import Http404, HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from visibility.models import TrackingLink
from visibility.screens.tracking.orders_of_link import tracking_path
from visibility.web import tracking_links
from visibility.web.api.base import ApiView, current_author
from visibility.web.api.common_serializers import (
    PermissionFilteredSerializer,
    Rfc3339Field,
    serialize,
)
from visibility.web.api.idempotency import run_idempotently
from visibility.web.api.orders import surviving_order_or_404
from visibility.web.api.problem_responses import ApiResponse, InvalidInput
from visibility.web.api.request_body_serializers import (
    EmptyBody,
    RequestBody,
    parse_body,
    read_body,
)
from visibility.web.permissions import Permission


class TrackingLinkSerializer(PermissionFilteredSerializer):
    """A link to the page for customers. `customer_po`: it shows all orders of this PO."""

    id = serializers.IntegerField(source="pk")
    order = serializers.IntegerField(source="order_id")
    customer_po = serializers.CharField(allow_blank=True)
    created_by = serializers.CharField(source="created_by.username")
    created_at = Rfc3339Field()
    expires_at = Rfc3339Field()
    revoked_at = Rfc3339Field(allow_null=True)


class CreatedTrackingLinkSerializer(TrackingLinkSerializer):
    """A new link. `path` opens its page; no later response contains it."""

    path = serializers.CharField()


class TrackingLinkListSerializer(PermissionFilteredSerializer):
    """The newest links of an order, also expired and revoked ones."""

    items = TrackingLinkSerializer(many=True)


class TrackingLinkBody(RequestBody):
    """A link: days valid, and whether it shows all orders of the customer's PO."""

    days = serializers.IntegerField(
        default=tracking_links.DEFAULT_DAYS,
        min_value=tracking_links.MIN_DAYS,
        max_value=tracking_links.MAX_DAYS,
    )
    covers_po = serializers.BooleanField(default=False)


class TrackingLinkListView(ApiView):
    """`/orders/<id>/tracking-links`."""

    required_permissions = (Permission.ORDERS_SHARE,)

    @extend_schema(operation_id="tracking_links", responses=TrackingLinkListSerializer)
    def get(self, request: Request, order_id: int) -> Response:
        """List the links of an order, the newest first."""
        order = surviving_order_or_404(order_id)
        links = tracking_links.tracking_links_of_order(order.pk)
        return Response({"items": [_serialize(link) for link in links]})

    @extend_schema(
        operation_id="tracking_link_create",
        request=TrackingLinkBody,
        responses={201: CreatedTrackingLinkSerializer},
    )
    def post(self, request: Request, order_id: int) -> HttpResponse:
        """Create a link to the page for customers. Only this response has its path."""
        body = read_body(request)

        def do() -> ApiResponse:
            values: dict[str, Any] = parse_body(TrackingLinkBody, body)
            order = surviving_order_or_404(order_id)
            by = current_author(request)
            try:
                link, _ = tracking_links.create_tracking_link(
                    order, covers_po=values["covers_po"], days=values["days"], by=by
                )
            except tracking_links.TrackingLinkRejected as rejected:
                raise InvalidInput(rejected.field, str(rejected)) from None
            return ApiResponse.with_json_body(_serialize(link), status=201)

        response = run_idempotently(request, body, do)
        # The stored response of an Idempotency-Key must not contain the path.
        if response.status_code == 201:
            content = orjson.loads(response.content)
            link = TrackingLink.objects.get(pk=content["id"])
            response.content = orjson.dumps(content | {"path": tracking_path(link)})
        return response


class TrackingLinkView(ApiView):
    """`/orders/<id>/tracking-links/<id>`."""

    http_method_names = ["delete"]
    required_permissions = (Permission.ORDERS_SHARE,)

    @extend_schema(
        operation_id="tracking_link_revoke",
        request=EmptyBody,
        responses={200: TrackingLinkSerializer},
    )
    def delete(self, request: Request, order_id: int, link_id: int) -> HttpResponse:
        """Revoke a link: it opens nothing any more."""
        body = read_body(request)

        def do() -> ApiResponse:
            parse_body(EmptyBody, body)
            order = surviving_order_or_404(order_id)
            by = current_author(request)
            link = tracking_links.revoke_tracking_link(order.pk, link_id, by=by)
            if link is None:
                raise Http404
            return ApiResponse.with_json_body(_serialize(link))

        return run_idempotently(request, body, do)


def _serialize(link: TrackingLink) -> dict[str, Any]:
    return serialize(TrackingLinkSerializer, link)
