"""Endpoints of the links that show boards on wall screens without sign-in."""

from typing import Any

from django.http import Http404, HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from visibility.models import ScreenLink
from visibility.web import screen_links
from visibility.web.api.base import ApiView, current_author
from visibility.web.api.board_serializers import (
    ScreenLinkBody,
    ScreenLinkListSerializer,
    ScreenLinkSerializer,
)
from visibility.web.api.common_serializers import serialize
from visibility.web.api.idempotency import run_idempotently
from visibility.web.api.problem_responses import ApiResponse, InvalidFieldsInput
from visibility.web.api.request_body_serializers import EmptyBody, parse_body, read_body
from visibility.web.board_changes import (
    InvalidBoard,
)
from visibility.web.permissions import Permission


class ScreenLinkListView(ApiView):
    """`/screen-links`."""

    required_permissions = (Permission.BOARDS_EDIT,)

    @extend_schema(operation_id="screen_links", responses=ScreenLinkListSerializer)
    def get(self, request: Request) -> Response:
        """List the links, the newest first."""
        items = [_serialize(link) for link in screen_links.list_screen_links()]
        return Response({"items": items})

    @extend_schema(
        operation_id="screen_link_create",
        request=ScreenLinkBody,
        responses={201: ScreenLinkSerializer},
    )
    def post(self, request: Request) -> HttpResponse:
        """Create a link to boards that the user sees. It shows no prices and no personal data."""
        body = read_body(request)

        def do() -> ApiResponse:
            values = parse_body(ScreenLinkBody, body)
            by = current_author(request)
            try:
                link = screen_links.create_screen_link(
                    values["title"],
                    values["boards"],
                    days=values["days"],
                    every=values["every"],
                    by=by,
                )
            except InvalidBoard as error:
                raise InvalidFieldsInput(error.errors) from error
            return ApiResponse.with_json_body(_serialize(link), status=201)

        return run_idempotently(request, body, do)


class ScreenLinkView(ApiView):
    """`/screen-links/<id>`."""

    http_method_names = ["delete"]
    required_permissions = (Permission.BOARDS_EDIT,)

    @extend_schema(
        operation_id="screen_link_revoke",
        request=EmptyBody,
        responses={200: ScreenLinkSerializer},
    )
    def delete(self, request: Request, link_id: int) -> HttpResponse:
        """Revoke a link: it opens nothing any more."""
        body = read_body(request)

        def do() -> ApiResponse:
            parse_body(EmptyBody, body)
            by = current_author(request)
            link = screen_links.revoke_screen_link(link_id, by=by)
            if link is None:
                raise Http404
            return ApiResponse.with_json_body(_serialize(link))

        return run_idempotently(request, body, do)


def _serialize(link: ScreenLink) -> dict[str, Any]:
    names = "pk title boards every created_by created_at expires_at revoked_at last_used_at"
    content = {name: getattr(link, name) for name in names.split()}
    return serialize(ScreenLinkSerializer, content | {"path": screen_links.screen_link_path(link)})
