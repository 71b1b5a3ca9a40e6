"""Endpoints of boards: their tiles, the settings of tiles, and checked changes."""

from decimal import Decimal
from typing import Any

from django.db import transaction
from django.http import Http404, HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from connectors.sdk.settings import SettingError
from visibility.boards.check_tiles import MAX_TILES, tile_errors
from visibility.boards.load_board_and_tiles import (
    load_board_title_and_tile_entries,
    load_board_titles_by_slug,
)
from visibility.boards.tile_registry import tile_registry
from visibility.boards.tile_settings import COMMON_SETTINGS
from visibility.db.database_time import database_now
from visibility.models import Board
from visibility.models.audit import append_audit_entry
from visibility.web.api.base import ApiView, current_user, user_permissions
from visibility.web.api.common_serializers import EnumField, PermissionFilteredSerializer, serialize
from visibility.web.api.idempotency import run_idempotently
from visibility.web.api.problem_responses import ApiResponse, InvalidInput
from visibility.web.api.request_body_serializers import MAX_ID, RequestBody, parse_body, read_body
from visibility.web.api.subscriptions import ChannelSettingSerializer
from visibility.web.permissions import Permission


class InvalidTiles(InvalidInput):
    """Settings of tiles are invalid, each with its sentence."""

    def __init__(self, errors: list[SettingError]) -> None:
        super().__init__("", " ".join(error.sentence for error in errors))
        self.errors = [{"path": error.name, "detail": error.sentence} for error in errors]


class TileSerializer(PermissionFilteredSerializer):
    """A tile that boards can have. Who lacks `permission` does not get its data."""

    code = serializers.CharField()
    title = serializers.CharField()
    permission = EnumField(Permission)
    settings = ChannelSettingSerializer(many=True)


class TileListSerializer(PermissionFilteredSerializer):
    """All tiles. `common_settings` are those of every tile."""

    items = TileSerializer(many=True)
    common_settings = ChannelSettingSerializer(many=True)


class BoardTitleSerializer(PermissionFilteredSerializer):
    """A board."""

    slug = serializers.CharField()
    title = serializers.CharField()


class BoardListSerializer(PermissionFilteredSerializer):
    """All boards."""

    items = BoardTitleSerializer(many=True)


class BoardSerializer(BoardTitleSerializer):
    """A board with the entries of the tiles that the user may see. It has no data of tiles."""

    tiles = serializers.ListField(child=serializers.DictField())


class BoardBody(RequestBody):
    """A board. Each tile has `tile`, optionally `title` and `width`, and its own settings."""

    title = serializers.CharField(max_length=120)
    tiles = serializers.ListField(child=serializers.DictField(), max_length=MAX_TILES)


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
        """List the boards."""
        titles = [
            {"slug": slug, "title": title} for slug, title in load_board_titles_by_slug().items()
        ]
        return Response(serialize(BoardListSerializer, {"items": titles}))


class BoardView(ApiView):
    """`/boards/<slug>`."""

    http_method_names = ["get", "head", "put"]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        is_read = request.method in {"GET", "HEAD"}
        self.required_permissions = (Permission.BOARDS if is_read else Permission.BOARDS_EDIT,)
        super().initial(request, *args, **kwargs)

    @extend_schema(operation_id="board", responses=BoardSerializer)
    def get(self, request: Request, slug: str) -> Response:
        """Retrieve a board. Tiles whose permission the user lacks are left out."""
        return Response(_load_and_serialize_board_or_404(request, slug))

    @extend_schema(operation_id="board_save", request=BoardBody, responses=BoardSerializer)
    def put(self, request: Request, slug: str) -> HttpResponse:
        """Create or replace a board. An unknown tile, or an invalid setting, is refused."""
        body = read_body(request)

        def do() -> ApiResponse:
            values = parse_body(BoardBody, body)
            values["tiles"] = [
                {name: _decimal_to_json_int_or_text(value) for name, value in entry.items()}
                for entry in values["tiles"]
            ]
            if errors := tile_errors(values["tiles"]):
                raise InvalidTiles(errors)
            with transaction.atomic():
                Board.objects.update_or_create(slug=slug, defaults=values)
                append_audit_entry(
                    "board.saved",
                    user=current_user(request),
                    object=f"board {slug}",
                    detail={"tiles": [entry["tile"] for entry in values["tiles"]]},
                    now=database_now(),
                )
            return ApiResponse.with_json_body(_load_and_serialize_board_or_404(request, slug))

        return run_idempotently(request, body, do)


def _decimal_to_json_int_or_text(value: Any) -> Any:
    """A decimal of a body as a number that can be stored as JSON; other values as they are."""
    if not isinstance(value, Decimal):
        return value
    return int(value) if value == value.to_integral_value() and abs(value) < MAX_ID else str(value)


def _load_and_serialize_board_or_404(request: Request, slug: str) -> dict[str, Any]:
    stored = load_board_title_and_tile_entries(slug)
    if stored is None:
        raise Http404
    title, entries = stored
    granted = user_permissions(request)
    kinds = tile_registry()
    visible = [
        entry
        for entry in entries
        if (kind := kinds.get(str(entry.get("tile", "")))) is None or kind.permission in granted
    ]
    return serialize(BoardSerializer, {"slug": slug, "title": title, "tiles": visible})
