"""Endpoints of boards: their tiles, checked changes, copies, and the start page."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

from django.http import Http404, HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from visibility.boards.stored_boards import (
    StoredBoard,
    board_titles_by_slug,
    load_stored_board,
    start_board_slug,
)
from visibility.boards.tile_registry import tile_registry
from visibility.boards.tile_settings import COMMON_SETTINGS
from visibility.screens.orders.order_scope import OrderScope
from visibility.web import board_changes
from visibility.web.api.base import ApiView, current_author, current_user, user_permissions
from visibility.web.api.board_serializers import (
    BoardBody,
    BoardCopyBody,
    BoardListSerializer,
    BoardSerializer,
    BoardVersionConflict,
    StartPageBody,
    StartPageSerializer,
    TileListSerializer,
)
from visibility.web.api.common_serializers import serialize
from visibility.web.api.idempotency import run_idempotently
from visibility.web.api.problem_responses import ApiResponse, InvalidFieldsInput
from visibility.web.api.request_body_serializers import MAX_ID, EmptyBody, parse_body, read_body
from visibility.web.board_changes import (
    BoardChanged,
    InvalidBoard,
    UnknownBoard,
)
from visibility.web.permissions import Permission


class TileListView(ApiView):
    """`GET /tiles`."""

    required_permissions = (Permission.BOARDS,)

    @extend_schema(operation_id="tiles", responses=TileListSerializer)
    def get(self, request: Request) -> Response:
        """List the tiles with the settings that they declare."""
        tiles = [kind for _, kind in sorted(tile_registry().items())]
        content = {"items": tiles, "common_settings": COMMON_SETTINGS[1:]}
        return Response(serialize(TileListSerializer, content))


class BoardListView(ApiView):
    """`GET /boards`."""

    required_permissions = (Permission.BOARDS,)

    @extend_schema(operation_id="boards", responses=BoardListSerializer)
    def get(self, request: Request) -> Response:
        """List the boards that the user sees."""
        titles = board_titles_by_slug(current_user(request).pk)
        items = [{"slug": slug, "title": title} for slug, title in titles.items()]
        return Response(serialize(BoardListSerializer, {"items": items}))


class BoardView(ApiView):
    """`/boards/<slug>`."""

    http_method_names = ["get", "head", "put", "delete"]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        is_read = request.method in {"GET", "HEAD"}
        self.required_permissions = (Permission.BOARDS if is_read else Permission.BOARDS_EDIT,)
        super().initial(request, *args, **kwargs)

    @extend_schema(operation_id="board", responses=BoardSerializer)
    def get(self, request: Request, slug: str) -> Response:
        """Retrieve a board. Tiles whose permission the user lacks are left out."""
        return Response(_serialize_board_or_404(request, slug))

    @extend_schema(operation_id="board_save", request=BoardBody, responses=BoardSerializer)
    def put(self, request: Request, slug: str) -> HttpResponse:
        """Create or replace a board. An unknown tile, or an invalid setting, is refused."""
        body = read_body(request)

        def do() -> ApiResponse:
            values = parse_body(BoardBody, body)
            _answer_errors(lambda: _save_board(request, slug, values))
            return ApiResponse.with_json_body(_serialize_board_or_404(request, slug))

        return run_idempotently(request, body, do)

    @extend_schema(operation_id="board_delete", request=EmptyBody, responses={200: BoardSerializer})
    def delete(self, request: Request, slug: str) -> HttpResponse:
        """Delete a board, and return it as it was. The operations board gets its usual tiles."""
        body = read_body(request)

        def do() -> ApiResponse:
            parse_body(EmptyBody, body)
            before = _serialize_board_or_404(request, slug)
            _answer_errors(lambda: board_changes.delete_board(slug, by=current_author(request)))
            return ApiResponse.with_json_body(before)

        return run_idempotently(request, body, do)


class BoardCopyView(ApiView):
    """`POST /boards/<slug>/duplicate`."""

    required_permissions = (Permission.BOARDS_EDIT,)

    @extend_schema(operation_id="board_duplicate", request=BoardCopyBody, responses=BoardSerializer)
    def post(self, request: Request, slug: str) -> HttpResponse:
        """Copy a board to a new one that only the user sees."""
        body = read_body(request)

        def do() -> ApiResponse:
            title = parse_body(BoardCopyBody, body)["title"]
            copy = _answer_errors(
                lambda: board_changes.duplicate_board(slug, title, by=current_author(request))
            )
            return ApiResponse.with_json_body(_serialize_board_or_404(request, copy.slug))

        return run_idempotently(request, body, do)


class StartPageView(ApiView):
    """`/start-page`."""

    http_method_names = ["get", "head", "put"]
    required_permissions = (Permission.BOARDS,)

    @extend_schema(operation_id="start_page", responses=StartPageSerializer)
    def get(self, request: Request) -> Response:
        """Retrieve the board that the user starts on."""
        return Response(_start_page(request))

    @extend_schema(
        operation_id="start_page_save", request=StartPageBody, responses=StartPageSerializer
    )
    def put(self, request: Request) -> HttpResponse:
        """Set the board that the user starts on, or null for the page of the role."""
        body = read_body(request)

        def do() -> ApiResponse:
            slug = parse_body(StartPageBody, body)["board"] or ""
            _answer_errors(lambda: board_changes.set_start_board(slug, by=current_author(request)))
            return ApiResponse.with_json_body(_start_page(request))

        return run_idempotently(request, body, do)


def _answer_errors(change: Callable[[], Any]) -> Any:
    """The result of a change; its errors as those of the API."""
    try:
        return change()
    except UnknownBoard:
        raise Http404 from None
    except BoardChanged:
        raise BoardVersionConflict from None
    except InvalidBoard as error:
        raise InvalidFieldsInput(error.errors) from error


def _save_board(request: Request, slug: str, values: dict[str, Any]) -> None:
    """Replace the board, or create it for everyone."""
    user = current_user(request)

    def change(board: StoredBoard) -> StoredBoard:
        changed = replace(
            board,
            title=values["title"],
            entries=[
                {name: _decimal_to_json_int_or_text(value) for name, value in entry.items()}
                for entry in values["tiles"]
            ],
        )
        if "filters" in values:
            changed = replace(changed, scope=OrderScope.from_query(values["filters"]))
        if "sharing" in values:
            team = values.get("team", "")
            changed = board_changes.with_sharing(changed, values["sharing"], team, user=user)
        return changed

    try:
        board_changes.change_board(
            slug, change, by=current_author(request), version=values.get("version")
        )
    except UnknownBoard:
        new = change(StoredBoard(slug, values["title"], (), owner=user))
        board_changes.create_board(new, by=current_author(request))


def _decimal_to_json_int_or_text(value: Any) -> Any:
    """A decimal of a body as a number that can be stored as JSON; other values as they are."""
    if not isinstance(value, Decimal):
        return value
    return int(value) if value == value.to_integral_value() and abs(value) < MAX_ID else str(value)


def _start_page(request: Request) -> dict[str, Any]:
    slug = start_board_slug(current_user(request).pk)
    return serialize(StartPageSerializer, {"board": slug or None})


def _serialize_board_or_404(request: Request, slug: str) -> dict[str, Any]:
    stored = load_stored_board(slug, user_id=current_user(request).pk)
    if stored is None:
        raise Http404
    granted = user_permissions(request)
    kinds = tile_registry()
    visible = [
        entry
        for entry in stored.entries
        if (kind := kinds.get(str(entry.get("tile", "")))) is None or kind.permission in granted
    ]
    content = {
        "slug": slug,
        "title": stored.title,
        "tiles": visible,
        "filters": stored.scope.values,
        "sharing": stored.sharing,
        "team": stored.team.slug if stored.team else None,
        "owner": stored.owner.get_username() if stored.owner else None,
        "version": stored.version,
    }
    return serialize(BoardSerializer, content)
