"""The guide: `/help`, its pages, its pictures and its search."""

from django.contrib.auth.decorators import login_required
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_safe

from visibility.screens.help.guide import (
    FIRST_PAGE,
    GUIDE,
    PICTURE_TYPES,
    SYSTEMS,
    GuidePage,
    find_picture,
    load_guide_page,
    system_names,
)
from visibility.screens.help.search import MAX_RESULTS, search_guide

MAX_QUERY = 200


@require_safe
@login_required
def first_page(request: HttpRequest) -> HttpResponse:
    """`/help`: the first page of the guide, or what a search for `text` finds."""
    query = request.GET.get("text", "").strip()[:MAX_QUERY]
    if not query:
        return HttpResponseRedirect(f"/help/{FIRST_PAGE}")
    results = search_guide(query)
    context = {"query": query, "results": results, "limit": MAX_RESULTS}
    return render(request, "help/search.html", _navigation("") | context)


@require_safe
@login_required
def guide_page(request: HttpRequest, name: str) -> HttpResponse:
    """`/help/<name>`: one page."""
    try:
        page = load_guide_page(name)
    except KeyError:
        raise Http404 from None
    return render(request, "help/page.html", _navigation(name) | {"page": page})


@require_safe
@login_required
def guide_picture(_request: HttpRequest, name: str) -> FileResponse:
    """`/help/pictures/<name>`: a picture of the documents."""
    picture = find_picture(name)
    if picture is None or picture.suffix not in PICTURE_TYPES:
        raise Http404
    return FileResponse(picture.open("rb"), content_type=PICTURE_TYPES[picture.suffix])


def _navigation(current: str) -> dict[str, object]:
    groups: list[tuple[str, list[GuidePage]]] = [
        (title, [load_guide_page(name) for name in names]) for title, names in GUIDE.items()
    ]
    if current.startswith(SYSTEMS):
        groups.append(("Systems", [load_guide_page(name) for name in system_names()]))
    return {"groups": groups, "current": current}


urlpatterns = [
    path("help", first_page, name="help"),
    path("help/pictures/<str:name>", guide_picture),
    path("help/<path:name>", guide_page),
]
