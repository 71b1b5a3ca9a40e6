"""Forms that change boards, and the page of screen links."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from urllib.parse import urlencode

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_http_methods, require_POST

from visibility.boards.stored_boards import (
    OPERATIONS,
    StoredBoard,
    board_titles_by_slug,
    load_stored_board,
)
from visibility.boards.tile_registry import tile_registry
from visibility.db.database_time import database_now
from visibility.db.parse_id_and_time import parse_row_id, parse_row_version
from visibility.screens.orders.order_scope import OrderScope
from visibility.screens.relative_and_absolute_time import displayed_time
from visibility.web import board_changes, screen_links
from visibility.web.arrange_form import entered_settings
from visibility.web.author import author_of
from visibility.web.board_changes import (
    BoardChanged,
    InvalidBoard,
    UnknownBoard,
)
from visibility.web.pages.boards import RefusedSettings, render_board_page
from visibility.web.permissions import Permission, require_permission, signed_in_user

# Action: what it does to the tile, its step, and how the message says it.
TILE_ACTIONS: dict[str, tuple[Callable[..., StoredBoard], int, str]] = {
    "up": (board_changes.move_tile, -1, "moved up"),
    "down": (board_changes.move_tile, 1, "moved down"),
    "wider": (board_changes.resize_tile, 1, "made wider"),
    "narrower": (board_changes.resize_tile, -1, "made narrower"),
}
CONFLICT = (
    "Someone else has changed this board. It is shown as it is now; please repeat your change."
)


def _version(request: HttpRequest) -> int | None:
    return parse_row_version(request.POST.get("version", ""))


def _apply(
    request: HttpRequest, slug: str, change: Callable[[StoredBoard], StoredBoard], done: str
) -> StoredBoard | None:
    """Change the board and say so; None if that was not possible, with the reason as a message."""
    try:
        board = board_changes.change_board(
            slug, change, by=author_of(request), version=_version(request)
        )
    except UnknownBoard:
        raise Http404 from None
    except BoardChanged:
        messages.warning(request, CONFLICT)
    except InvalidBoard as error:
        messages.error(request, f"Not saved. {error}")
    else:
        messages.success(request, done)
        return board
    return None


def _arrange_url(slug: str, **focus: object) -> str:
    return f"/boards/{slug}?{urlencode({'arrange': 1, **focus})}"


@require_POST
@require_permission(Permission.BOARDS_EDIT)
def arrange_tiles(request: HttpRequest, slug: str) -> HttpResponse:
    """`POST /boards/<slug>/arrange`: add, remove, move or resize one tile."""
    action, index = request.POST.get("do", ""), parse_row_version(request.POST.get("tile", "")) or 0
    kind = tile_registry().get(request.POST.get("code", ""))
    title = kind.title if kind else "Tile"
    if action == "add" and kind:
        add = partial(board_changes.add_tile, code=kind.code)
        board = _apply(request, slug, add, f"{title} added as the last tile.")
        last = len(board.entries) - 1 if board else 0
        return HttpResponseRedirect(_arrange_url(slug, tile=last, did="up"))
    if action == "remove":
        remove = partial(board_changes.remove_tile, index=index)
        board = _apply(request, slug, remove, f"{title} removed.")
        left = len(board.entries) if board else index + 1
        focus = {"tile": min(index, left - 1), "did": "remove"} if left else {}
        return HttpResponseRedirect(_arrange_url(slug, **focus))
    if action not in TILE_ACTIONS:
        raise Http404
    change, step, text = TILE_ACTIONS[action]
    board = _apply(request, slug, partial(change, index=index, step=step), f"{title} {text}.")
    moved = step if change is board_changes.move_tile else 0
    target = min(max(index + moved, 0), len(board.entries) - 1) if board else index
    return HttpResponseRedirect(_arrange_url(slug, tile=target, did=action))


@require_POST
@require_permission(Permission.BOARDS_EDIT)
def save_settings(request: HttpRequest, slug: str) -> HttpResponse:
    """`POST /boards/<slug>/settings`: title, filters and sharing."""
    form, user = request.POST, signed_in_user(request)

    def change(board: StoredBoard) -> StoredBoard:
        changed = replace(
            board,
            title=form.get("title", "").replace("\0", "").strip(),
            scope=OrderScope.from_query({k: v.replace("\0", "") for k, v in form.dict().items()}),
        )
        sharing, team = form.get("sharing", board.sharing), form.get("team", "")
        return board_changes.with_sharing(changed, sharing, team.replace("\0", ""), user=user)

    stored = load_stored_board(slug, user_id=user.pk)
    if stored is None:
        raise Http404
    entered = entered_settings(form, stored)
    try:
        board_changes.change_board(slug, change, by=author_of(request), version=_version(request))
    except UnknownBoard:
        raise Http404 from None
    except BoardChanged:
        return render_board_page(request, slug, refused=RefusedSettings(entered))
    except InvalidBoard as error:
        refused = RefusedSettings(entered, str(error))
        return render_board_page(request, slug, refused=refused)
    messages.success(request, "Board saved.")
    return HttpResponseRedirect(_arrange_url(slug, did="settings"))


@require_POST
@require_permission(Permission.BOARDS_EDIT)
def duplicate(request: HttpRequest, slug: str) -> HttpResponse:
    """`POST /boards/<slug>/duplicate`: a copy that only the user sees, ready to be arranged."""
    title = request.POST.get("title", "").replace("\0", "").strip()
    try:
        copy = board_changes.duplicate_board(slug, title, by=author_of(request))
    except UnknownBoard:
        raise Http404 from None
    except InvalidBoard as error:
        messages.error(request, f"Not duplicated. {error}")
        return HttpResponseRedirect(_arrange_url(slug))
    messages.success(request, f"This is your copy, “{copy.title}”. Only you see it.")
    return HttpResponseRedirect(_arrange_url(copy.slug))


@require_POST
@require_permission(Permission.BOARDS_EDIT)
def delete(request: HttpRequest, slug: str) -> HttpResponse:
    """`POST /boards/<slug>/delete`; the operations board gets its standard tiles back."""
    try:
        board_changes.delete_board(slug, by=author_of(request))
    except UnknownBoard:
        raise Http404 from None
    is_built_in = slug == OPERATIONS
    messages.success(request, "Standard tiles restored." if is_built_in else "Board deleted.")
    return HttpResponseRedirect(f"/boards/{OPERATIONS}")


@require_POST
@require_permission(Permission.BOARDS)
def start_here(request: HttpRequest, slug: str) -> HttpResponse:
    """`POST /boards/<slug>/start`: start on this board after sign-in, or no longer."""
    wanted = slug if request.POST.get("on") == "1" else ""
    try:
        board_changes.set_start_board(wanted, by=author_of(request))
    except UnknownBoard:
        raise Http404 from None
    text = "You start on this board now." if wanted else "You start on the page of your role now."
    messages.success(request, text)
    return HttpResponseRedirect(f"/boards/{slug}")


@require_http_methods(["GET", "HEAD", "POST"])
@require_permission(Permission.BOARDS_EDIT)
def screen_link_list(request: HttpRequest) -> HttpResponse:
    """`/screen-links`: the links for wall screens; POST creates one."""
    error = None
    if request.method == "POST":
        form = request.POST
        try:
            screen_links.create_screen_link(
                form.get("title", "").replace("\0", ""),
                [slug[:50].replace("\0", "") for slug in form.getlist("boards")],
                days=parse_row_id(form.get("days", "")) or 0,
                every=parse_row_id(form.get("every", "")) or 0,
                by=author_of(request),
            )
        except InvalidBoard as invalid:
            error = invalid
        else:
            messages.success(request, "Screen link created. Open it on the screen, or copy it.")
            return HttpResponseRedirect("/screen-links")
    now = database_now()
    context = {
        "links": [
            (
                link,
                request.build_absolute_uri(screen_links.screen_link_path(link)),
                link.is_valid_at(now),
                displayed_time(link.expires_at, now),
                displayed_time(link.last_used_at, now),
            )
            for link in screen_links.list_screen_links()
        ],
        "titles": board_titles_by_slug(signed_in_user(request).pk).items(),
        "chosen": request.POST.getlist("boards") or request.GET.getlist("board"),
        "entered": request.POST.dict(),
        "error": error,
        "days": screen_links.DEFAULT_DAYS,
        "every": screen_links.DEFAULT_SECONDS,
    }
    return render(request, "boards/screen_links.html", context, status=422 if error else 200)


@require_POST
@require_permission(Permission.BOARDS_EDIT)
def revoke_screen_link(request: HttpRequest, number: int) -> HttpResponse:
    """`POST /screen-links/<id>/revoke`."""
    if screen_links.revoke_screen_link(number, by=author_of(request)) is None:
        raise Http404
    messages.success(request, "Screen link revoked. Screens that use it stop within 15 seconds.")
    return HttpResponseRedirect("/screen-links")


urlpatterns = [
    path("boards/<slug:slug>/arrange", arrange_tiles),
    path("boards/<slug:slug>/settings", save_settings),
    path("boards/<slug:slug>/duplicate", duplicate),
    path("boards/<slug:slug>/delete", delete),
    path("boards/<slug:slug>/start", start_here),
    path("screen-links", screen_link_list),
    path("screen-links/<int:number>/revoke", revoke_screen_link),
]
