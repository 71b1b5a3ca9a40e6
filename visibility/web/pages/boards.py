"""Board pages: the board, its arrangement, and kiosk mode for wall screens."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_GET

from visibility.boards.load_board_and_tiles import load_board
from visibility.boards.stored_boards import (
    board_titles_by_slug,
    load_stored_board,
    start_board_slug,
)
from visibility.db.change_feed import latest_change_number
from visibility.db.data_scope import limited_to
from visibility.db.database_time import database_now
from visibility.db.parse_id_and_time import parse_row_id, parse_row_version
from visibility.models import ScreenLink
from visibility.operations.operational_problems import processing_lag_notices
from visibility.screens.save_conflicts import conflict_with_latest_entry, latest_change
from visibility.storage.person_scopes import load_scope
from visibility.web.arrange_form import arrange_context, settings_by_label, settings_of_board
from visibility.web.list_page_context import viewer_of_request
from visibility.web.permissions import (
    Permission,
    has_permission,
    require_permission,
    signed_in_user,
)
from visibility.web.screen_links import (
    DEFAULT_SECONDS,
    MAX_SECONDS,
    MIN_SECONDS,
    SCREEN_PERMISSIONS,
    find_valid_link,
)

# What changes the values of the form, in the audit log.
SAVED = ("board.saved", "board.duplicated", "board.restored")


@require_GET
@require_permission(Permission.BOARDS)
def board_page(request: HttpRequest, slug: str) -> HttpResponse:
    """`/boards/<slug>`; `?arrange=1` to arrange it; `?kiosk=1` for a wall screen.

    `&boards=a,b&every=30` rotates a wall screen over several boards.
    """
    return render_board_page(request, slug)


@dataclass(frozen=True, slots=True)
class RefusedSettings:
    """Settings of a board that were not saved, and why: other ones are stored, or an error."""

    entered: Mapping[str, str]
    error: str = ""


def render_board_page(
    request: HttpRequest, slug: str, *, refused: RefusedSettings | None = None
) -> HttpResponse:
    """The page of a board; with `refused` the form for arranging it, with what was entered."""
    newest, now = latest_change_number(), database_now()
    user = signed_in_user(request)
    stored = load_stored_board(slug, user_id=user.pk)
    if stored is None:
        raise Http404
    viewer = viewer_of_request(request)
    shown = load_board(
        stored,
        now=now,
        permissions=viewer.permissions,
        events=request.GET.get("events", ""),
        sources_only=viewer.sources_only,
    )
    titles = board_titles_by_slug(user.pk)
    context = {"live_head": newest, "now": now, "board": shown, "titles": titles.items()}
    if request.GET.get("kiosk") == "1":
        following = _next_board_url(request, slug, set(titles))
        every = _seconds_clamped_or_default(request.GET.get("every", ""))
        context |= {"following": following, "every": every, "exit": f"/boards/{slug}"}
        return render_kiosk(request, context)
    may_edit = has_permission(user, Permission.BOARDS_EDIT)
    context |= {
        "problems": processing_lag_notices(now),
        "prices": has_permission(user, Permission.PRICES),
        "contacts": has_permission(user, Permission.CONTACTS),
        "may_edit": may_edit,
        "may_see_calendars": has_permission(user, Permission.RULES_SEE),
        "start_slug": start_board_slug(user.pk),
    }
    if may_edit and (refused or request.GET.get("arrange") == "1"):
        entered = refused.entered if refused else None
        context |= {"arranging": True} | arrange_context(request, stored, entered)
    if refused and refused.error:
        context["refusal"] = refused.error
    elif refused:
        context["conflict"] = conflict_with_latest_entry(
            settings_by_label(settings_of_board(stored)),
            settings_by_label(refused.entered),
            latest_change(f"board {slug}", *SAVED),
            now=now,
            form_id="board-form",
            reload_url=f"/boards/{slug}?arrange=1",
        )
    status = 200 if refused is None else 422 if refused.error else 409
    return render(request, "boards/board.html", context, status=status)


@require_GET
def screen_page(request: HttpRequest, token: str) -> HttpResponse:
    """`/screens/<token>`: boards on a wall screen without sign-in, `?at=1` the second of them.

    It shows those boards of the link that its creator still sees.
    """
    newest, now = latest_change_number(), database_now()
    link = find_valid_link(token, now)
    if link is None:
        raise Http404
    with limited_to(load_scope(link.created_by_id)):
        return _render_screen(request, link, newest=newest, now=now)


def _render_screen(
    request: HttpRequest, link: ScreenLink, *, newest: int, now: datetime
) -> HttpResponse:
    stored = [load_stored_board(slug, user_id=link.created_by_id) for slug in link.boards]
    boards = [board for board in stored if board is not None]
    if not boards:
        raise Http404
    index = (parse_row_version(request.GET.get("at", "")) or 0) % len(boards)
    shown = load_board(boards[index], now=now, permissions=SCREEN_PERMISSIONS)
    following = f"{request.path}?at={(index + 1) % len(boards)}" if len(boards) > 1 else ""
    context = {
        "live_head": newest,
        "now": now,
        "board": shown,
        "following": following,
        "every": link.every,
        "is_polling": True,
        "nav": None,
    }
    return render_kiosk(request, context)


def render_kiosk(request: HttpRequest, context: Mapping[str, Any]) -> HttpResponse:
    """A board on a wall screen. Anyone can read it: it has no prices and no personal data."""
    private = {"prices": False, "contacts": False, "kiosk": True}
    problems = processing_lag_notices(context["now"])
    return render(request, "boards/kiosk.html", {**context, **private, "problems": problems})


def _next_board_url(request: HttpRequest, slug: str, known_slugs: set[str]) -> str:
    """The URL of the next board in the rotation, or ""."""
    requested = request.GET.get("boards", "")[:1000]
    rotation = [name for name in requested.split(",") if name in known_slugs]
    if len(rotation) < 2:
        return ""
    index = rotation.index(slug) if slug in rotation else -1
    query = request.GET.urlencode()
    return f"/boards/{rotation[(index + 1) % len(rotation)]}?{query}"


def _seconds_clamped_or_default(value: str) -> int:
    seconds = parse_row_id(value)
    return min(max(seconds, MIN_SECONDS), MAX_SECONDS) if seconds else DEFAULT_SECONDS


urlpatterns = [
    path("boards/<slug:slug>", board_page, name="board"),
    path("screens/<str:token>", screen_page),
]
