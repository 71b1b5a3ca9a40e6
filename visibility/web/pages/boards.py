"""The boards: what goes well, where it is stuck."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_GET

from visibility.boards import board
from visibility.db.change_feed import head
from visibility.db.clock import database_now
from visibility.web.permissions import Right, may, needs

# A kiosk that rotates stays on a board for so many seconds.
SHORTEST, USUAL, LONGEST = 10, 30, 3600


@require_GET
@needs(Right.BOARDS)
def board_page(request: HttpRequest, slug: str) -> HttpResponse:
    """`/boards/<slug>`; `?kiosk=1` for a screen on the wall, `&boards=a,b&every=30` rotates."""
    newest = head()
    now = database_now()
    shown = board.board(slug, now=now)
    if shown is None:
        raise Http404
    kiosk = request.GET.get("kiosk") == "1"
    titles = board.titles()
    return render(
        request,
        "boards/kiosk.html" if kiosk else "boards/board.html",
        {
            "live_head": newest,
            "now": now,
            "board": shown,
            "titles": titles.items(),
            "prices": may(request.user, Right.PRICES) and not kiosk,
            # Whoever passes by reads the wall.
            "contacts": may(request.user, Right.CONTACTS) and not kiosk,
            "alerts": may(request.user, Right.ALERTS_SEE),
            "kiosk": kiosk,
            "following": _following(request, slug, set(titles)) if kiosk else "",
            "every": _every(request.GET.get("every", "")),
        },
    )


def _following(request: HttpRequest, slug: str, known: set[str]) -> str:
    """The address of the next board of the rotation, or nothing."""
    wished = request.GET.get("boards", "")[:1000]
    listed = [name for name in wished.split(",") if name in known]
    if len(listed) < 2:
        return ""
    place = listed.index(slug) if slug in listed else -1
    query = request.GET.urlencode()
    return f"/boards/{listed[(place + 1) % len(listed)]}?{query}"


def _every(wish: str) -> int:
    return min(max(int(wish), SHORTEST), LONGEST) if wish.isdecimal() and len(wish) < 6 else USUAL


urlpatterns = [path("boards/<slug:slug>", board_page, name="board")]
