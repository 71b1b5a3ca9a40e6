"""`/orders/export`: what the list shows, or one order, as an event log for other tools."""

from collections.abc import Sequence
from datetime import datetime
from urllib.parse import urlencode

from django.contrib import messages as notes
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseBase, QueryDict
from django.shortcuts import redirect
from django.urls import path
from django.views.decorators.http import require_GET

from visibility.db.clock import database_now
from visibility.export.formats import KINDS, Format
from visibility.export.snapshot import AT_ONCE, MOST, Busy, Selection, TooMany
from visibility.formatting import many
from visibility.screens.orders.order_list import Filters
from visibility.web.downloads import download
from visibility.web.permissions import Right, may, needs

MOST_NAMED = 1_000


def links(request: HttpRequest, **named: object) -> Sequence[tuple[str, str]]:
    """Title and address of each format, for those who may; by default of what is filtered."""
    if not may(request.user, Right.EXPORT):
        return ()
    query = QueryDict(mutable=True) if named else request.GET.copy()
    for name in ("after", "format"):
        query.pop(name, None)
    kept = query.urlencode() or urlencode(named)
    return [
        (kind.title, f"/orders/export?format={format.value}" + (f"&{kept}" if kept else ""))
        for format, kind in KINDS.items()
    ]


@require_GET
@needs(Right.EXPORT)
def orders(request: HttpRequest) -> HttpResponseBase:
    """The filters of `/orders`, `order` (ids), `since` and `until`, in one of the formats."""
    assert isinstance(request.user, User)  # needs() let nobody else in
    wanted = request.GET.get("format", "")
    if wanted not in set(Format):
        return HttpResponse(f"format is one of {', '.join(Format)}", status=400)
    try:
        return download(
            selection(request.GET, by_name=may(request.user, Right.CONTACTS)),
            format=Format(wanted),
            by=request.user,
            asked={name: values[:20] for name, values in request.GET.lists()},
            now=database_now(),
        )
    except TooMany:
        notes.warning(request, f"More than {many(MOST)} orders: narrow the filters.")
    except Busy:
        notes.warning(request, f"{AT_ONCE} exports are being made already: try again soon.")
    return redirect(f"/orders?{_filters(request.GET)}")


def selection(query: QueryDict, *, by_name: bool) -> Selection:
    """What an address asks for; a time that is none is not looked at."""
    ids = [int(text) for text in query.getlist("order")[:MOST_NAMED] if _is_id(text)]
    return Selection(
        filters=Filters.of(
            query.dict(),  # type: ignore[arg-type]  # stubs
            query.getlist("status"),
            states=query.getlist("state"),
            without=query.getlist("without"),
            by_name=by_name,
        ),
        order_ids=tuple(ids) if "order" in query else None,
        since=_moment(query.get("since", "")),
        until=_moment(query.get("until", "")),
    )


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 19


def _moment(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else None


def _filters(query: QueryDict) -> str:
    kept = query.copy()
    kept.pop("format", None)
    return kept.urlencode()


urlpatterns = [path("orders/export", orders, name="orders-export")]
