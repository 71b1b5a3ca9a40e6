"""Board pages, including kiosk mode for wall screens."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_GET

from visibility.boards import load_board_and_tiles
from visibility.db.change_feed import latest_change_number
from visibility.db.database_time import database_now
from visibility.db.parse_id_and_time import parse_row_id
from visibility.operations.operational_problems import processing_lag_notices
from visibility.web.permissions import (
    Permission,
    granted_permissions,
    has_permission,
    require_permission,
)

# Seconds per board in a kiosk rotation: minimum, default, maximum.
MIN_SECONDS, DEFAULT_SECONDS, MAX_SECONDS = 10, 30, 3600


@require_GET
@require_permission(Permission.BOARDS)
def board_page(request: HttpRequest, slug: str) -> HttpResponse:
    """`/boards/<slug>`; `?kiosk=1` for a wall screen, `&boards=a,b&every=30` to rotate."""
    newest = latest_change_number()
    now = database_now()
    shown = load_board_and_tiles.load_board(
        slug, now=now, permissions=granted_permissions(request.user)
    )
    if shown is None:
        raise Http404
    kiosk = request.GET.get("kiosk") == "1"
    titles = load_board_and_tiles.load_board_titles_by_slug()
    return render(
        request,
        "boards/kiosk.html" if kiosk else "boards/board.html",
        {
            "live_head": newest,
            "now": now,
            "board": shown,
            "problems": processing_lag_notices(now),
            "titles": titles.items(),
            "prices": has_permission(request.user, Permission.PRICES) and not kiosk,
            # Anyone can read a wall screen.
            "contacts": has_permission(request.user, Permission.CONTACTS) and not kiosk,
            "kiosk": kiosk,
            "following": _next_board_url(request, slug, set(titles)) if kiosk else "",
            "every": _rotation_seconds_clamped_or_default(request.GET.get("every", "")),
        },
    )


def _next_board_url(request: HttpRequest, slug: str, known_slugs: set[str]) -> str:
    """The URL of the next board in the rotation, or ""."""
    requested = request.GET.get("boards", "")[:1000]
    rotation = [name for name in requested.split(",") if name in known_slugs]
    if len(rotation) < 2:
        return ""
    index = rotation.index(slug) if slug in rotation else -1
    query = request.GET.urlencode()
    return f"/boards/{rotation[(index + 1) % len(rotation)]}?{query}"


def _rotation_seconds_clamped_or_default(value: str) -> int:
    seconds = parse_row_id(value)
    return min(max(seconds, MIN_SECONDS), MAX_SECONDS) if seconds else DEFAULT_SECONDS


urlpatterns = [path("boards/<slug:slug>", board_page, name="board")]
