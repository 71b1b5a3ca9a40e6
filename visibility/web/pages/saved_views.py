"""Saved views of lists, and the visible columns of a list: the forms behind the menus."""

from django.contrib import messages as notes
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import path
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_GET, require_POST

from visibility.db.database_time import database_now
from visibility.models import SavedView
from visibility.preferences import list_columns, saved_views
from visibility.preferences.saved_views import (
    InvalidSavedView,
    NotOwnerOfSavedView,
    SavedViewChange,
    UnknownSavedView,
    ViewEditor,
)
from visibility.screens.lists.list_definition import (
    InvalidListQuery,
    ListDefinition,
    UnknownColumns,
)
from visibility.screens.save_conflicts import (
    SEEN,
    conflict_with_latest_entry,
    fingerprint_of_values,
    has_changed_since,
    latest_change,
)
from visibility.web.list_page_context import viewer_of_request
from visibility.web.permissions import Permission, require_permission, signed_in_user
from visibility.web.saved_view_requests import (
    checked_saved_view_change,
    readable_list,
    readable_queries,
    saved_view_values,
    stored_saved_view_values,
    view_editor,
)

MAX_ID = 2**63 - 1


@require_POST
@require_permission(Permission.ORDERS)
def choose_columns_view(request: HttpRequest, code: str) -> HttpResponse:
    """`POST /lists/<list>/columns`: `columns` in their order, or `reset`."""
    definition, user = readable_list(code, request.user), signed_in_user(request)
    if "reset" in request.POST:
        list_columns.reset_columns(user.pk, code)
        return HttpResponseRedirect(_return_url(request, definition))
    try:
        chosen = definition.check_columns(
            viewer_of_request(request), request.POST.getlist("columns")
        )
    except UnknownColumns as error:
        notes.error(request, str(error))
    else:
        list_columns.choose_columns(user.pk, code, chosen)
    return HttpResponseRedirect(_return_url(request, definition))


@require_POST
@require_permission(Permission.ORDERS)
def add_saved_view_view(request: HttpRequest) -> HttpResponse:
    """`POST /saved-views`: `list`, `name`, `query` and `team`, a slug or empty."""
    form = request.POST
    definition = readable_list(form.get("list", ""), request.user)
    try:
        view = saved_views.add_saved_view(
            definition.code,
            checked_saved_view_change(
                definition,
                viewer_of_request(request),
                name=form.get("name", ""),
                query=form.get("query", ""),
                team=form.get("team", ""),
            ),
            editor=view_editor(signed_in_user(request)),
            now=database_now(),
        )
    except (InvalidSavedView, InvalidListQuery) as error:
        notes.error(request, f"Not saved. {error}")
    else:
        notes.success(request, f"View “{view.name}” saved.")
    return HttpResponseRedirect(_return_url(request, definition))


@require_GET
@require_permission(Permission.ORDERS)
def open_saved_view_view(request: HttpRequest, view_id: int) -> HttpResponse:
    """`GET /saved-views/<id>`: the list with the filters and the order of the view.

    The query string is checked again: a rule may be gone, or the person may see less.
    """
    editor = view_editor(signed_in_user(request))
    try:
        view = saved_views.load_visible_saved_view(min(view_id, MAX_ID), editor)
    except UnknownSavedView:
        raise Http404 from None
    definition = readable_list(view.list, request.user)
    viewer = viewer_of_request(request)
    [readable] = readable_queries([view], viewer)
    if readable != view.query:
        notes.info(
            request,
            f"The view “{view.name}” opens without its filter by customer. Your role does not see "
            "names of customers.",
        )
    try:
        query = definition.checked_query(readable, viewer)
    except InvalidListQuery as error:
        notes.error(request, f"The view “{view.name}” cannot be opened as it was saved. {error}")
        query = ""
    return HttpResponseRedirect(f"{definition.url}?{query}" if query else definition.url)


@require_POST
@require_permission(Permission.ORDERS)
@transaction.atomic
def change_saved_view_view(request: HttpRequest, view_id: int) -> HttpResponse:
    """`POST /saved-views/<id>/change`: `name` and `team`; a field that is not sent stays."""
    editor, view_id = view_editor(signed_in_user(request)), min(view_id, MAX_ID)
    change = SavedViewChange(name=request.POST.get("name"), team=request.POST.get("team"))
    try:
        view = saved_views.lock_own_saved_view(view_id, editor)
        if has_changed_since(request.POST.get(SEEN, ""), stored_saved_view_values(view)):
            return _render_conflict(request, view, change, editor)
        view = saved_views.change_saved_view(view_id, change, editor=editor, now=database_now())
    except UnknownSavedView:
        raise Http404 from None
    except NotOwnerOfSavedView as error:
        raise PermissionDenied(str(error)) from error
    except InvalidSavedView as error:
        notes.error(request, f"Not saved. {error}")
        return HttpResponseRedirect(_return_url(request, None))
    notes.success(request, f"View “{view.name}” saved.")
    return HttpResponseRedirect(_return_url(request, readable_list(view.list, request.user)))


@require_POST
@require_permission(Permission.ORDERS)
def delete_saved_view_view(request: HttpRequest, view_id: int) -> HttpResponse:
    """`POST /saved-views/<id>/delete`."""
    try:
        view = saved_views.remove_saved_view(
            min(view_id, MAX_ID), editor=view_editor(signed_in_user(request)), now=database_now()
        )
    except UnknownSavedView:
        raise Http404 from None
    except NotOwnerOfSavedView as error:
        raise PermissionDenied(str(error)) from error
    notes.success(request, f"View “{view.name}” deleted.")
    return HttpResponseRedirect(_return_url(request, readable_list(view.list, request.user)))


def _render_conflict(
    request: HttpRequest, view: SavedView, change: SavedViewChange, editor: ViewEditor
) -> HttpResponse:
    """Both versions, with the form to save the entered one."""
    stored = stored_saved_view_values(view)
    entered = saved_view_values(change.name or "", change.team or "")
    url = _return_url(request, readable_list(view.list, request.user))
    shared = [(view.team.slug, view.team.title)] if view.team else []
    offered = [(team.slug, team.title) for team in saved_views.teams_to_share_with(editor)]
    context = {
        "view": view,
        "name": change.name or "",
        "team": change.team or "",
        "teams": dict([*shared, *offered]).items(),
        "next": url,
        "seen": fingerprint_of_values(stored),
        "conflict": conflict_with_latest_entry(
            stored,
            entered,
            latest_change(f"saved view {view.pk}", "saved_view.changed"),
            now=database_now(),
            form_id=f"saved-view-{view.pk}",
            reload_url=url,
        ),
    }
    return render(request, "lists/saved_view_conflict.html", context, status=409)


def _return_url(request: HttpRequest, definition: ListDefinition | None) -> str:
    """The page of the form, or the list; only paths of this site."""
    asked = request.POST.get("next", "").replace("\0", "")
    default = definition.url if definition else "/"
    return asked if asked and url_has_allowed_host_and_scheme(asked, None) else default


urlpatterns = [
    path("lists/<slug:code>/columns", choose_columns_view),
    path("saved-views", add_saved_view_view),
    path("saved-views/<int:view_id>", open_saved_view_view),
    path("saved-views/<int:view_id>/change", change_saved_view_view),
    path("saved-views/<int:view_id>/delete", delete_saved_view_view),
]
