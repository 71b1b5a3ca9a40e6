"""One tile of a board: its page with the figures as a table, and their export as CSV."""

import io

from django.contrib.auth.models import AnonymousUser, User
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_GET

from visibility.boards.load_board_and_tiles import (
    LoadedBoard,
    LoadedTile,
    load_tile_of_board,
)
from visibility.boards.stored_boards import StoredBoard, load_stored_board
from visibility.boards.tile_registry import tile_registry
from visibility.boards.tile_table import TileTable
from visibility.db.change_feed import latest_change_number
from visibility.db.database_time import database_now
from visibility.export.table_files import TableOfFile, write_csv_table
from visibility.formatting import in_zone
from visibility.storage.organization import organization_time_zone
from visibility.web.list_page_context import display_text, viewer_of_request
from visibility.web.master_table_downloads import MEDIA_TYPES
from visibility.web.page_access import check_record
from visibility.web.permissions import (
    Permission,
    has_permission,
    require_permission,
    signed_in_user,
)
from visibility.web.send_files import audited_file_response


def may_see_tile(user: User | AnonymousUser, slug: str, number: int, code: str) -> bool:
    """Whether the user sees the board and the tile at this place of it."""
    stored = load_stored_board(slug, user_id=user.pk or 0)
    kind = tile_registry().get(code)
    return (
        stored is not None
        and 0 < number <= len(stored.entries)
        and stored.entries[number - 1].get("tile") == code
        and kind is not None
        and has_permission(user, kind.permission)
    )


@require_GET
@require_permission(Permission.BOARDS)
@check_record(may_see_tile)
def tile_page(request: HttpRequest, slug: str, number: int, code: str) -> HttpResponse:
    """`/boards/<slug>/tiles/<number>/<code>`: one tile, its figures and its definition."""
    newest = latest_change_number()
    stored, tile = _load_tile(request, slug, number, code)
    return render(
        request,
        "boards/tile_page.html",
        {
            "live_head": newest,
            "now": database_now(),
            "board": LoadedBoard(stored, [tile]),
            "tile": tile,
            "columns": tile.table.columns if tile.table else (),
            "rows": [[display_text(value) for value in row] for row in tile.table.rows]
            if tile.table
            else [],
            "prices": has_permission(request.user, Permission.PRICES),
            "contacts": has_permission(request.user, Permission.CONTACTS),
            "may_see_calendars": has_permission(request.user, Permission.RULES_SEE),
        },
    )


@require_GET
@require_permission(Permission.BOARDS)
@check_record(may_see_tile)
def export_tile(request: HttpRequest, slug: str, number: int, code: str) -> HttpResponseBase:
    """`/boards/<slug>/tiles/<number>/<code>/export`: its figures as CSV."""
    stored, tile = _load_tile(request, slug, number, code)
    if tile.table is None:
        raise Http404
    now = database_now()
    file = io.BytesIO()
    write_csv_table(_file_table(request, stored, tile, tile.table), file)
    file.seek(0)
    return audited_file_response(
        request,
        file,
        f"{slug}-{code}-{now:%Y%m%d-%H%M%S}.csv",
        MEDIA_TYPES["csv"],
        object=f"Tile {tile.title} of board {stored.title}"[:200],
        detail={"format": "csv", "board": slug, "tile": code, "rows": len(tile.table.rows)},
        by=signed_in_user(request),
        now=now,
    )


def _load_tile(
    request: HttpRequest, slug: str, number: int, code: str
) -> tuple[StoredBoard, LoadedTile]:
    """The board and the tile. Raises Http404 if the user does not see it, or it has moved."""
    viewer = viewer_of_request(request)
    stored = load_stored_board(slug, user_id=viewer.user_id)
    if stored is None or not may_see_tile(request.user, slug, number, code):
        raise Http404
    tile = load_tile_of_board(
        stored,
        number,
        now=database_now(),
        permissions=viewer.permissions,
        events=request.GET.get("events", ""),
        sources_only=viewer.sources_only,
    )
    if tile is None:
        raise Http404
    return stored, tile


def _file_table(
    request: HttpRequest, stored: StoredBoard, tile: LoadedTile, table: TileTable
) -> TableOfFile:
    zone = organization_time_zone()
    scope = "All" if tile.not_filtered else stored.scope.text or "All"
    heading: list[tuple[str, str | int]] = [
        ("Board", stored.title),
        ("Tile", tile.title),
        ("Definition", tile.definition),
        ("Orders", scope),
        ("As of", f"{in_zone(database_now(), zone):%Y-%m-%d %H:%M} ({zone})"),
        ("Exported by", viewer_of_request(request).name),
        ("Rows", len(table.rows)),
    ]
    return TableOfFile(tile.title, heading, table.columns, table.rows)


urlpatterns = [
    path("boards/<slug:slug>/tiles/<int:number>/<slug:code>", tile_page, name="board-tile"),
    path("boards/<slug:slug>/tiles/<int:number>/<slug:code>/export", export_tile),
]
